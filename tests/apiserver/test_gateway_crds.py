"""Gateway API's own CRDs, from its module, with the schema and CEL rules that our controller relies on."""

from __future__ import annotations

import pytest

from tests.cluster.api import Api

pytestmark = pytest.mark.usefixtures("gateway_crds")

ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: credit}
spec:
  parentRefs: [{name: public}]
  rules:
    - matches: [{path: {type: PathPrefix, value: %s}}]
      backendRefs: [{group: gatereeve.dev, kind: Model, name: credit}]
"""


def test_the_version_is_the_one_the_suite_pins(root: Api) -> None:
    crd = root.request(
        "GET",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/httproutes.gateway.networking.k8s.io",
    ).ok()

    told = crd["metadata"]["annotations"]
    assert told["gateway.networking.k8s.io/bundle-version"] == "v1.6.1"
    assert told["gateway.networking.k8s.io/channel"] == "standard"


def test_a_route_to_a_model_is_accepted(admin: Api) -> None:
    assert admin.apply(ROUTE % "/credit").status == 201


def test_a_path_with_dots_is_refused_by_the_api_server_itself(admin: Api) -> None:
    answer = admin.apply(ROUTE % "/credit/../admin")

    assert answer.status == 422
    assert "must not contain '..'" in answer.message or "/../" in answer.message
