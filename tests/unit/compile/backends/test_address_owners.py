"""Whose an address is: pods that a selector found, a Service's own addresses, and grants."""

from __future__ import annotations

import textwrap
from datetime import datetime, timedelta

import pytest

from gatereeve.api import parse
from gatereeve.compile import compiler
from gatereeve.compile.compiler import Compiled
from gatereeve.sources.store import assemble
from tests.support.clocks import AT
from tests.support.routes import (
    GATE,
    answer,
    at,
    found,
    ingress,
    model,
    rows,
    service,
    tls_secret,
    to,
    to_model,
    to_service,
    version,
)

INFER = "/v2/models/credit/infer"


def grant(ns: str, addresses: str = "[]", name: str = "") -> str:
    return f"""
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {{name: {name or ns}}}
spec:
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {ns}}}}}
  hosts: [{ns}.example, side.{ns}.example]
  backends: {{selector: {{all: true}}}}
  addresses: {addresses}
"""


def cluster(*texts: str, at: datetime = AT) -> Compiled:
    """The compilation of what an API server would show: documents without a file."""
    read = [parse.parse_text(textwrap.dedent(text), "") for text in (GATE, tls_secret(), *texts)]
    world = assemble(read, at=at)
    assert not world.findings, world.findings
    return compiler.compile(world)


def pods(name: str, *addresses: str, ns: str = "a", port: int = 9000, extra: str = "") -> str:
    """A Service with a selector, and the slice that the cluster's controller made for it."""
    text = service(name, *addresses, ns=ns, port=port, extra=f", selector: {{app: {name}}}{extra}")
    text = text.replace(
        f"kubernetes.io/service-name: {name}",
        f"kubernetes.io/service-name: {name}, endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io",
    )
    return text.replace('"]}', f'"], targetRef: {{kind: Pod, namespace: {ns}, name: {name}-x}}}}')


def governed(ns: str, servers: str) -> tuple[str, ...]:
    return (
        model("credit", ns),
        version("credit", "1", servers, ns=ns),
        ingress("model", f"Prefix / {to_model()}", host=f"{ns}.example", ns=ns),
    )


def side(name: str, ns: str = "a") -> str:
    return ingress("side", f"Prefix / {to_service(name)}", host=f"side.{ns}.example", ns=ns)


def endpoints(made: Compiled, name: str) -> set[str]:
    return {
        endpoint.address
        for gate in made.ir.gates
        for one in gate.clusters
        if one.name == name
        for group in one.endpoints.groups
        for endpoint in group.endpoints
    }


def sides(made: Compiled, ns: str = "a") -> str:
    return to(answer(rows(made, f"side.{ns}.example"), "/x"))


BEHIND = "backend: {service: behind, port: http}"


def test_pods_that_a_selector_found_need_no_grant() -> None:
    made = cluster(grant("a"), pods("behind", "10.1.0.1"), *governed("a", BEHIND),
                   pods("web", "10.1.0.9"), side("web"))  # fmt: skip
    assert endpoints(made, "model/a/credit/1") == {"10.1.0.1"}
    assert endpoints(made, "service/a/web/80") == {"10.1.0.9"}


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("no selector", pods("web", "10.1.0.9").replace(", selector: {app: web}", "")),
        ("another controller", pods("web", "10.1.0.9").replace("slice-controller", "slicemirroring-controller")),
        ("no pod", pods("web", "10.1.0.9").replace("kind: Pod", "kind: Node")),
        ("another namespace's pod", pods("web", "10.1.0.9").replace("{kind: Pod, namespace: a", "{kind: Pod, namespace: b")),
        ("no target", service("web", "10.1.0.9", ns="a")),
    ],
)  # fmt: skip
def test_whatever_else_is_by_hand(what: str, text: str) -> None:
    made = cluster(grant("a"), text, side("web"))
    assert found(made, "address-not-granted"), what
    assert sides(made) == "refuse no-backend"
    made = cluster(grant("a", "[{cidr: 10.1.0.0/16}]"), text, side("web"))
    assert sides(made) == "service/a/web/80"


def test_in_a_folder_every_slice_is_by_hand() -> None:
    read = [
        parse.parse_text(textwrap.dedent(text), "a.yaml")
        for text in (GATE, tls_secret(), grant("a"), pods("web", "10.1.0.9"), side("web"))
    ]
    made = compiler.compile(assemble(read, at=AT))
    assert found(made, "address-not-granted")


MODELS_IN_B = (grant("b", "[{cidr: 10.0.0.0/8}]"), pods("behind", "10.2.0.1", ns="b"), *governed("b", BEHIND))  # fmt: skip


@pytest.mark.parametrize("address", ["10.2.0.1", "10.2.0.99"])
@pytest.mark.parametrize("by", ["endpoints", "slice"])
def test_another_namespaces_pods_are_never_named(address: str, by: str) -> None:
    """Its pods, and the addresses of its Services, whatever the platform grants."""
    b = (MODELS_IN_B[0], pods("behind", "10.2.0.1", ns="b", extra=', clusterIP: "10.2.0.99"'), *MODELS_IN_B[2:])  # fmt: skip
    port = 80 if address == "10.2.0.99" else 9000
    narrow = grant("a", f"[{{cidr: {address}/32, ports: [{port}]}}]")
    if by == "endpoints":
        made = cluster(*b, narrow, *governed("a", at(address, port)))
        assert endpoints(made, "model/a/credit/1") == set()
    else:
        made = cluster(*b, narrow, service("web", address, ns="a", port=port), side("web"))
        assert sides(made) == "refuse no-backend"
    assert found(made, "address-taken")
    assert endpoints(made, "model/b/credit/1") == {"10.2.0.1"}


def by_hand(ns: str) -> tuple[str, ...]:
    return governed(ns, at("10.7.0.1"))


@pytest.mark.parametrize(
    ("first", "second", "served"),
    [
        ("[{cidr: 10.0.0.0/8}]", "[{cidr: 10.7.0.1/32}]", "b"),
        ("[{cidr: 10.7.0.1/32}]", "[{cidr: 10.7.0.1/32, ports: [9000]}]", "b"),
        ("[]", "[{cidr: 10.0.0.0/8}]", "b"),
        ("[{cidr: 10.0.0.0/8}]", "[{cidr: 10.0.0.0/8}]", ""),
    ],
)
def test_of_two_the_narrower_grant_has_a_server(first: str, second: str, served: str) -> None:
    made = cluster(grant("a", first), grant("b", second), *by_hand("a"), *by_hand("b"))
    for ns in ("a", "b"):
        assert bool(endpoints(made, f"model/{ns}/credit/1")) is (ns == served)


def test_a_document_without_a_grant_closes_nothing() -> None:
    theirs = (grant("b", "[{cidr: 10.0.0.0/8}]"), *by_hand("b"))
    alone = cluster(*theirs)
    made = cluster(*theirs, grant("a"), *by_hand("a"), service("x", "10.7.0.1", ns="a", port=9000),
                   side("x"))  # fmt: skip
    assert endpoints(made, "model/b/credit/1") == endpoints(alone, "model/b/credit/1") != set()


def test_two_websites_may_share_what_both_are_granted() -> None:
    texts = [grant(ns, "[{cidr: 10.0.0.0/8}]") + "---" + service("web", "10.7.0.1", ns=ns) for ns in ("a", "b")]  # fmt: skip
    made = cluster(*texts, side("web", "a"), side("web", "b"))
    assert (sides(made, "a"), sides(made, "b")) == ("service/a/web/80", "service/b/web/80")


SPECIAL = "10.0.0.0/8", "127.0.0.0/8"


@pytest.mark.parametrize(
    ("cidr", "address", "kind", "reached"),
    [
        ("0.0.0.0/0", "127.0.0.1", "IPv4", False),
        ("127.0.0.0/8", "127.0.0.1", "IPv4", True),
        ("::/0", "::1", "IPv6", False),
        ("::1/128", "::1", "IPv6", True),
        ("::1/128", "::1", "IPv4", False),
        ("10.0.0.0/8", "10.1.0.1", "IPv6", False),
        ("0.0.0.0/0", "169.254.169.254", "IPv4", False),
        ("169.254.169.254/32", "169.254.169.254", "IPv4", False),
        ("::/0", "64:ff9b:1::a9fe:a9fe", "IPv6", False),
        ("::/0", "64:ff9b::a00:1", "IPv6", False),
        ("::/0", "fe80::5efe:a9fe:a9fe", "IPv6", False),
        ("::/0", "2001:db8::5efe:7f00:1", "IPv6", False),
        ("10.0.0.0/8", "::ffff:10.1.0.1", "IPv6", True),
    ],
)
def test_special_addresses_must_be_granted_in_so_many_words(
    cidr: str, address: str, kind: str, *, reached: bool
) -> None:
    text = service("web", address, ns="a").replace("IPv4", kind)
    made = cluster(grant("a", f'[{{cidr: "{cidr}"}}]'), text, side("web"))
    assert bool(endpoints(made, "service/a/web/80")) is reached


def test_the_api_server_must_be_granted_by_its_own_address() -> None:
    api = service("kubernetes", "10.0.0.2", ns="default", port=6443, extra=', clusterIP: "10.96.0.1"')  # fmt: skip
    mine = service("web", "10.0.0.2", ns="a", port=6443)
    for cidr, reached in (("10.0.0.0/8", False), ("10.0.0.2/32", True)):
        made = cluster(api, mine, grant("a", f"[{{cidr: {cidr}}}]"), side("web"))
        assert bool(endpoints(made, "service/a/web/80")) is reached


EXTRA = ', clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1", "fd00::1"], externalIPs: ["192.0.2.1"], loadBalancerIP: "192.0.2.2"'  # fmt: skip
WAYS = {
    "alias of the pods": pods("alias", "10.1.0.1"),
    "another port of the pods": pods("alias", "10.1.0.1", port=9999),
    "by hand": service("alias", "10.1.0.1", ns="a", port=9000),
    "by hand, another port": service("alias", "10.1.0.1", ns="a", port=9999),
    "cluster IP": service("alias", "10.96.0.1", ns="a", port=80),
    "second cluster IP": service("alias", "fd00::1", ns="a", port=80).replace("IPv4", "IPv6"),
    "external IP": service("alias", "192.0.2.1", ns="a", port=80),
    "load balancer": service("alias", "192.0.2.2", ns="a", port=80),
    "node port": service("alias", "192.0.2.77", ns="a", port=30123),
    "mapped": service("alias", "::ffff:10.1.0.1", ns="a", port=9000).replace("IPv4", "IPv6"),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_around_the_policy_in_ones_own_namespace(way: str) -> None:
    behind = pods("behind", "10.1.0.1", extra=EXTRA).replace(
        "targetPort: 9000}", "targetPort: 9000, nodePort: 30123}"
    )
    everything = "[{cidr: 10.0.0.0/8}, {cidr: 192.0.2.0/24}, {cidr: 'fd00::/16'}]"
    made = cluster(grant("a", everything), behind, *governed("a", BEHIND), WAYS[way], side("alias"))
    assert found(made, "hidden-path-to-model"), way
    assert sides(made) == "refuse no-backend"


@pytest.mark.parametrize(
    "broken",
    [
        ("kubernetes.io/service-name: behind", "x: y"),
        ("kubernetes.io/service-name: behind", "kubernetes.io/service-name: bihend"),
        ("ports: [{name: http, port: 9000}]", "ports: []"),
        ("ports: [{name: http, port: 9000}]", "ports: [{name: http}]"),
    ],
)
def test_a_slice_that_lost_something_still_hides_the_model(broken: tuple[str, str]) -> None:
    text = service("behind", "10.1.0.1", ns="a", port=9000)
    assert broken[0] in text
    made = cluster(
        grant("a", "[{cidr: 10.0.0.0/8}]"), text.replace(*broken), *governed("a", BEHIND),
        service("alias", "10.1.0.1", ns="a", port=9000), side("alias"),
    )  # fmt: skip
    assert sides(made) == "refuse no-backend"
    assert found(made, "hidden-path-to-model")


def test_a_release_is_no_grant() -> None:
    """`released` alone opens nothing that is governed."""
    moment = (AT - timedelta(days=1)).isoformat()
    text = grant("a").replace("{selector: {all: true}}", f"{{services: [{{name: behind, released: '{moment}'}}]}}")  # fmt: skip
    made = cluster(text, pods("behind", "10.1.0.1"), *governed("a", BEHIND), side("behind"))
    assert to(answer(rows(made, "side.a.example"), INFER, "POST")) == "model/a/credit/1"
    assert "service/a/behind/80" not in {c.name for g in made.ir.gates for c in g.clusters}
