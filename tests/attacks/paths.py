"""Paths × encodings: what means another path once a server decodes it again, or in another way.

`climbing`: out of a prefix that everybody may call. `fixed`: to an operation by another spelling.
The server of `/public` sees targets with one meaning only, whatever it decodes; a server of fixed
operations sees canonical targets only. What the gate itself made canonical is canonical.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator

from tests.attacks import documents as docs
from tests.attacks import scene
from tests.attacks.battery import Attack, Spoilt
from tests.attacks.headers import ACME
from tests.attacks.making import Header, both
from tests.attacks.servers import Seen

DOT = {
    "plain": ".", "hex": "%2e", "HEX": "%2E", "twice": "%252e", "TWICE": "%252E", "thrice": "%25252e", "digits": "%25%32%65",
    "overlong-2": "%c0%ae", "overlong-2-case": "%C0%AE", "overlong-3": "%e0%80%ae", "overlong-4": "%f0%80%80%ae", "u": "%u002e",
    "u-case": "%U002E", "wide": "%ef%bc%8e", "wide-raw": "\uff0e".encode().decode("latin-1"), "wide-u": "%uff0e", "leader": "%e2%80%a4",
    "overlong-raw": "\xc0\xae",
}  # fmt: skip
SLASH = {
    "plain": "/", "hex": "%2f", "HEX": "%2F", "twice": "%252f", "thrice": "%25252f", "back": "\\", "back-hex": "%5c", "back-HEX": "%5C",
    "back-twice": "%255c", "overlong-2": "%c0%af", "overlong-3": "%e0%80%af", "u": "%u002f", "u-back": "%u005c", "wide": "%ef%bc%8f",
    "wide-raw": "\uff0f".encode().decode("latin-1"), "division": "%e2%88%95", "fraction": "%e2%81%84", "parameter": ";/", "parameter-named": ";a=b/",
    "parameter-hex": "%3b/", "parameter-twice": "%253b/", "tab": "%09/", "nul": "%00/", "space": "%20/", "line": "%0a/", "return": "%0d/",
    "delete": "%7f/", "raw-control": "\x01/", "raw-delete": "\x7f/", "double": "//", "question": "%3f/", "hash": "%23/",
}  # fmt: skip

LEGITIMATE = (
    "/public", "/public/", "/public/a", "/public/a-b_c~d", "/public/a.b.c", "/public/v1.0/x", "/public/a?b=%2e%2e%2fadmin", "/public/a?x=/../admin",
    "/public/a:b@c", "/public/a+b", "/public/a..b",
)  # fmt: skip
ESCAPED = (
    "/public/a%20b",
    "/public/caf%C3%A9",
    "/public/%E2%82%AC",
    "/public/...",
    "/public/a%7Eb",
)
"""One meaning, and yet a governed path may do without: whether they are answered is no matter here."""


def climbing(chance: random.Random) -> Iterator[Attack]:
    public = frozenset({scene.PUBLIC})
    for number, path in enumerate(LEGITIMATE):
        yield from both(f"paths/legitimate-{number}", "paths", target=path, may=public, control=True)  # fmt: skip
    for number, path in enumerate(ESCAPED):
        yield from both(f"paths/escaped-{number}", "paths", target=path, may=public)
    admin = frozenset({scene.ADMIN})
    yield from both("paths/legitimate-admin", "paths", [ACME], target="/admin", may=admin, control=True)  # fmt: skip
    for (d, dot), (s, slash) in itertools.product(DOT.items(), SLASH.items()):
        if (d, s) == ("plain", "plain"):
            targets = {"0": "/public/../admin", "1": "/public/x/../../admin"}
        else:
            mixed = chance.choice(["", "x/", "x%20/"])
            targets = {
                "up": f"/public/{mixed}{'../' if mixed else ''}{dot}{dot}{slash}admin",
                "half": f"/public{slash}{dot}.{slash}admin"
                if s != "plain"
                else f"/public/.{dot}/admin",
            }
        for label, target in targets.items():
            yield from both(f"paths/{d}+{s}/{label}", "paths", target=target, may=public, spoilt=_unclear)  # fmt: skip
    for number, target in enumerate(_MORE):
        yield from both(f"paths/more-{number}", "paths", target=target, may=public, spoilt=_unclear)


_CLEAR = re.compile(rb"/public(/[A-Za-z0-9._~!$&'()*+,:@=-]+)*/?")


def _unclear(seen: Seen) -> str | None:
    """What a server of a prefix may see: plain segments, none of them a dot segment."""
    path = seen.target.partition(b"?")[0]
    dotted = any(part in (b".", b"..") for part in path.split(b"/"))
    return None if _CLEAR.fullmatch(path) and not dotted else f"the target {path[:120]!r}"


_MORE = (
    "/public/%", "/public/%2", "/public/%zz", "/public/%2e%2", "/public/..", "/public/%2e%2e", "/public/..;", "/public/..;x=1", "/public/.%00./admin",
    "/public//../admin", "/public/./../admin", "/public///admin", "//admin", "/./admin", "/%2e/admin", "/x/../admin", "/%61dmin", "/admi%6e", "/ADMIN",
    "/admin;x", "/admin%2f", "/admin%00", "/admin%20", "/admin/.", "/admin//", "/admin#x", "/public#/../admin", "/public/\x00", "/public/\x0b/x", "/public/%01",
    "/public/%08/../admin", "/public/%1f", "/public/%7f", "/public/%80/..%2fadmin", "/public/%ff", "/public/%fe%ff", "/public/%c0%80", "/public/%ed%a0%80",
    "/public/%f8%80%80%80%ae", "/public/%25%32%65%25%32%65%25%32%66admin", "/public/%%32%65%%32%65/admin", "/public/%2%65%2%65/admin", "/public/..%u2215admin",
    "/public/..%c1%9cadmin", "/public/..%c0%5cadmin", "/public/%c0.%c0./admin", "/public/..%00/admin", "/public/..%0d%0aadmin", "/public/..\\admin",
    "/public\\..\\admin", "\\public\\..\\admin", "/public/..%5c..%5cadmin", "/public/..%2f..%2f..%2fadmin", "/public%2f..%2fadmin", "/public%2e%2e/admin",
    "/public..%2fadmin", "/public../admin", "/public;/../admin", "/public;%2f..%2fadmin", "/public%3b/../admin", "/public%3f/../admin", "/public%23/../admin",
    "/public?/../admin#/x", "*", "admin", "../admin", "?", "", "http://paths.attacks.test/admin", "http:///admin", "//paths.attacks.test/admin",
    "/public/" + "../" * 60 + "admin", "/public/" + "%2e%2e%2f" * 40 + "admin", "/public/" + "a/" * 400 + "../" * 401 + "admin", "/.public/admin", "/%00/admin",
)  # fmt: skip


def fixed(chance: random.Random) -> Iterator[Attack]:
    """Every caller, other spellings of one operation."""
    path = scene.INFER_PATH
    may = frozenset({scene.INFER})
    canonical = _canonical()
    callers: dict[str, Header | None] = {
        "nobody": None,
        "denied": ("Authorization", docs.bearer("mallory").partition(": ")[2]),
        "key": ACME,
    }
    yield from both("fixed/legitimate", "infer", [ACME], target=path, may=may, control=True)
    for number, target in enumerate(_spellings(path, chance)):
        for who, header in callers.items():
            yield from both(
                f"fixed/{who}/{number}", "infer", [header] if header else [], target=target,
                may=may if who == "key" else frozenset(), spoilt=canonical,
            )  # fmt: skip


def _canonical() -> Spoilt:
    good = {
        f"/v2/models/infer{rest}".encode()
        for rest in (
            "",
            "/infer",
            "/ready",
            "/versions/1",
            "/versions/1/infer",
            "/versions/1/ready",
        )
    }

    def look(seen: Seen) -> str | None:
        target = seen.target.partition(b"?")[0]
        return None if target in good else f"the target {target[:120]!r}"

    return look


def _spellings(path: str, chance: random.Random) -> Iterator[str]:
    places = [n for n, letter in enumerate(path) if letter == "/"]
    for at in places:
        for slash in ("//", "/./", "/x/../", "%2f", "%2F", "%252f", "\\", "%5c", ";/", "/;/", "%c0%af", "%u002f", "/%2e/", "/%20/", "/%00/", "%09/"):  # fmt: skip
            yield path[:at] + slash + path[at + 1 :]
    for _ in range(30):
        at = chance.choice([n for n, letter in enumerate(path) if letter.isalnum()])
        code = f"{ord(path[at]):02x}"
        for text in (f"%{code}", f"%25{code}", f"%u00{code}", path[at].upper()):
            yield path[:at] + text + path[at + 1 :]
    for end in ("/", "//", ".", "/.", "/..", "%00", "%20", "%0a", "%2f", ";x", ";", "%3fx", "%23x", "#x", "\x7f", "\xff", "%ff", "%", "?x", "?/../x", "%09", "~", "'", '"', "<x>"):  # fmt: skip
        yield path + end
    yield from ("/v2/models/infer/versions//infer", "/v2/models/infer/versions/../infer", "/v2/models/infer/versions/1%2f../infer", "/v2/repository/index",
                "/v2/models/other/infer", "/v2/models/../models/infer/infer", "/v2/models/infer/unload", "/v2/models/infer/versions/1/../../infer", "/metrics")  # fmt: skip
