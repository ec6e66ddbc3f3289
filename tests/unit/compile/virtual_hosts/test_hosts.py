"""Host and path ownership: nothing is claimed without a grant; identical matches have one winner."""

from __future__ import annotations

import pytest

from tests.support.grants import OPEN
from tests.support.routes import (
    GATEWAY,
    answer,
    at,
    compiled,
    found,
    http_route,
    ingress,
    model,
    rows,
    service,
    to,
    to_model,
    to_service,
    version,
    vhost,
)

WEB = service("web", "10.0.0.1") + "---" + service("other", "10.0.0.2")


def grant(hosts: str, *, paths: str = "[/]", selector: str = "{all: true}", name: str = "g") -> str:
    return f"""
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {{name: {name}}}
spec: {{namespaceSelector: {selector}, hosts: {hosts}, paths: {paths}, {OPEN}}}
"""


BY_NAME = '{matchLabels: {kubernetes.io/metadata.name: "%s"}}'


@pytest.mark.parametrize(
    ("host", "hosts", "served"),
    [
        ("shop.example", "[shop.example]", True),
        ("shop.example", "[other.example]", False),
        ("shop.example", '["*.example"]', True),
        ("a.b.example", '["*.example"]', True),
        ("*.example", '["*.example"]', True),
        ("*.b.example", '["*.example"]', True),
        ("example", '["*.example"]', False),
        ("badexample", '["*.example"]', False),
        ("*.example", "[shop.example]", False),
        ("shop.example", '["*"]', True),
        (None, '["*"]', True),
        (None, '["*.example"]', False),
    ],
)
def test_hosts_of_grants(host: str | None, hosts: str, served: bool) -> None:
    made = compiled(
        WEB, ingress("web", f"Prefix / {to_service('web')}", host=host), grant=grant(hosts)
    )
    assert bool(rows(made, host or "*")) is served
    assert bool(found(made, "host-not-granted")) is not served


@pytest.mark.parametrize(
    ("path", "kind", "paths", "served"),
    [
        ("/v1", "Prefix", "[/v1]", True),
        ("/v1/models", "Prefix", "[/v1]", True),
        ("/v1/", "Exact", "[/v1]", True),
        ("/v10", "Prefix", "[/v1]", False),
        ("/", "Prefix", "[/v1]", False),
        ("/v1", "Prefix", "[/v1/]", True),
        ("/v1", "Prefix", "[/v1/models]", False),
        ("/v1", "Prefix", "[/v2, /v1]", True),
    ],
)
def test_paths_of_grants(path: str, kind: str, paths: str, served: bool) -> None:
    made = compiled(
        WEB,
        ingress("web", f"{kind} {path} {to_service('web')}"),
        grant=grant("[shop.example]", paths=paths),
    )
    assert bool(rows(made)) is served


def test_a_grant_path_without_a_canonical_form_grants_nothing() -> None:
    made = compiled(
        WEB,
        ingress("web", f"Prefix /a {to_service('web')}"),
        grant=grant("[shop.example]", paths="[/a//b]"),
    )
    assert found(made, "path-refused") == ["HostGrant g spec.paths[0]"]
    assert not rows(made)


@pytest.mark.parametrize(
    ("selector", "labels", "served"),
    [
        (BY_NAME % "shop", "", True),
        (BY_NAME % "other", "", False),
        (BY_NAME % "other", "kubernetes.io/metadata.name: other", False),  # a label cannot rename
        ("{matchLabels: {team: a}}", "team: a", True),
        ("{matchLabels: {team: a}}", "team: b", False),
        ("{matchLabels: {team: a, stage: prod}}", "team: a", False),
        ("{matchLabels: {team: a, stage: prod}}", "team: a, stage: prod", True),
        ("{matchLabels: {team: a}}", None, False),
    ],
)
def test_namespaces_of_grants(selector: str, labels: str | None, served: bool) -> None:
    namespace = (
        ""
        if labels is None
        else f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{{labels}}}}}\n"
    )
    made = compiled(
        WEB,
        namespace,
        ingress("web", f"Prefix / {to_service('web')}"),
        grant=grant("[shop.example]", selector=selector),
    )
    assert bool(rows(made)) is served


def test_another_namespaces_host_is_not_to_be_had() -> None:
    made = compiled(
        service("web", "10.0.0.9", ns="thief"),
        WEB,
        ingress("web", f"Prefix / {to_service('web')}"),
        ingress("web", f"Prefix /v1 {to_service('web')}", ns="thief"),
        grant=grant("[shop.example]", selector=BY_NAME % "shop"),
    )
    assert to(answer(rows(made), "/v1")) == "service/shop/web/80"
    assert found(made, "host-not-granted") == ["Ingress thief/web spec.rules[0].http.paths[0]"]


def test_equal_grants_to_different_namespaces_are_pointed_out() -> None:
    made = compiled(
        grant("[a.example]", selector=BY_NAME % "b", name="h"),
        grant=grant("[a.example]", selector=BY_NAME % "a"),
    )
    assert found(made, "grant-overlap") == ["HostGrant h spec.hosts[0]"]


def test_identical_matches_go_to_the_first_name() -> None:
    made = compiled(
        WEB,
        ingress("b", f"Prefix / {to_service('other')}", f"Prefix /b {to_service('other')}"),
        ingress("a", f"Prefix / {to_service('web')}"),
    )
    assert to(answer(rows(made), "/")) == "service/shop/web/80"
    assert to(answer(rows(made), "/b")) == "service/shop/other/80"
    (lost,) = [f for f in made.findings if f.code == "route-conflict"]
    assert str(lost.origin) == "Ingress shop/b spec.rules[0].http.paths[0]"
    assert "Ingress shop/a spec.rules[0].http.paths[0]" in lost.message


def test_the_oldest_document_wins() -> None:
    older = ', creationTimestamp: "2020-01-01T00:00:00Z"'
    younger = ', creationTimestamp: "2021-01-01T00:00:00Z"'
    made = compiled(
        WEB,
        ingress("a", f"Prefix / {to_service('web')}", meta=younger),
        ingress("b", f"Prefix / {to_service('other')}", meta=older),
        ingress("c", f"Prefix / {to_service('web')}"),
    )
    assert to(answer(rows(made), "/")) == "service/shop/other/80"
    assert found(made, "route-conflict") == [
        "Ingress shop/a spec.rules[0].http.paths[0]",
        "Ingress shop/c spec.rules[0].http.paths[0]",
    ]


def test_all_kinds_compete_in_one_space() -> None:
    made = compiled(
        WEB,
        GATEWAY,
        http_route("{backendRefs: [{name: web, port: 80}]}", name="a"),
        ingress("b", f"Prefix / {to_service('other')}"),
    )
    assert to(answer(rows(made), "/")) == "service/shop/web/80"
    assert found(made, "route-conflict") == ["Ingress shop/b spec.rules[0].http.paths[0]"]


def test_two_meanings_of_one_wildcard() -> None:
    made = compiled(
        WEB,
        GATEWAY,
        ingress("a", f"Prefix / {to_service('web')}", host="*.shop.example"),
        http_route(
            "{backendRefs: [{name: other, port: 80}]}", name="b", hosts='["*.shop.example"]'
        ),
    )
    served = vhost(made, "*.shop.example")
    assert served is not None
    assert served.single_label
    assert [to(r) for r in served.routes] == ["service/shop/web/80"]
    assert found(made, "route-conflict") == ["HTTPRoute shop/b spec.rules[0].matches[0]"]


CREDIT = model(ns="shop") + "---" + version("credit", "1", at("10.1.0.1"), ns="shop")


def test_a_website_beside_a_model_that_has_the_whole_host() -> None:
    """What the model merely refuses is its claim as well, so the younger website loses `/`."""
    made = compiled(
        WEB,
        CREDIT,
        ingress("a", f"Prefix / {to_model()}"),
        ingress("b", f"Prefix / {to_service('web')}", f"Prefix /web {to_service('web')}"),
    )
    assert to(answer(rows(made), "/v2/models/credit/infer")) == "model/shop/credit/1"
    assert to(answer(rows(made), "/x")) == "refuse unknown-operation"
    assert to(answer(rows(made), "/web")) == "service/shop/web/80"
    assert found(made, "route-conflict") == ["Ingress shop/b spec.rules[0].http.paths[0]"]


def test_an_older_website_keeps_its_root_and_the_model_its_operations() -> None:
    made = compiled(
        WEB,
        CREDIT,
        ingress("a", f"Prefix / {to_service('web')}"),
        ingress("b", f"Prefix / {to_model()}"),
    )
    assert to(answer(rows(made), "/v2/models/credit/infer")) == "model/shop/credit/1"
    assert to(answer(rows(made), "/x")) == "service/shop/web/80"
    assert not found(made, "route-conflict")


def test_two_models_share_a_host_and_what_belongs_to_neither_is_refused_once() -> None:
    second = model("risk", "shop") + "---" + version("risk", "1", at("10.1.0.2"), ns="shop")
    made = compiled(
        CREDIT,
        second,
        ingress("a", f"Prefix / {to_model()}"),
        ingress("b", f"Prefix / {to_model('risk')}"),
    )
    assert to(answer(rows(made), "/v2/models/credit/infer")) == "model/shop/credit/1"
    assert to(answer(rows(made), "/v2/models/risk/infer")) == "model/shop/risk/1"
    assert not found(made, "route-conflict")
    assert [to(r) for r in rows(made)].count("refuse unknown-operation") == 1


def test_names_of_rows_are_unique() -> None:
    made = compiled(
        CREDIT,
        ingress(
            "a", f"Prefix /a {to_model()}", f"Prefix /b {to_model()}", f"Prefix /c {to_model()}"
        ),
    )
    names = [r.name for r in rows(made)]
    assert len(set(names)) == len(names)


ROLLOUT = """
apiVersion: gatereeve.dev/v1alpha1
kind: Rollout
metadata: {name: credit, namespace: shop}
spec:
  model: credit
  match:
    - {name: beta, groups: [corp/beta], version: "2"}
    - {name: header, headers: {x-canary: "yes"}, version: "2"}
  split: [{version: "1", weight: 100}]
"""


def test_rules_of_a_rollout_keep_their_order_whatever_they_ask_for() -> None:
    made = compiled(
        CREDIT,
        version("credit", "2", at("10.1.0.2"), ns="shop"),
        ROLLOUT,
        ingress("a", f"Prefix / {to_model()}"),
    )
    infer = [
        r.governance.route_rule
        for r in rows(made)
        if r.governance is not None and r.match.path.value == "/v2/models/credit/infer"
    ]
    assert infer == ["beta", "header", "split"]
