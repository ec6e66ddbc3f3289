"""P1: a route that names a Service behind a model is governed like one that names the model."""

from __future__ import annotations

import pytest

from gatereeve.compile import compiler
from gatereeve.ir.routes import Forward, Route
from tests.support.routes import (
    EVERYTHING,
    GATE,
    GATEWAY,
    answer,
    at,
    compiled,
    found,
    http_route,
    ingress,
    model,
    reference_grant,
    rows,
    service,
    tls_secret,
    to,
    to_model,
    to_service,
    version,
    vhost,
)
from tests.support.worlds import world_of

CREDIT = "---".join(
    [
        model(ns="shop"),
        version("credit", "1", "backend: {service: credit-1, port: http}", ns="shop"),
        service("credit-1", "10.1.0.1"),
    ]
)
INFER = "/v2/models/credit/infer"


def ungoverned(routes: tuple[Route, ...]) -> list[str]:
    return [to(r) for r in routes if isinstance(r.action, Forward) and r.governance is None]


def test_a_service_behind_a_version_is_the_model() -> None:
    made = compiled(CREDIT, ingress("web", f"Prefix / {to_service('credit-1')}"))
    assert to(answer(rows(made), INFER)) == "model/shop/credit/1"
    assert not ungoverned(rows(made))
    assert found(made, "service-behind-model") == [
        "Ingress shop/web spec.rules[0].http.paths[0].backend"
    ]


def test_whatever_port_of_it_is_named() -> None:
    made = compiled(CREDIT, ingress("web", f"Prefix / {to_service('credit-1', 'number: 9999')}"))
    assert not ungoverned(rows(made))
    assert to(answer(rows(made), INFER)) == "model/shop/credit/1"


def test_it_is_pinned_to_the_versions_it_stands_behind() -> None:
    made = compiled(
        CREDIT,
        version("credit", "2", "backend: {service: credit-2, port: http}", ns="shop"),
        service("credit-2", "10.1.0.2"),
        ingress("web", f"Prefix / {to_service('credit-2')}"),
        ingress("model", f"Prefix / {to_model()}", host="model.example"),
    )
    assert to(answer(rows(made), INFER)) == "model/shop/credit/2"
    assert (
        to(answer(rows(made), "/v2/models/credit/versions/1/infer")) == "refuse no-eligible-version"
    )


def test_a_service_behind_several_versions_serves_them_by_the_rollout() -> None:
    made = compiled(
        CREDIT,
        *(
            version("credit", number, "backend: {service: pool, port: http}", ns="shop")
            for number in ("2", "3")
        ),
        service("pool", "10.1.0.2"),
        """
        apiVersion: gatereeve.dev/v1alpha1
        kind: Rollout
        metadata: {name: credit, namespace: shop}
        spec:
          model: credit
          split: [{version: "1", weight: 10}, {version: "2", weight: 20}, {version: "3", weight: 30}]
          fallback: "1"
        """,
        ingress("web", f"Prefix / {to_service('pool')}"),
    )
    assert to(answer(rows(made), INFER)) == "model/shop/credit/2 20, model/shop/credit/3 30"
    assert found(made, "service-behind-model")


def test_services_of_one_model_in_one_rule_are_one_model() -> None:
    made = compiled(
        CREDIT,
        GATEWAY,
        version("credit", "2", "backend: {service: credit-2, port: http}", ns="shop"),
        service("credit-2", "10.1.0.2"),
        http_route(
            "{backendRefs: [{name: credit-1, port: 80, weight: 90}, {name: credit-2, port: 80, weight: 10}]}"
        ),
    )
    assert not ungoverned(rows(made))
    assert found(made, "weights-ignored")


def test_a_service_behind_two_models_is_refused() -> None:
    made = compiled(
        CREDIT,
        model("risk", "shop"),
        version("risk", "1", "backend: {service: credit-1, port: http}", ns="shop"),
        ingress("web", f"Prefix / {to_service('credit-1')}"),
    )
    assert [to(r) for r in rows(made)] == ["refuse no-backend"]
    assert found(made, "service-behind-models")


def test_a_service_behind_a_version_of_no_model_is_refused() -> None:
    made = compiled(
        version("gone", "1", "backend: {service: credit-1, port: http}", ns="shop"),
        service("credit-1", "10.1.0.1"),
        ingress("web", f"Prefix / {to_service('credit-1')}"),
    )
    assert [to(r) for r in rows(made)] == ["refuse no-backend"]


@pytest.mark.parametrize(
    "disguise",
    [
        service("other", "10.1.0.1"),  # another Service over the same pods
        service("other", "10.1.0.1", "10.9.9.9"),  # one of several
        service("other", "::ffff:10.1.0.1").replace("IPv4", "IPv6"),
        service("other", "10.1.0.1").replace(
            '["10.1.0.1"]}', '["10.1.0.1"], conditions: {ready: false}}'
        ),
        service("other", "10.96.0.10", port=80),  # the virtual address of the Service
    ],
)
def test_a_hidden_path_to_a_model_is_refused(disguise: str) -> None:
    credit = CREDIT.replace(
        "metadata: {name: credit-1, namespace: shop}\nspec: {",
        'metadata: {name: credit-1, namespace: shop}\nspec: {clusterIP: "10.96.0.10", ',
    )
    made = compiled(credit, disguise, ingress("web", f"Prefix / {to_service('other')}"))
    assert [to(r) for r in rows(made)] == ["refuse no-backend"]
    assert found(made, "hidden-path-to-model") == [
        "Ingress shop/web spec.rules[0].http.paths[0].backend"
    ]


def test_another_port_that_the_models_service_names_is_the_model_too() -> None:
    grpc = service("credit-1", "10.1.0.1").replace(
        "ports: [{name: http, port: 8080}]",
        "ports: [{name: http, port: 8080}, {name: grpc, port: 9000}]",
    )
    made = compiled(
        CREDIT.replace(service("credit-1", "10.1.0.1"), grpc),
        service("other", "10.1.0.1", port=9000),
        ingress("web", f"Prefix / {to_service('other')}"),
    )
    assert found(made, "hidden-path-to-model")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_one_machine(address: str) -> None:
    made = compiled(
        model(ns="shop"),
        version("credit", "1", at("127.0.0.1", 9001), ns="shop"),
        service("other", address, port=9001),
        service("fine", address, port=9002),
        ingress("web", f"Prefix / {to_service('other')}", f"Prefix /fine {to_service('fine')}"),
    )
    assert to(answer(rows(made), "/")) == "refuse no-backend"
    assert to(answer(rows(made), "/fine")) == "service/shop/fine/80"


def test_a_version_in_another_namespace_hides_no_better() -> None:
    made = compiled(
        model(), version("credit", "1", at("10.1.0.1", 8080)),
        service("other", "10.1.0.1"), ingress("web", f"Prefix / {to_service('other')}"),
    )  # fmt: skip
    assert [to(r) for r in rows(made)] == ["refuse no-backend"]
    assert found(made, "address-taken")


def test_a_mirror_to_a_model_breaks_the_rule() -> None:
    made = compiled(
        CREDIT,
        GATEWAY,
        service("web", "10.0.0.1"),
        http_route(
            "{backendRefs: [{name: web, port: 80}], filters: [{type: RequestMirror, requestMirror: {backendRef: {name: credit-1, port: 80}}}]}"
        ),
    )
    assert [to(r) for r in rows(made)] == ["refuse no-backend"]
    assert found(made, "filter-unsupported")


def test_models_and_services_do_not_mix() -> None:
    made = compiled(
        CREDIT,
        GATEWAY,
        service("web", "10.0.0.1"),
        http_route(
            "{backendRefs: [{name: web, port: 80, weight: 99}, {group: gatereeve.dev, kind: Model, name: credit}]}"
        ),
    )
    assert [to(r) for r in rows(made)] == ["refuse no-backend"]
    assert found(made, "backend-mix") == ["HTTPRoute shop/web spec.rules[0]"]


def test_a_hidden_path_is_not_diluted_by_weights() -> None:
    made = compiled(
        CREDIT,
        GATEWAY,
        service("web", "10.0.0.1"),
        service("other", "10.1.0.1"),
        http_route("{backendRefs: [{name: web, port: 80}, {name: other, port: 80}]}"),
    )
    assert [to(r) for r in rows(made)] == ["refuse no-backend"]


def test_a_catalogue_of_openai_models() -> None:
    made = compiled(
        model("small", "shop", "openai"), version("small", "1", at("10.1.0.1"), ns="shop"),
        model("large", "shop", "openai"), version("large", "1", at("10.1.0.2"), ns="shop"),
        GATEWAY,
        http_route("{backendRefs: [{group: gatereeve.dev, kind: Model, name: small}, {group: gatereeve.dev, kind: Model, name: large}]}"),
    )  # fmt: skip
    chat = "/v1/chat/completions"
    assert to(answer(rows(made), chat, "POST", body_model="small")) == "model/shop/small/1"
    assert to(answer(rows(made), chat, "POST", body_model="large")) == "model/shop/large/1"
    assert to(answer(rows(made), chat, "POST", body_model="none")) == "refuse unknown-model"
    served = vhost(made, "shop.example")
    assert served is not None
    assert served.inspects_body


def test_models_that_the_request_cannot_tell_apart_do_not_share_a_rule() -> None:
    made = compiled(
        CREDIT,
        model("risk", "shop"),
        version("risk", "1", at("10.1.0.2"), ns="shop"),
        GATEWAY,
        http_route(
            "{backendRefs: [{group: gatereeve.dev, kind: Model, name: credit}, {group: gatereeve.dev, kind: Model, name: risk}]}"
        ),
    )
    assert found(made, "backend-mix")
    assert [to(r) for r in rows(made)] == ["refuse no-backend"]


@pytest.mark.parametrize(
    ("kind", "granted"),
    [("gatereeve.dev/Model", True), ("/Service", False), (None, False)],
)
def test_a_model_in_another_namespace_needs_a_grant(kind: str | None, granted: bool) -> None:
    made = compiled(
        model(), version("credit", "1", at("10.1.0.1")), GATEWAY,
        "" if kind is None else reference_grant(kind, ns="lending"),
        http_route("{backendRefs: [{group: gatereeve.dev, kind: Model, name: credit, namespace: lending}]}"),
    )  # fmt: skip
    assert bool(found(made, "backend-not-granted")) is not granted
    assert to(answer(rows(made), INFER)) == (
        "model/lending/credit/1" if granted else "refuse no-backend"
    )


def test_a_service_in_another_namespace_needs_a_grant() -> None:
    route = http_route("{backendRefs: [{name: web, namespace: back, port: 80}]}")
    web = service("web", "10.0.0.1", ns="back")
    refused = compiled(web, GATEWAY, route)
    assert to(answer(rows(refused), "/")) == "refuse no-backend"
    assert found(refused, "backend-not-granted")
    foreign = compiled(web, GATEWAY, route, reference_grant("/Service", ns="back", from_ns="else"))
    assert to(answer(rows(foreign), "/")) == "refuse no-backend"
    granted = compiled(web, GATEWAY, route, reference_grant("/Service", ns="back"))
    assert to(answer(rows(granted), "/")) == "service/back/web/80"


def test_an_unreadable_version_closes_the_services_of_its_namespace() -> None:
    broken = version("credit", "1", "backend: {service: web, port: http, nonsense: 1}", ns="shop")
    world = world_of(
        GATE, EVERYTHING, tls_secret(), broken, service("web", "10.0.0.1"),
        service("fine", "10.0.0.2", ns="else"),
        ingress("web", f"Prefix / {to_service('web')}"),
        ingress("fine", f"Prefix / {to_service('fine')}", ns="else", host="fine.example"),
    )  # fmt: skip
    made = compiler.compile(world)
    assert [to(r) for r in rows(made)] == ["refuse no-backend"]
    assert to(answer(rows(made, "fine.example"), "/")) == "service/else/fine/80"


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.1.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "100.100.100.200",
     "fe80::1", "::", "ff02::1", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
     "::169.254.169.254", "fe80::1%eth0", "evil.example", "010.0.0.1"],
)  # fmt: skip
def test_addresses_that_may_not_be_reached(address: str) -> None:
    made = compiled(service("web", address), ingress("web", f"Prefix / {to_service('web')}"))
    assert found(made, "backend-address-refused") == ["EndpointSlice shop/web-1 endpoints[0]"]
    (cluster,) = made.ir.gates[0].clusters
    assert cluster.endpoints.groups[0].endpoints == ()
    assert found(made, "no-endpoints") == ["Service shop/web"]


def test_an_external_name_is_no_backend() -> None:
    external = service(
        "web", "10.0.0.1", extra=", type: ExternalName, externalName: metadata.internal"
    )
    made = compiled(external, ingress("web", f"Prefix / {to_service('web')}"))
    assert found(made, "external-name-refused")
    assert to(answer(rows(made), "/")) == "refuse no-backend"


SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: more, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: %s
ports: [{name: http, port: 8080}]
"""


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ("[{addresses: [10.0.0.3]}, {addresses: [10.0.0.4], conditions: {ready: false}}]", ["10.0.0.3"]),
        ("[{addresses: [10.0.0.4], conditions: {ready: false}}]", []),
        ("[{addresses: [10.0.0.4], conditions: {ready: false, serving: true, terminating: true}}]", ["10.0.0.4"]),
        ("[{addresses: [10.0.0.4], conditions: {ready: false, serving: true, terminating: true}}, {addresses: [10.0.0.3]}]", ["10.0.0.3"]),
        ("[{addresses: [10.0.0.4], conditions: {serving: false, terminating: true}}]", []),
        ("[{addresses: [10.0.0.5]}, {addresses: [10.0.0.3]}, {addresses: [10.0.0.5]}]", ["10.0.0.3", "10.0.0.5"]),
    ],
)  # fmt: skip
def test_which_endpoints_count(endpoints: str, expected: list[str]) -> None:
    made = compiled(
        service("web"), SLICE % endpoints, ingress("web", f"Prefix / {to_service('web')}")
    )
    (cluster,) = made.ir.gates[0].clusters
    assert [e.address for e in cluster.endpoints.groups[0].endpoints] == expected
    assert bool(found(made, "no-endpoints")) is (not expected)


def test_a_service_that_speaks_http2() -> None:
    text = service("web", "10.0.0.1").replace(
        "port: 80,", "port: 80, appProtocol: kubernetes.io/h2c,"
    )
    made = compiled(text, ingress("web", f"Prefix / {to_service('web')}"))
    assert [c.protocol for c in made.ir.gates[0].clusters] == ["http2"]
