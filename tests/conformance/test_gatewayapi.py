"""What Gateway API's GATEWAY-HTTP core asks of traffic, at the reference decision.

Gateways of one class, all with port 80 and most without a hostname, on a Gate that gives each of them
an address. What the suite's own tests ask of conditions stands in tests/unit/statuses/test_statuses.py;
the suite itself runs on a cluster.
"""

from __future__ import annotations

import pytest

from gatereeve.compile import compiler
from gatereeve.compile.compiler import Compiled
from gatereeve.compile.routes.listener_sets import listener_port_name
from gatereeve.decide.decision import Decision
from gatereeve.decide.reference import decide
from gatereeve.decide.request import Request
from gatereeve.statuses import gateway_services
from tests.support.clocks import AT
from tests.support.routes import EVERYTHING, http_route, reference_grant, service, tls_secret
from tests.support.statuses import written
from tests.support.worlds import world_of

GATE = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec: {region: de, http: {port: 8080}, gateways: {namespace: gatereeve}}
"""
V1, V2, V3 = (service(f"v{n}", f"10.0.0.{n}") for n in (1, 2, 3))


def gateway(name: str, *listeners: str) -> str:
    return f"""
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {{name: {name}, namespace: shop}}
    spec: {{gatewayClassName: gatereeve, listeners: [{", ".join(listeners)}]}}
    """


def listener(name: str = "http", host: str = "", port: int = 80) -> str:
    named = f', hostname: "{host}"' if host else ""
    return f"{{name: {name}, port: {port}, protocol: HTTP{named}}}"


def rule(backend: str, path: str = "/", more: str = "") -> str:
    return f"{{matches: [{{path: {{value: {path}}}}}], backendRefs: [{backend}]{more}}}"


def to(name: str, more: str = "") -> str:
    return f"{{name: {name}, port: 80{more}}}"


def running(*texts: str) -> Compiled:
    """As a cluster settles: the Services that are wanted are there."""
    documents = (GATE, EVERYTHING, V1, V2, V3, *texts)
    world = world_of(*documents)
    services = gateway_services.wanted(world, compiler.compile(world))
    return compiler.compile(world_of(*documents, written(services)))


def ask(
    made: Compiled, name: str, host: str, path: str = "/", *, port: int = 80, sni: str | None = None
) -> Decision:
    request = Request(
        scheme="http" if sni is None else "https",
        listener=listener_port_name("public", ("shop", name), port),
        host=host,
        path=path,
        peer="192.0.2.7",
        sni=sni,
    )
    return decide(made.ir.gates[0], request, now=AT)


def service_of(decision: Decision) -> str:
    """`v1`, or the status."""
    return decision.cluster.split("/")[2] if decision.cluster else str(decision.status)


def test_each_parent_shows_its_own_routes() -> None:
    made = running(
        gateway("a", listener()),
        gateway("b", listener()),
        http_route(rule(to("v1"), "/shared"), name="shared", hosts="[]", parents="[{name: a}, {name: b}]"),
        http_route(rule(to("v2")), name="of-a", hosts="[]", parents="[{name: a}]"),
        http_route(rule(to("v3")), name="of-b", hosts="[]", parents="[{name: b}]"),
    )  # fmt: skip
    assert not [f for f in made.findings if f.code == "route-conflict"]
    asked = [
        service_of(ask(made, name, "any.example", path))
        for name in "ab"
        for path in ("/shared", "/")
    ]
    assert asked == ["v1", "v2", "v1", "v3"]


def test_ports_of_one_gateway_are_told_apart() -> None:
    made = running(
        gateway("a", listener("one"), listener("two", port=8080)),
        http_route(rule(to("v1")), name="r1", hosts="[]", parents="[{name: a, sectionName: one}]"),
        http_route(rule(to("v2")), name="r2", hosts="[]", parents="[{name: a, port: 8080}]"),
    )
    assert service_of(ask(made, "a", "any.example")) == "v1"
    assert service_of(ask(made, "a", "any.example", port=8080)) == "v2"


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("bar.com", "v1"), ("foo.bar.com", "v2"), ("baz.bar.com", "v3"), ("deep.er.bar.com", "v3"),
        ("deep.er.foo.com", "v3"), ("foo.com", "404"), ("no.such.host", "404"), ("bar.com:8080", "v1"),
    ],
)  # fmt: skip
def test_the_most_specific_listener_answers(host: str, answer: str) -> None:
    made = running(
        gateway("a", listener("l1", "bar.com"), listener("l2", "foo.bar.com"),
                listener("l3", "*.bar.com"), listener("l4", "*.foo.com")),
        http_route(rule(to("v1")), name="r1", hosts="[]", parents="[{name: a, sectionName: l1}]"),
        http_route(rule(to("v2")), name="r2", hosts="[]", parents="[{name: a, sectionName: l2}]"),
        http_route(rule(to("v3")), name="r3", hosts="[]",
                   parents="[{name: a, sectionName: l3}, {name: a, sectionName: l4}]"),
    )  # fmt: skip
    assert service_of(ask(made, "a", host)) == answer


@pytest.mark.parametrize(
    ("host", "path", "answer"),
    [
        ("very.specific.com", "/exact", "v1"), ("other.specific.com", "/exact", "404"),
        ("foo.wildcard.io", "/wild", "v2"), ("foo.bar.wildcard.io", "/wild", "v2"),
        ("wildcard.io", "/wild", "404"), ("very.specific.com", "/wild", "404"),
        ("elsewhere.com", "/exact", "404"),
    ],
)  # fmt: skip
def test_only_the_hosts_that_listener_and_route_share(host: str, path: str, answer: str) -> None:
    made = running(
        gateway("a", listener("l1", "very.specific.com"), listener("l2", "*.wildcard.io")),
        http_route(rule(to("v1"), "/exact"), name="r1", parents="[{name: a}]",
                   hosts='[elsewhere.com, "*.specific.com"]'),
        http_route(rule(to("v2"), "/wild"), name="r2", parents="[{name: a}]",
                   hosts="[wildcard.io, foo.wildcard.io, foo.bar.wildcard.io]"),
    )  # fmt: skip
    assert service_of(ask(made, "a", host, path)) == answer


def test_a_listener_keeps_what_belongs_to_a_closer_one() -> None:
    """Listener isolation: routes name every host, and are met only where no listener is closer."""
    hosts = '[bar.com, "*.example.com", "*.foo.example.com", abc.foo.example.com]'
    names = {
        "all": "",
        "wide": "*.example.com",
        "narrow": "*.foo.example.com",
        "one": "abc.foo.example.com",
    }
    made = running(
        gateway("a", *(listener(name, host) for name, host in names.items())),
        *(
            http_route(rule(to("v1"), f"/{name}"), name=name, hosts=hosts, parents=f"[{{name: a, sectionName: {name}}}]")
            for name in names
        ),
    )  # fmt: skip
    asked = {
        "bar.com": "all",
        "bar.example.com": "wide",
        "bar.foo.example.com": "narrow",
        "abc.foo.example.com": "one",
    }
    for host, own in asked.items():
        met = [name for name in names if service_of(ask(made, "a", host, f"/{name}")) == "v1"]
        assert met == [own], host


def test_rules_without_a_valid_backend_answer_500_and_their_neighbours_serve() -> None:
    there = service("there", "10.0.1.1", ns="other")
    made = running(
        there,
        reference_grant("/Service", ns="other"),
        gateway("a", listener()),
        http_route(
            rule("{group: x.example, kind: Nothing, name: v1, port: 80}", "/kind"),
            rule(to("gone"), "/gone"),
            rule(to("secret", ", namespace: private"), "/forbidden"),
            rule(to("there", ", namespace: other"), "/granted"),
            "{matches: [{path: {value: /omitted}}]}",
            "{matches: [{path: {value: /empty}}], backendRefs: []}",
            rule(to("v1")),
            hosts="[]",
            parents="[{name: a}]",
        ),
    )
    paths = ("/kind", "/gone", "/forbidden", "/granted", "/omitted", "/empty", "/else")
    answers = [service_of(ask(made, "a", "any.example", path)) for path in paths]
    assert answers == ["500", "500", "500", "there", "500", "500", "v1"]


def test_weights() -> None:
    made = running(
        gateway("a", listener()),
        http_route(rule(", ".join([to("v1", ", weight: 70"), to("v2", ", weight: 30"), to("v3", ", weight: 0")])),
                   hosts="[]", parents="[{name: a}]"),
    )  # fmt: skip
    possible = ask(made, "a", "any.example").possible
    assert [name.split("/")[2] for name in possible] == ["v1", "v2"]


def test_redirects_name_the_gateways_port_not_the_gates() -> None:
    away = ", filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org}}]"
    made = running(
        gateway("a", listener("one"), listener("two", port=8080)),
        http_route(
            f"{{matches: [{{path: {{value: /}}}}]{away}}}", hosts="[]", parents="[{name: a}]"
        ),
    )
    assert ask(made, "a", "any.example", "/x").location == "http://example.org/x"
    assert ask(made, "a", "any.example", "/x", port=8080).location == "http://example.org:8080/x"


def test_https_listeners() -> None:
    secure = (
        "{{name: {0}, port: 443, protocol: HTTPS{1}, tls: {{certificateRefs: [{{name: cert}}]}}}}"
    )
    made = running(
        tls_secret("cert", "shop", ("*.example",)),
        gateway(
            "a", secure.format("all", ""), secure.format("named", ", hostname: second.example")
        ),
        http_route(rule(to("v1")), name="r1", hosts="[first.example]", parents="[{name: a}]"),
        http_route(
            rule(to("v2")), name="r2", hosts="[]", parents="[{name: a, sectionName: named}]"
        ),
    )
    answers = [
        service_of(ask(made, "a", host, port=443, sni=host))
        for host in ("first.example", "second.example", "unknown.example")
    ]
    assert answers == ["v1", "v2", "404"]
    (opened,) = [x for x in made.ir.gates[0].listeners if x.protocol == "https"]
    assert (opened.shown_port, bool(opened.certificates)) == (443, True)


def test_what_one_listener_shows_stays_when_another_comes_and_goes() -> None:
    route = http_route(rule(to("v1")), hosts="[]", parents="[{name: a}]")
    before = running(gateway("a", listener()), route)
    after = running(gateway("a", listener(), listener("more", "data.example")), route)
    first, second = (
        next(x for x in made.ir.gates[0].listeners if x.shown_port == 80)
        for made in (before, after)
    )
    assert first.port == second.port
    assert set(first.hosts) <= set(second.hosts)
