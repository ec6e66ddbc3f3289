"""A folder accepts no longer lists than the API server would (Gateway API's definitions, v1.6)."""

from __future__ import annotations

import json

import pytest

from gatereeve.api import parse
from gatereeve.api.parsed import Parsed
from gatereeve.compile import compiler
from tests.support.routes import BARE_GATE, EVERYTHING, ingress, to_service
from tests.support.worlds import world_of


def route(**spec: object) -> Parsed:
    head = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    value = {**head, "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}
    return parse.parse_text(json.dumps(value), "route.json")


def parents(*sections: str | None) -> list[dict[str, object]]:
    return [{"name": "main", **({} if s is None else {"sectionName": s})} for s in sections]


MATCHES = [{"path": {"value": f"/{n}"}} for n in range(65)]


@pytest.mark.parametrize(
    ("spec", "accepted"),
    [
        ({"hostnames": [f"h{n}.example" for n in range(16)]}, True),
        ({"hostnames": [f"h{n}.example" for n in range(17)]}, False),
        ({"parentRefs": [{"name": f"p{n}"} for n in range(32)]}, True),
        ({"parentRefs": [{"name": f"p{n}"} for n in range(33)]}, False),
        ({"parentRefs": parents("a", "b")}, True),
        ({"parentRefs": parents("a", "a")}, False),
        ({"parentRefs": parents("a", None)}, False),
        ({"parentRefs": parents(None, None)}, False),
        ({"rules": [{}] * 16}, True),
        ({"rules": [{}] * 17}, False),
        ({"rules": [{"matches": MATCHES[:64]}]}, True),
        ({"rules": [{"matches": MATCHES}]}, False),
        ({"rules": [{"matches": MATCHES[:64]}] * 2}, True),
        ({"rules": [{"matches": MATCHES[:43]}] * 3}, False),
        ({"rules": [{"backendRefs": [{"name": "b"}] * 17}]}, False),
    ],
)
def test_a_route_has_as_much_as_the_api_server_takes(
    spec: dict[str, object], *, accepted: bool
) -> None:
    parsed = route(**spec)
    assert (len(list(parsed.docs)) == 1) is accepted
    assert (len(list(parsed.findings)) > 0) is not accepted


@pytest.mark.parametrize(
    "host",
    ["*", "a.*", "*a.example", "*.*.example", "a..example", "-a.example", "10.1.2.3", f"{'a' * 64}.b",
     ".".join(["a" * 60] * 5)],
)  # fmt: skip
def test_what_is_no_host_is_found_and_not_served(host: str) -> None:
    text = ingress("web", f"Prefix / {to_service('web')}", host=host)
    compiled = compiler.compile(world_of(BARE_GATE, EVERYTHING, text))
    assert {"host-invalid"} <= {str(f.code) for f in compiled.findings}
    assert not [h for g in compiled.ir.gates for listener in g.listeners for h in listener.hosts]
