"""Ingress: path types, hosts, default backend, classes, foreign annotations. The scenarios of
ingress-controller-conformance are here by their numbers, as far as a compiler decides them."""

from __future__ import annotations

import pytest

from tests.support.routes import (
    BARE_GATE,
    GATE,
    answer,
    compiled,
    found,
    ingress,
    rows,
    service,
    to,
    to_service,
    vhost,
)

PATHS = ingress(
    "paths",
    f"Prefix /foo {to_service('foo')}",
    f"Prefix /aaa/bbb {to_service('aaa-bbb')}",
    f"Prefix /aaa {to_service('aaa')}",
    f"Exact /exact {to_service('exact')}",
    f"Prefix /mixed {to_service('mixed-prefix')}",
    f"Exact /mixed {to_service('mixed-exact')}",
    f"Prefix /slash/end/ {to_service('slash')}",
    f"Exact /exact-slash/ {to_service('exact-slash')}",
)
NAMES = ("foo", "aaa-bbb", "aaa", "exact", "mixed-prefix", "mixed-exact", "slash", "exact-slash")
SERVICES = [service(n, f"10.0.0.{i + 1}") for i, n in enumerate(NAMES)]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/exact", "exact"),  # 10
        ("/exact/", None),  # 11
        ("/EXACT", None),  # 12
        ("/bar", None),  # 13
        ("/foo", "foo"),  # 14
        ("/foo/", "foo"),  # 15
        ("/FOO", None),  # 16
        ("/aaa/bbb", "aaa-bbb"),  # 17
        ("/aaa/bbb/ccc", "aaa-bbb"),  # 18
        ("/aaa/ccc", "aaa"),  # 19
        ("/aaaccc", None),  # 20
        ("/mixed", "mixed-exact"),  # 22
        ("/mixed/x", "mixed-prefix"),
        ("/slash/end", "slash"),  # 23
        ("/slash/end/", "slash"),  # 24
        ("/exact-slash", None),  # 25
        ("/exact-slash/", "exact-slash"),
    ],
)
def test_path_types(path: str, name: str | None) -> None:
    made = compiled(*SERVICES, PATHS)
    assert to(answer(rows(made), path)) == (f"service/shop/{name}/80" if name else "404")


def test_a_host_that_is_not_named_is_not_served() -> None:  # 4
    made = compiled(service("web", "10.0.0.1"), ingress("web", f"Prefix / {to_service('web')}"))
    assert vhost(made, "other.example") is None


def test_a_wildcard_is_one_label() -> None:  # 5, 6, 7
    made = compiled(
        service("web", "10.0.0.1"),
        ingress("web", f"Prefix / {to_service('web')}", host="*.foo.example"),
    )
    served = vhost(made, "*.foo.example")
    assert served is not None
    assert served.single_label


def test_a_rule_without_a_host_is_for_every_host() -> None:
    made = compiled(
        service("web", "10.0.0.1"), ingress("web", f"Prefix / {to_service('web')}", host=None)
    )
    assert to(answer(rows(made, "*"), "/any")) == "service/shop/web/80"


def test_ordinary_hosts_are_served_over_plain_http_too() -> None:  # 3
    made = compiled(service("web", "10.0.0.1"), ingress("web", f"Prefix / {to_service('web')}"))
    plain = vhost(made, "shop.example", "http")
    assert plain is not None
    assert plain.tls == "any"
    assert to(answer(plain.routes, "/")) == "service/shop/web/80"


def test_without_a_certificate_an_ordinary_host_is_on_plain_http_only() -> None:
    made = compiled(
        service("web", "10.0.0.1"), ingress("web", f"Prefix / {to_service('web')}"), gate=BARE_GATE
    )
    assert vhost(made, "shop.example") is None
    assert vhost(made, "shop.example", "http") is not None
    assert not found(made, "tls-unavailable")


def test_the_default_backend_takes_every_host() -> None:  # 1
    made = compiled(
        service("echo", "10.0.0.1"),
        ingress("all", more=f", defaultBackend: {{{to_service('echo')}}}"),
    )
    assert to(answer(rows(made, "*"), "/sub-path", "POST")) == "service/shop/echo/80"


def test_the_default_backend_takes_what_its_own_rules_leave() -> None:
    made = compiled(
        service("echo", "10.0.0.1"),
        service("web", "10.0.0.2"),
        ingress(
            "all",
            f"Prefix /web {to_service('web')}",
            more=f", defaultBackend: {{{to_service('echo')}}}",
        ),
    )
    assert to(answer(rows(made), "/web")) == "service/shop/web/80"
    assert to(answer(rows(made), "/else")) == "service/shop/echo/80"


def test_ports_by_name_and_number() -> None:
    made = compiled(
        service("web", "10.0.0.1"),
        ingress(
            "web",
            f"Prefix /name {to_service('web', 'name: http')}",
            f"Prefix /number {to_service('web')}",
            f"Prefix /wrong {to_service('web', 'number: 81')}",
        ),
    )
    assert to(answer(rows(made), "/name")) == to(answer(rows(made), "/number"))
    assert to(answer(rows(made), "/wrong")) == "refuse no-backend"
    assert found(made, "backend-port-unknown") == [
        "Ingress shop/web spec.rules[0].http.paths[2].backend"
    ]


def with_class(text: str, *, name: str | None, annotation: str | None) -> str:
    text = text.replace(
        "ingressClassName: gatereeve, ", "" if name is None else f"ingressClassName: {name}, "
    )
    if annotation is None:
        return text
    return text.replace(
        "namespace: shop",
        f'namespace: shop, annotations: {{kubernetes.io/ingress.class: "{annotation}"}}',
    )


@pytest.mark.parametrize(
    ("name", "annotation", "served", "code"),
    [
        ("gatereeve", None, True, None),
        (None, "gatereeve", True, None),
        ("gatereeve", "gatereeve", True, None),
        ("gatereeve", "nginx", False, "class-ambiguous"),
        ("nginx", "gatereeve", False, "class-ambiguous"),
        ("nginx", None, False, "class-unknown"),  # 8
        ("nginx", "traefik", False, "class-unknown"),
        (None, None, False, "class-unknown"),
    ],
)
def test_classes(name: str | None, annotation: str | None, served: bool, code: str | None) -> None:
    text = ingress("web", f"Prefix / {to_service('web')}")
    made = compiled(service("web", "10.0.0.1"), with_class(text, name=name, annotation=annotation))
    assert bool(rows(made)) is served
    assert code is None or found(made, code)


INGRESS_CLASS = """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: internal, annotations: {%s}}
spec: {controller: gatereeve.dev/gate}
"""


def test_a_class_of_our_controller_belongs_to_the_only_gate() -> None:
    text = with_class(
        ingress("web", f"Prefix / {to_service('web')}"), name="internal", annotation=None
    )
    assert rows(compiled(service("web", "10.0.0.1"), INGRESS_CLASS % "", text))


def test_the_default_class_takes_ingresses_without_one() -> None:
    text = with_class(ingress("web", f"Prefix / {to_service('web')}"), name=None, annotation=None)
    default = INGRESS_CLASS % 'ingressclass.kubernetes.io/is-default-class: "true"'
    assert rows(compiled(service("web", "10.0.0.1"), default, text))


def test_with_several_gates_a_class_must_say_whose_it_is() -> None:
    other = (
        GATE.replace("name: public", "name: inner").replace("8443", "9443").replace("8080", "9080")
    )
    other = other.replace("  region: de\n", "  region: de\n  classes: [inner]\n")
    made = compiled(
        other,
        INGRESS_CLASS % "",
        INGRESS_CLASS.replace("internal", "named") % '"gatereeve.dev/gate": inner',
    )
    assert found(made, "class-unknown") == ["IngressClass internal"]


def test_one_class_has_one_gate() -> None:
    other = GATE.replace("name: public", "name: zz").replace("8443", "9443").replace("8080", "9080")
    assert found(compiled(other), "gate-conflict") == ["Gate zz spec.classes[0]"]


def test_two_gates_of_a_folder_cannot_have_one_port() -> None:
    other = (
        GATE.replace("name: public", "name: zz")
        .replace("  region: de\n", "  region: de\n  classes: [zz]\n")
        .replace("8443", "9443")
    )
    made = compiled(other)
    assert found(made, "gate-conflict") == ["Gate zz spec.http"]
    assert [[x.name for x in g.listeners] for g in made.ir.gates] == [["https", "http"], ["https"]]


@pytest.mark.parametrize(
    ("annotation", "value", "code"),
    [
        ("nginx.ingress.kubernetes.io/auth-url", "https://x/", "annotation-refused"),
        ("nginx.ingress.kubernetes.io/whitelist-source-range", "10.0.0.0/8", "annotation-refused"),
        ("nginx.ingress.kubernetes.io/configuration-snippet", "deny all;", "annotation-refused"),
        ("nginx.ingress.kubernetes.io/rewrite-target", "/$1", "annotation-refused"),
        ("nginx.ingress.kubernetes.io/ssl-redirect", "true", "annotation-refused"),
        ("nginx.ingress.kubernetes.io/ssl-redirect", "false", "annotation-ignored"),
        ("nginx.ingress.kubernetes.io/something-new", "1", "annotation-refused"),
        ("nginx.ingress.kubernetes.io/proxy-body-size", "8m", "annotation-refused"),
        ("nginx.ingress.kubernetes.io/proxy-body-size", "0", "annotation-ignored"),
        ("nginx.org/client-max-body-size", "1m", "annotation-refused"),
        ("nginx.ingress.kubernetes.io/proxy-read-timeout", "60", "annotation-ignored"),
        ("nginx.ingress.kubernetes.io/proxy-read-timeout", "8\\r\\nx", "annotation-refused"),
        ("nginx.ingress.kubernetes.io/backend-protocol", "HTTPS", "annotation-refused"),
        ("nginx.ingress.kubernetes.io/backend-protocol", "HTTP", "annotation-ignored"),
        ("traefik.ingress.kubernetes.io/router.middlewares", "auth@file", "annotation-refused"),
        ("konghq.com/plugins", "key-auth", "annotation-refused"),
        ("alb.ingress.kubernetes.io/inbound-cidrs", "10.0.0.0/8", "annotation-refused"),
        ("cert-manager.io/cluster-issuer", "letsencrypt", None),
        ("example.com/team", "a", None),
    ],
)
def test_annotations_of_other_controllers(annotation: str, value: str, code: str | None) -> None:
    made = compiled(
        service("web", "10.0.0.1"),
        ingress(
            "web",
            f"Prefix / {to_service('web')}",
            meta=f', annotations: {{{annotation}: "{value}"}}',
        ),
    )
    assert bool(rows(made)) is (code != "annotation-refused")
    codes = {str(f.code) for f in made.findings if str(f.code).startswith("annotation")}
    assert codes == ({code} if code else set())


@pytest.mark.parametrize(
    "path",
    ["/a//b", "/a/../b", "/a/./b", "/a/..", "/a%2Fb", "/a%2fb", "/a%2e", "/a;x", "/a\\b", "/a#b", "/a?b",
     "/a b", "/%zz", "/%41", "/a%00", "a", "/\u00e9", "/a%25", "//"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["Exact", "Prefix", "ImplementationSpecific"])
def test_paths_without_a_canonical_form_are_refused(path: str, kind: str) -> None:
    text = ingress("web", f"{kind} /PATH {to_service('web')}").replace(
        "'/PATH'", '"' + path.replace("\\", "\\\\") + '"'
    )
    made = compiled(service("web", "10.0.0.1"), text)
    assert not rows(made)
    assert found(made, "path-refused")


@pytest.mark.parametrize("path", ["/foo(/|$)(.*)", "/*", "/foo.*$"])
def test_patterns_of_other_controllers_are_refused(path: str) -> None:
    made = compiled(
        service("web", "10.0.0.1"),
        ingress("web", f"ImplementationSpecific {path} {to_service('web')}"),
    )
    assert not rows(made)
    assert found(made, "path-refused")


@pytest.mark.parametrize(
    "host",
    [
        "Shop.example",
        "shop.example:80",
        "shop_1.example",
        "a..b",
        "10.0.0.1",
        "*",
        "foo.*.example",
        "*.*.example",
        "-a.example",
        "shop.example.",
    ],
)
def test_hosts_that_are_no_names(host: str) -> None:
    made = compiled(
        service("web", "10.0.0.1"), ingress("web", f"Prefix / {to_service('web')}", host=host)
    )
    assert found(made, "host-invalid") == ["Ingress shop/web spec.rules[0].host"]
    assert not any(listener.hosts for g in made.ir.gates for listener in g.listeners)


@pytest.mark.parametrize(
    ("backend", "code"),
    [
        ("service: {name: gone, port: {number: 80}}", "backend-not-found"),
        ("service: {name: web}", "backend-port-unknown"),
        ("resource: {apiGroup: x.example, kind: Bucket, name: b}", "backend-kind-unknown"),
        ("resource: {kind: Model, name: b}", "backend-kind-unknown"),
        ("resource: {apiGroup: gatereeve.dev, kind: Model, name: gone}", "model-not-found"),
    ],
)
def test_backends_that_cannot_be_served_answer_500(backend: str, code: str) -> None:
    made = compiled(service("web", "10.0.0.1"), ingress("web", f"Prefix / {backend}"))
    assert to(answer(rows(made), "/")) == "refuse no-backend"
    assert found(made, code)
