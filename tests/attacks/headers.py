"""Headers × repetition × bytes × what rules read; and headers that servers believe.

A header that a rule reads and that stands there twice, is joined by commas or holds bytes outside
visible ASCII says two things at once: no server may see the request, whoever sent it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.attacks import documents as docs
from tests.attacks import scene
from tests.attacks.battery import Attack, Spoilt
from tests.attacks.making import Header, both
from tests.attacks.servers import Seen

ACME: Header = ("X-Api-Key", docs.API_KEYS["acme"])
ALICE: Header = ("Authorization", docs.bearer("alice").partition(": ")[2])
_RULES = frozenset({scene.RULES, scene.RULES_2})

READ = {
    docs.PURPOSE_HEADER: ("support", "marketing"),
    docs.REGION_HEADER: ("de", "us"),
    scene.SUBJECT: ("s1", "s2"),
    scene.VERSION: ("1", "2"),
    scene.CANARY: ("no", "yes"),
}
"""By header: a value that is admitted, and one that is denied or chooses otherwise."""


def of_rules(chance: random.Random) -> Iterator[Attack]:
    for name, (good, bad) in READ.items():
        for who in (ACME, ALICE):
            short = "key" if who is ACME else "token"
            base = f"headers/{name}/{short}"
            yield from both(f"{base}/legitimate", "rules", [who, (name, good)], may=_RULES, control=True)  # fmt: skip
            if name in (docs.PURPOSE_HEADER, docs.REGION_HEADER):
                for number, spelt in enumerate(_denied(bad)):
                    yield from both(f"{base}/denied-{number}", "rules", [who, (name, spelt)])
            for label, headers in _twice(name, good, bad, chance):
                yield from both(f"{base}/{label}", "rules", [who, *headers])


def _denied(bad: str) -> Iterator[str]:
    """One value, plainly the denied one."""
    yield from (bad, bad.upper(), bad.title(), f" {bad}", f"{bad} ", f"\t{bad}\t", bad[0].upper() + bad[1:])  # fmt: skip


def _twice(
    name: str, good: str, bad: str, chance: random.Random
) -> Iterator[tuple[str, list[Header]]]:
    odd = name.title(), name.upper()
    yield "good-bad", [(name, good), (name, bad)]
    yield "bad-good", [(name, bad), (name, good)]
    yield "good-good", [(name, good), (name, good)]
    yield "three", [(name, good), (name, good), (name, bad)]
    yield "case-1", [(name, good), (odd[0], bad)]
    yield "case-2", [(odd[1], good), (name, bad)]
    yield "apart", [(name, good), ("x-between", "1"), (name, bad)]
    yield "empty-bad", [(name, ""), (name, bad)]
    yield "bad-empty", [(name, bad), (name, "")]
    yield "empty-empty", [(name, ""), (name, "")]
    yield "many", [(name, good)] * 20
    for number, joint in enumerate((",", ", ", " ,", " , ", ",,", ",\t", "\t,", ", ,")):
        yield f"joined-{number}", [(name, f"{good}{joint}{bad}")]
        yield f"joined-back-{number}", [(name, f"{bad}{joint}{good}")]
    yield "comma-after", [(name, f"{bad},")]
    yield "comma-before", [(name, f",{bad}")]
    yield "comma-only", [(name, ",")]
    odd_bytes = {
        "latin": "\xe9", "high": "\xff", "nbsp": "\xa0", "c1": "\x85", "utf-8": "\u00e9".encode().decode("latin-1"),
        "zero-width": "\u200b".encode().decode("latin-1"), "mark": "\ufeff".encode().decode("latin-1"), "tab-inside": None,
    }  # fmt: skip
    for label, text in odd_bytes.items():
        if text is None:
            yield label, [(name, f"{good}\t{bad}")]
            continue
        yield f"{label}-after", [(name, bad + text)]
        yield f"{label}-before", [(name, text + bad)]
        yield f"{label}-inside", [(name, bad[:1] + text + bad[1:])]
        yield f"{label}-alone", [(name, text)]
    wide = "".join(chr(ord(c) + 0xFEE0) for c in bad).encode().decode("latin-1")
    yield "full-width", [(name, wide)]
    yield "cyrillic", [(name, bad.replace("a", "\u0430").replace("s", "\u0455").replace("2", "\u0662").replace("e", "\u0435").encode().decode("latin-1"))]  # fmt: skip
    for number in range(4):
        byte = chr(chance.choice([*range(0x80, 0x100)]))
        at = chance.randrange(len(bad) + 1)
        yield f"byte-{number}", [(name, bad[:at] + byte + bad[at:])]
    yield "long", [(name, f"{good}," + bad * 900)]
    under = name.replace("-", "_")
    yield "underscore", [(under, bad)]
    yield "underscore-both", [(name, good), (under, bad)]
    yield "half-underscore", [(name.replace("-", "_", 1), bad)]


BELIEVED = (
    "Forwarded", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server",
    "X-Forwarded-Prefix", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username",
    "X-Forwarded-Client-Cert", "X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "X-Host", "X-HTTP-Method-Override",
    "X-HTTP-Method", "X-Method-Override", "X-User", "X-User-Id", "X-Tenant", "X-Tenant-Id", "X-Remote-User", "Remote-User",
    "X-Auth-Request-User", "X-Auth-Request-Email", "X-Client-IP", "True-Client-IP", "Cluster-Client-IP", "CF-Connecting-IP",
    "X-Cluster-Client-IP", "WL-Proxy-Client-IP", "Fastly-Client-IP", "X-ProxyUser-Ip", "X-AppEngine-User-IP", "X-Azure-SocketIP", "Forwarded-For",
    "X-HTTP-Host-Override", "X-ARR-ClientCert", "Client-Cert", "X-Amzn-Mtls-Clientcert", "OIDC-Claim-Sub", "Proxy", "X-Url-Scheme", "Base-Url",
    "X-Middleware-Subrequest", "X-Accel-Mapping", "X-Gatereeve.Principal", "X.Gatereeve.Groups", "X.User", "X-Forwarded.User",
    "X-Gatereeve-Principal", "X-Gatereeve-Groups", "X-Gatereeve-Region", "X-Gatereeve-Purpose", "X-Gatereeve-Code",
    "X-Envoy-Original-Path", "X-Envoy-External-Address", "X-Envoy-Upstream-Rq-Timeout-Ms", "X-Envoy-Decorator-Operation",
)  # fmt: skip
"""A server that believes one of them believes a caller."""

CLAIM = "believe-me.example"


def believed() -> Iterator[Attack]:
    values = {"plain": (CLAIM,), "twice": (CLAIM, CLAIM), "joined": (f"1.2.3.4, {CLAIM}",), "empty": ("", CLAIM)}  # fmt: skip
    for name in BELIEVED:
        for label, given in values.items():
            for spelt in (name, name.lower()):
                mark = f"believed/{spelt}/{label}"
                headers = [ACME, *((spelt, value) for value in given)]
                yield from both(mark, "rules", headers, may=_RULES, spoilt=_passes_on(name))
    for name in ("X-Api-Key", "Authorization"):
        mark = f"believed/own-{name}"
        who = ACME if name == "X-Api-Key" else ALICE
        yield from both(mark, "rules", [who], may=_RULES, control=True, spoilt=_holds(name, who[1]))
    for listed in ("X-Api-Key", "x-purpose", "Authorization, X-Api-Key", "x-region, close", "Host"):
        # What Connection names is as if it was not sent (RFC 9110 section 7.6.1): to no rule, and to no server.
        mark = f"believed/hop-{listed.replace(' ', '').replace(',', '+')}"
        headers = [ACME, (docs.PURPOSE_HEADER, "marketing"), ("Connection", listed)]
        may = _RULES if listed == docs.PURPOSE_HEADER else frozenset[str]()
        yield from both(mark, "rules", headers, may=may, spoilt=_holds(docs.PURPOSE_HEADER, "marketing"))  # fmt: skip


def _passes_on(name: str) -> Spoilt:
    return _holds(name, CLAIM)


def _holds(name: str, text: str) -> Spoilt:
    def look(seen: Seen) -> str | None:
        return f"{name}: {text[:40]}" if any(text in v for v in seen.values(name.lower())) else None

    return look
