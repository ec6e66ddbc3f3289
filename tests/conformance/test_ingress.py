"""The 25 scenarios of Ingress conformance, at the reference decision.

What kubernetes-sigs/ingress-controller-conformance demands of an Ingress controller, scenario by
scenario, numbered as in its features; here `decide.reference` answers. What only a proxy shows (the
protocol, headers of the answer, ten pods behind one Service) is left to the suites with a proxy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from gatereeve.compile import compiler
from gatereeve.compile.compiler import Compiled
from gatereeve.core.conditions import IngressBody, ObjectStatus
from gatereeve.decide.decision import Decision
from gatereeve.decide.reference import decide
from gatereeve.decide.request import Request
from gatereeve.statuses import derive
from tests.support.clocks import AT
from tests.support.routes import tls_secret
from tests.support.statuses import GATE_ADDRESS, settled
from tests.support.worlds import world_of

PLATFORM = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec: {region: de, http: {port: 80}, https: {port: 443}, classes: [conformance]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: conformance}
spec: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: test}}, hosts: ["*"], backends: {selector: {all: true}}, addresses: [{cidr: 10.0.0.0/8}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: conformance}
spec: {controller: gatereeve.dev/gate}
"""


def backend(name: str, count: int = 1, slot: int = 0) -> str:
    """A Service whose port 8080 is named http, and its pods."""
    pods = ", ".join(f'{{addresses: ["10.{slot}.0.{n}"]}}' for n in range(1, count + 1))
    return f"""
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: test}}
spec: {{ports: [{{name: http, port: 8080, targetPort: 3000}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: test, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
endpoints: [{pods}]
ports: [{{name: http, port: 3000}}]
"""


def path(kind: str, text: str, service: str, port: str = "number: 8080") -> str:
    return f"{{path: {text}, pathType: {kind}, backend: {{service: {{name: {service}, port: {{{port}}}}}}}}}"


def rule(host: str, *paths: str) -> str:
    return f'{{host: "{host}", http: {{paths: [{", ".join(paths)}]}}}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """One Ingress of the suite, by the annotation that the suite chooses its class with."""

    name: str
    spec: str
    backends: tuple[str, ...]
    annotation: str = "kubernetes.io/ingress.class: conformance"
    more: tuple[str, ...] = field(default=())

    def compiled(self, platform: str = PLATFORM) -> tuple[Compiled, tuple[ObjectStatus, ...]]:
        ingress = f"""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {self.name}, namespace: test, annotations: {{{self.annotation}}}}}
spec: {{{self.spec}}}
"""
        services = [
            backend(name, 10 if self.name == "load-balancing" else 1, slot)
            for slot, name in enumerate(self.backends, start=1)
        ]
        world = world_of(platform, ingress, *services, *self.more)
        assert not world.findings
        made = compiler.compile(world)
        return made, derive(world, made, settled(made))


DEFAULT = Fixture(
    name="default-backend",
    spec="defaultBackend: {service: {name: echo-service, port: {number: 8080}}}",
    backends=("echo-service",),
)
LOAD = Fixture(name="load-balancing", spec=DEFAULT.spec, backends=DEFAULT.backends)
HOSTS = Fixture(
    name="host-rules",
    spec="tls: [{hosts: [foo.bar.com], secretName: conformance-tls}], rules: ["
    + ", ".join(
        [
            rule("*.foo.com", path("Prefix", "/", "wildcard-foo-com")),
            rule("foo.bar.com", path("Prefix", "/", "foo-bar-com", "name: http")),
        ]
    )
    + "]",
    backends=("wildcard-foo-com", "foo-bar-com"),
    more=(tls_secret("conformance-tls", "test", ("foo.bar.com",)),),
)
CLASS = Fixture(
    name="test-ingress-class",
    spec="ingressClassName: some-invalid-class-name, rules: ["
    + rule("ingress-class", path("Prefix", "/", "ingress-class-prefix"))
    + "]",
    backends=("ingress-class-prefix",),
    annotation="",
)
PATHS = Fixture(
    name="path-rules",
    spec="rules: ["
    + ", ".join(
        [
            rule("exact-path-rules", path("Exact", "/foo", "foo-exact")),
            rule(
                "prefix-path-rules",
                path("Prefix", "/foo", "foo-prefix"),
                path("Prefix", "/aaa/bbb", "aaa-slash-bbb-prefix"),
                path("Prefix", "/aaa", "aaa-prefix"),
            ),
            rule(
                "mixed-path-rules",
                path("Prefix", "/foo", "foo-prefix"),
                path("Exact", "/foo", "foo-exact"),
            ),
            rule(
                "trailing-slash-path-rules",
                path("Prefix", "/aaa/bbb/", "aaa-slash-bbb-slash-prefix"),
                path("Exact", "/foo/", "foo-slash-exact"),
            ),
        ]
    )
    + "]",
    backends=(
        "foo-exact", "foo-prefix", "aaa-slash-bbb-prefix", "aaa-prefix",
        "aaa-slash-bbb-slash-prefix", "foo-slash-exact",
    ),
)  # fmt: skip


def ask(made: Compiled, url: str, method: str = "GET") -> Decision:
    scheme, _, rest = url.partition("://")
    host, slash, rest = rest.partition("/")
    request = Request(
        scheme="https" if scheme == "https" else "http",
        host=host,
        method=method,
        path=slash + rest or "/",
        peer="192.0.2.7",
        sni=host if scheme == "https" else None,
    )
    return decide(made.ir.gates[0], request, now=AT)


def expect(fixture: Fixture, url: str, service: str | None, method: str = "GET") -> None:
    """service: whose answer is expected; None: the gate's own 404."""
    made, _ = fixture.compiled()
    decision = ask(made, url, method)
    if service is None:
        assert decision.status == 404, decision
    else:
        assert (decision.status, decision.cluster) == (200, f"service/test/{service}/8080"), (
            decision
        )


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "http://my-host/"),
        ("GET", "http://my-host/sub-path"),
        ("POST", "http://some-host/"),
        ("PUT", "http://203.0.113.1/resource"),  # no host of its own: that of the address
        ("DELETE", "http://some-host/resource"),
        ("PATCH", "http://my-host/resource"),
    ],
)
def test_01_requests_without_rules_go_to_the_default_backend(method: str, url: str) -> None:
    expect(DEFAULT, url, "echo-service", method)


def test_02_tls_traffic_goes_to_the_matching_backend() -> None:
    expect(HOSTS, "https://foo.bar.com/", "foo-bar-com")
    made, _ = HOSTS.compiled()
    (secure,) = [x for x in made.ir.gates[0].listeners if x.protocol == "https"]
    assert [c.hosts for c in secure.certificates] == [("foo.bar.com",)]


def test_03_a_matching_host_over_plain_http_is_not_redirected() -> None:
    expect(HOSTS, "http://foo.bar.com/", "foo-bar-com")


def test_04_a_host_that_does_not_match() -> None:
    expect(HOSTS, "http://subdomain.bar.com/", None)


def test_05_a_wildcard_matches() -> None:
    expect(HOSTS, "http://bar.foo.com/", "wildcard-foo-com")


def test_06_a_wildcard_covers_one_label_only() -> None:
    expect(HOSTS, "http://baz.bar.foo.com/", None)


def test_07_a_wildcard_needs_a_label() -> None:
    expect(HOSTS, "http://foo.com/", None)


def test_08_an_invalid_class_is_left_alone() -> None:
    made, statuses = CLASS.compiled()
    assert not [s for s in statuses if s.ref.kind == "Ingress"]
    assert ask(made, "http://ingress-class/").status == 404


def test_09_ten_pods_answer() -> None:
    made, _ = LOAD.compiled()
    assert ask(made, "http://load-balancing/").cluster == "service/test/echo-service/8080"
    (cluster,) = made.ir.gates[0].clusters
    assert len(cluster.endpoints.groups[0].endpoints) == 10


@pytest.mark.parametrize(
    ("number", "url", "service"),
    [
        (10, "exact-path-rules/foo", "foo-exact"),
        (11, "exact-path-rules/foo/", None),
        (12, "exact-path-rules/FOO", None),
        (13, "exact-path-rules/bar", None),
        (14, "prefix-path-rules/foo", "foo-prefix"),
        (15, "prefix-path-rules/foo/", "foo-prefix"),
        (16, "prefix-path-rules/FOO", None),
        (17, "prefix-path-rules/aaa/bbb", "aaa-slash-bbb-prefix"),
        (18, "prefix-path-rules/aaa/bbb/ccc", "aaa-slash-bbb-prefix"),
        (19, "prefix-path-rules/aaa/ccc", "aaa-prefix"),
        (20, "prefix-path-rules/aaaccc", None),
        (21, "prefix-path-rules/foo/", "foo-prefix"),
        (22, "mixed-path-rules/foo", "foo-exact"),
        (23, "trailing-slash-path-rules/aaa/bbb", "aaa-slash-bbb-slash-prefix"),
        (24, "trailing-slash-path-rules/aaa/bbb/", "aaa-slash-bbb-slash-prefix"),
        (25, "trailing-slash-path-rules/foo", None),
    ],
)
def test_10_to_25_paths(number: int, url: str, service: str | None) -> None:
    assert number in range(10, 26)
    expect(PATHS, f"http://{url}", service)


@pytest.mark.parametrize("fixture", [DEFAULT, LOAD, HOSTS, PATHS], ids=lambda f: f.name)
def test_every_ingress_shows_an_address(fixture: Fixture) -> None:
    _, statuses = fixture.compiled()
    (status,) = [s for s in statuses if s.ref.kind == "Ingress"]
    assert status.body == IngressBody(addresses=(GATE_ADDRESS,))


def test_the_field_works_as_the_annotation_does() -> None:
    by_field = Fixture(
        name=PATHS.name,
        spec=f"ingressClassName: conformance, {PATHS.spec}",
        backends=PATHS.backends,
        annotation="",
    )
    assert by_field.compiled()[0].ir == PATHS.compiled()[0].ir


def test_without_a_grant_none_of_it_is_served() -> None:
    refused = [
        (fixture.name, ask(made, url).status)
        for fixture, url in ((DEFAULT, "http://my-host/"), (PATHS, "http://exact-path-rules/foo"))
        for made, _ in [fixture.compiled(PLATFORM.replace("name: test}", "name: other}"))]
    ]
    assert [status for _, status in refused] == [404, 404]
