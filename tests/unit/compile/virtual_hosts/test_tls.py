"""TLS: certificates are vetted, cover their hosts, and governed hosts are served over TLS only."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gatereeve.compile.compiler import Compiled
from gatereeve.ir.gates import Certificate
from tests.support.clocks import AT
from tests.support.routes import (
    BARE_GATE,
    GATE,
    at,
    compiled,
    found,
    http_route,
    ingress,
    key_and_certificate,
    model,
    reference_grant,
    rows,
    service,
    tls_secret,
    to_model,
    to_service,
    version,
    vhost,
)

WEB = service("web", "10.0.0.1")
TLS = ", tls: [{hosts: [shop.example], secretName: shop}]"
INGRESS = ingress("web", f"Prefix / {to_service('web')}", more=TLS)


def certificates(made: Compiled) -> dict[str, Certificate]:
    return {c.name: c for c in made.ir.gates[0].listeners[0].certificates}


def test_a_host_is_shown_its_own_certificate() -> None:
    made = compiled(WEB, INGRESS, tls_secret("shop", "shop"))
    own, default = certificates(made)["shop/shop"], certificates(made)["default/platform/default"]
    assert own.hosts == ("shop.example",)
    assert default.hosts == ()
    assert "PRIVATE KEY" in own.key
    assert own.key not in repr(made.ir)


ENDED = {"end": AT}
BEGINS = {"start": AT + timedelta(hours=1)}
OTHER_KEY = key_and_certificate(("x",))[1]


@pytest.mark.parametrize(
    "broken",
    [
        "",
        tls_secret("shop", "shop", secret_type="Opaque"),
        tls_secret("shop", "shop", end=AT),
        tls_secret("shop", "shop", start=AT + timedelta(hours=1)),
        tls_secret("shop", "shop", key=OTHER_KEY),
        tls_secret("shop", "shop", crt="rubbish"),
        tls_secret("shop", "shop", key="rubbish"),
        tls_secret("shop", "shop", crt=""),
        tls_secret("shop", "shop", kind="1024"),
        tls_secret("shop", "shop", kind="k256"),
        tls_secret("shop", "elsewhere"),
    ],
)
def test_secrets_that_are_no_certificate(broken: str) -> None:
    made = compiled(WEB, INGRESS, broken, gate=BARE_GATE)
    assert found(made, "tls-secret-invalid") == ["Ingress shop/web spec.tls[0].secretName"]
    assert vhost(made, "shop.example") is None
    assert rows(made, protocol="http")


def test_rubbish_around_a_key_does_not_travel() -> None:
    crt, key = key_and_certificate(("shop.example",))
    made = compiled(
        WEB, INGRESS, tls_secret("shop", "shop", crt=f"# note\n{crt}\n# evil", key=f"# x\n{key}")
    )
    own = certificates(made)["shop/shop"]
    assert "#" not in own.chain + own.key
    assert own.chain.startswith("-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        (("shop.example",), "shop.example", True),
        (("SHOP.example",), "shop.example", True),
        (("*.example",), "shop.example", True),
        (("*.example",), "a.shop.example", False),
        (("other.example",), "shop.example", False),
        ((), "shop.example", False),
        (("*.example",), "*.example", True),
    ],
)
def test_names_must_cover_the_host(names: tuple[str, ...], host: str, covered: bool) -> None:
    text = ingress(
        "web",
        f"Prefix / {to_service('web')}",
        host=host,
        more=TLS.replace("shop.example", f'"{host}"'),
    )
    made = compiled(WEB, text, tls_secret("shop", "shop", names))
    assert ("shop/shop" in certificates(made)) is covered
    assert bool(found(made, "tls-host-mismatch")) is not covered


def test_one_certificate_for_many_hosts() -> None:
    made = compiled(
        WEB,
        tls_secret("shop", "shop", ("*.example",)),
        ingress(
            "b",
            f"Prefix / {to_service('web')}",
            host="b.example",
            more=', tls: [{hosts: ["*.example"], secretName: shop}]',
        ),
        ingress(
            "a",
            f"Prefix / {to_service('web')}",
            host="a.example",
            more=", tls: [{secretName: shop}]",
        ),
    )
    assert certificates(made)["shop/shop"].hosts == ("a.example", "b.example")


def test_a_certificate_needs_a_grant_for_its_host() -> None:
    grant = """
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: g}
spec: {namespaceSelector: {all: true}, hosts: [mine.example], backends: {selector: {all: true}}, addresses: [{cidr: 10.0.0.0/8}]}
"""
    made = compiled(WEB, INGRESS, tls_secret("shop", "shop"), grant=grant)
    assert "shop/shop" not in certificates(made)
    assert "Ingress shop/web spec.tls[0].hosts[0]" in found(made, "host-not-granted")


def gateway(ref: str = "[{name: shop}]", host: str = "") -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: main, namespace: platform}}
spec:
  gatewayClassName: gatereeve
  listeners:
    - {{name: https, port: 8443, protocol: HTTPS, {host}tls: {{certificateRefs: {ref}}}, allowedRoutes: {{namespaces: {{from: All}}}}}}
"""


ROUTE = http_route("{backendRefs: [{name: web, port: 80}]}")


def test_the_certificate_of_a_listener() -> None:
    made = compiled(WEB, gateway(), ROUTE, tls_secret("shop", "platform"), gate=BARE_GATE)
    assert certificates(made)["platform/shop"].hosts == ("shop.example",)
    assert rows(made)


@pytest.mark.parametrize(
    ("grant", "served"),
    [
        ("", False),
        (reference_grant("/Secret", ns="shop", from_kind="Gateway", from_ns="platform"), True),
        (reference_grant("/Secret", ns="shop", from_kind="HTTPRoute", from_ns="platform"), False),
        (reference_grant("/Secret", ns="shop", from_kind="Gateway", from_ns="else"), False),
        (reference_grant("/Service", ns="shop", from_kind="Gateway", from_ns="platform"), False),
    ],
)
def test_a_secret_elsewhere_needs_a_grant(grant: str, served: bool) -> None:
    made = compiled(
        WEB, gateway("[{name: shop, namespace: shop}]"), ROUTE, tls_secret("shop", "shop"), grant, gate=BARE_GATE
    )  # fmt: skip
    assert bool(rows(made)) is served
    assert bool(found(made, "secret-not-granted")) is not served
    assert bool(found(made, "tls-unavailable")) is not served


@pytest.mark.parametrize(
    "ref", ["[{name: gone}]", "[{name: shop, kind: ConfigMap}]", "[{name: shop, group: x}]", "[]"]
)
def test_a_listener_without_a_usable_certificate(ref: str) -> None:
    made = compiled(WEB, gateway(ref), ROUTE, tls_secret("shop", "platform"), gate=BARE_GATE)
    assert not rows(made)
    assert found(made, "tls-unavailable") == ["HTTPRoute shop/web spec.rules[0].matches[0]"]


def test_a_broken_default_certificate_is_reported() -> None:
    made = compiled(gate=GATE.replace("name: default}", "name: gone}"))
    assert found(made, "tls-secret-invalid") == ["Gate public spec.tls.defaultCertificate"]


CREDIT = model(ns="shop") + "---" + version("credit", "1", at("10.1.0.1"), ns="shop")
MODEL_INGRESS = ingress("web", f"Prefix / {to_model()}")


@pytest.mark.parametrize("plain", ["redirect", "refuse"])
def test_a_governed_host_is_not_served_over_plain_http(plain: str) -> None:
    made = compiled(
        CREDIT, MODEL_INGRESS, gate=GATE.replace("  tls:", f"  plainHttp: {plain}\n  tls:")
    )
    over_http = vhost(made, "shop.example", "http")
    assert over_http is not None
    assert over_http.tls == plain
    assert rows(made)


def test_an_ordinary_route_on_a_governed_host_needs_tls_too() -> None:
    made = compiled(WEB, CREDIT, MODEL_INGRESS, ingress("z", f"Prefix /web {to_service('web')}"))
    over_http = vhost(made, "shop.example", "http")
    assert over_http is not None
    assert over_http.tls == "redirect"


def test_a_governed_host_without_a_certificate_is_not_served() -> None:
    made = compiled(CREDIT, MODEL_INGRESS, gate=BARE_GATE)
    assert vhost(made, "shop.example") is None
    over_http = vhost(made, "shop.example", "http")
    assert over_http is not None
    assert over_http.tls == "refuse"  # a redirect would lead nowhere
    assert found(made, "tls-unavailable") == ["Ingress shop/web spec.rules[0].http.paths[0]"]


def test_a_gate_without_https_serves_no_model() -> None:
    made = compiled(CREDIT, MODEL_INGRESS, gate=GATE.replace("  https: {port: 8443}\n", ""))
    (listener,) = made.ir.gates[0].listeners
    assert [h.tls for h in listener.hosts] == ["refuse"]
    assert found(made, "tls-unavailable")


MODEL_ROUTE = "{backendRefs: [{group: gatereeve.dev, kind: Model, name: credit}]}"
BOTH = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: main, namespace: platform}
spec:
  gatewayClassName: gatereeve
  listeners:
    - {name: https, port: 8443, protocol: HTTPS, allowedRoutes: {namespaces: {from: All}}}
    - {name: http, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
"""


def test_a_model_attached_to_plain_http_only_is_not_served() -> None:
    parents = "[{name: main, namespace: platform, sectionName: http}]"
    made = compiled(CREDIT, BOTH, http_route(MODEL_ROUTE, parents=parents))
    assert vhost(made, "shop.example") is None
    over_http = vhost(made, "shop.example", "http")
    assert over_http is not None
    assert over_http.tls == "refuse"
    assert found(made, "tls-unavailable")


def test_a_model_attached_to_https_only_is_still_known_to_plain_http() -> None:
    parents = "[{name: main, namespace: platform, sectionName: https}]"
    made = compiled(CREDIT, BOTH, http_route(MODEL_ROUTE, parents=parents))
    over_http = vhost(made, "shop.example", "http")
    assert over_http is not None
    assert over_http.tls == "redirect"


def test_a_plain_listener_of_a_governed_host_serves_nothing() -> None:
    made = compiled(
        CREDIT, WEB, BOTH,
        http_route(MODEL_ROUTE, parents="[{name: main, namespace: platform, sectionName: https}]"),
        http_route("{matches: [{path: {value: /web}}], backendRefs: [{name: web, port: 80}]}", name="z",
                   parents="[{name: main, namespace: platform, sectionName: http}]"),
    )  # fmt: skip
    over_http = vhost(made, "shop.example", "http")
    assert over_http is not None
    assert over_http.tls == "redirect"
    assert found(made, "tls-unavailable") == ["HTTPRoute shop/z spec.rules[0].matches[0]"]


def test_a_refused_route_to_a_model_is_governed_all_the_same() -> None:
    made = compiled(ingress("web", f"Prefix / {to_model('gone')}"))
    over_http = vhost(made, "shop.example", "http")
    assert over_http is not None
    assert over_http.tls == "redirect"
