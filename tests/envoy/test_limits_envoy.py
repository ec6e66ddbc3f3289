"""Values of routes up to and beyond each limit: what the compiler keeps of them, Envoy accepts.

One document for each value, all served at once; what the compiler refuses is a finding and is left
out, so that a rejection by Envoy can only come of a bound that is too wide.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterator, Mapping

import pytest

from tests.envoy.test_literals_envoy import HEAD
from tests.features import documents as docs
from tests.support import gate as gates

pytestmark = pytest.mark.envoy

TO_WEB = {"backendRefs": [{"name": "web", "port": 80}]}
SEGMENT = "._~!$&'()*+,=:@-" + string.ascii_letters + string.digits
LONG_HOST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 54, "test"])
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


def matching(**match: object) -> dict[str, object]:
    return {"matches": [match], **TO_WEB}


def filtering(**given: object) -> dict[str, object]:
    ((name, content),) = given.items()
    kind = {"urlRewrite": "URLRewrite"}.get(name, name[0].upper() + name[1:])
    forwards = {} if name == "requestRedirect" else TO_WEB
    return {"filters": [{"type": kind, name: content}], **forwards}


def rules() -> Iterator[dict[str, object]]:
    yield from _matches()
    yield from _filters()
    for limit in ("0s", "1ms", "0h0m0s1ms", "99999h", "1h30m59s999ms", "100000s", "1.5s", "1us"):
        yield {**TO_WEB, "timeouts": {"request": limit}}
    for weights in ([0, 0], [1], [1_000_000] * 16, [1_000_000] * 300, [0, 1]):
        yield {"backendRefs": [{"name": "web", "port": 80, "weight": w} for w in weights]}


def _matches() -> Iterator[dict[str, object]]:
    paths = ("/" + "a" * 1023, "/" + "a" * 1024, "/" + SEGMENT, "/%20%22", "/a/", "/" + "/".join("a" * 400), "/é", "/a?b", "/#")  # fmt: skip
    for kind in ("Exact", "PathPrefix"):
        yield from (matching(path={"type": kind, "value": path}) for path in paths)
    names = ("a" * 128, "a" * 129, "0", "x-" + "1" * 100, "a_b", "A-B", ":path", "host", "x y", "")
    values = (VISIBLE, "v" * 4096, "v" * 4097, "a b", " a", "a\t", "é", "", "a\rb")
    pairs = [(name, "v") for name in names] + [("x", value) for value in values]
    yield from (matching(headers=[{"name": name, "value": value}]) for name, value in pairs)
    queries = ("q" * 256, "q" * 257, "._~!$'()*,:@/?-", "a b", "", "a=b")
    pairs = [(name, "v") for name in queries] + [("q", value) for value in values]
    yield from (matching(queryParams=[{"name": name, "value": value}]) for name, value in pairs)
    many = [{"name": f"x-{number}", "value": "v"} for number in range(64)]
    yield matching(headers=many, queryParams=many)
    yield from (matching(method=one) for one in ("GET", "PATCH", "QUERY", "get", "TRACE", "CONNECT", "A B"))  # fmt: skip


def _filters() -> Iterator[dict[str, object]]:
    names = ("a" * 128, "a" * 129, "x_y", "host", ":path", "connection", "content-length", "x-envoy-a", "set-cookie", "X-A")  # fmt: skip
    values = (VISIBLE, "v" * 4096, "%" * 4096, "v" * 4097, "", " ", "a\nb", "\x7f")
    edits = [{"name": name, "value": "v"} for name in names]
    edits += [{"name": "x-a", "value": value} for value in values]
    for name in ("requestHeaderModifier", "responseHeaderModifier"):
        yield from (filtering(**{name: {"set": [one], "add": [one]}}) for one in edits)
        yield from (filtering(**{name: {"remove": [one]}}) for one in names)
        for count in (16, 64, 65, 1001):
            many = [{"name": f"x-{number}", "value": "v"} for number in range(count)]
            yield filtering(**{name: {"add": many}})
            yield filtering(**{name: {"set": many, "remove": [f"y-{n}" for n in range(count)]}})
    hosts = (LONG_HOST, LONG_HOST + "x" * 9, "a", "1.2.3.4", "*.a.test", "a_b.test", "a:80", "")
    targets = ("/" + "a" * 1023, "/" + "a" * 1024, "/" + SEGMENT, "/%20", "/a b", r"/\1", "")
    for kind, key in (("ReplaceFullPath", "replaceFullPath"), ("ReplacePrefixMatch", "replacePrefixMatch")):  # fmt: skip
        for target in targets:
            yield filtering(urlRewrite={"path": {"type": kind, key: target}})
            yield filtering(requestRedirect={"path": {"type": kind, key: target}})
    yield from (filtering(urlRewrite={"hostname": one}) for one in hosts)
    yield from (filtering(requestRedirect={"hostname": one}) for one in hosts)
    yield from (filtering(requestRedirect={"statusCode": one}) for one in (300, 301, 302, 303, 304, 307, 308, 399, 0))  # fmt: skip
    yield from (filtering(requestRedirect={"port": one}) for one in (1, 80, 443, 65535))
    backend = {"name": "web", "port": 80}
    for part in ({"percent": 0}, {"percent": 100}, {"fraction": {"numerator": 1, "denominator": 2**31 - 1}}, {"fraction": {"numerator": 2**31 - 1, "denominator": 2**31 - 1}}, {"fraction": {"numerator": 2, "denominator": 1}}):  # fmt: skip
        yield filtering(requestMirror={"backendRef": backend, **part})


def document(number: int, rule: Mapping[str, object], *hosts: str) -> str:
    spec = {
        "parentRefs": [{"name": "main"}],
        "hostnames": list(hosts) or [f"h{number}.test"],
        "rules": [rule],
    }
    made = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": f"r{number}", "namespace": "team"},
        "spec": spec,
    }
    return json.dumps(made)


async def test_envoy_accepts_all_that_the_compiler_keeps() -> None:
    every = list(rules())
    texts = [document(number, rule) for number, rule in enumerate(every)]
    hosts = (LONG_HOST, "*." + LONG_HOST[2:], "*.test", "*.a.test", "xn--a.test", "a", "a..test", "*", "*.*.test", "1.2.3.4", "A.test", "a.test.")  # fmt: skip
    texts += [document(len(every) + n, TO_WEB, host) for n, host in enumerate(hosts)]
    async with gates.serving("web") as server, gates.running_gate("g") as gate:
        head = HEAD.replace("PORT", str(gate.http)).replace("SERVER", str(server.port))
        made = await gate.publish(head, *texts)
        assert gate.controller.rejected("g") == frozenset()
        assert gate.controller.counters.nacks == {}
    refused = {str(found.origin.ref.name) for found in made.findings if found.origin}
    assert len(refused) > 50
    served = {host.host for host in made.ir.gates[0].listeners[0].hosts}
    assert {LONG_HOST, "*.test", "h0.test"} <= served
    assert len(served) > len(every) // 2


def own(kind: str, name: str, spec: object) -> str:
    made = {
        "apiVersion": "gatereeve.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop"},
        "spec": spec,
    }
    return json.dumps(made, ensure_ascii=False)


ATTRIBUTES = """\
  attributes:
    region: [{header: {name: x-region, from: [10.0.0.0/8]}}]
    purpose: [{header: {name: x-purpose, from: [10.0.0.0/8]}}]
"""
REGIONS = [f"r{number}" + "x" * 26 for number in range(200)]


def policy() -> str:
    """Rules with as much in them as a document may have."""
    odd = "\u00e9\u4e2d\U0001f600'%*()[]{}|^$<>;"
    subjects = [{"principal": f"corp/{odd}{'p' * 200}{number}"} for number in range(200)]
    subjects += [{"group": f"corp/{odd}{number}"} for number in range(40)]
    whole = {"subjects": subjects, "regions": REGIONS, "purposes": [f"p{n}-" + "x" * 200 for n in range(64)]}  # fmt: skip
    small = {"subjects": [{"group": "corp/staff"}]}
    limits = [{"requests": {"count": count, "seconds": seconds}} for count in (1, 1_000_000) for seconds in (1, 86_400)]  # fmt: skip
    allow = [whole, *({**small, "limits": limit} for limit in limits), *[small] * 100]
    deny = [whole, *({"regions": [region]} for region in REGIONS[:100])]
    return own("AccessPolicy", "offers", {"models": ["offers"], "allow": allow, "deny": deny})


def version(number: int, **more: object) -> str:
    spec = {
        "model": "offers",
        "version": f"{number}" + "v" * 61,
        "author": "mia",
        "artifact": {"digest": docs.DIGEST},
        "region": "de",
        "endpoints": [{"address": f"127.0.0.{number}", "port": 65535}],
    }
    return own("ModelVersion", f"offers-{number}", spec | more)


async def test_envoy_accepts_all_that_models_and_policies_may_say() -> None:
    bounds = [dict.fromkeys(("connections", "pendingRequests", "requests"), n) for n in (1, 100_000)]  # fmt: skip
    health = {"path": "/" + "h" * 1023, "intervalSeconds": 300, "timeoutSeconds": 60, "unhealthyAfter": 10, "healthyAfter": 10}  # fmt: skip
    names = [f"{number}" + "v" * 61 for number in (1, 2)]
    match = [
        {
            "groups": [f"corp/{'g' * 200}{number}" for number in range(64)],
            "regions": [f"r{number}" + "x" * 26 for number in range(64)],
            "headers": {f"x-{number}": "\u00e9\t%" + "h" * 250 for number in range(16)},
            "version": names[0],
        }
    ] * 64
    rollout = {"model": "offers", "match": match, "split": [{"version": name, "weight": 10_000} for name in names], "fallback": names[1]}  # fmt: skip
    async with gates.running_gate("public") as gate:
        texts = docs.base()
        texts["gate"] = texts["gate"].replace("8080", str(gate.http)).replace("8443", str(gate.https))  # fmt: skip
        texts["gate"] += ATTRIBUTES
        texts["gate"] += f"  regionGroups: [{{name: all, regions: {json.dumps(REGIONS)}}}]\n"
        texts["policy"] = policy()
        texts["version1"] = version(1, bounds={**bounds[0], "timeoutSeconds": 1})
        texts["version2"] = version(2, bounds={**bounds[1], "timeoutSeconds": 3600}, health=health)  # fmt: skip
        texts["rollout"] = own("Rollout", "offers", rollout)
        made = await gate.publish(*texts.values())
        assert not [found for found in made.findings if found.severity == 3], made.findings
        assert gate.controller.counters.nacks == {}
