"""HTTPRoute: matches, filters, redirects, rewrites, weights, over the real xDS wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.features import documents as docs
from tests.features.folder_gate import FolderGate, clusters, serving_folder

pytestmark = pytest.mark.features

GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: shop}
spec: {gatewayClassName: gatereeve, listeners: [{name: web, port: 8080, protocol: HTTP}]}
"""
BACKEND = "backendRefs: [{name: web, port: 80}]"
API = "api.example"


def route(*rules: str) -> str:
    lines = "".join(f"    - {{{rule}}}\n" for rule in rules)
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: api, namespace: shop}}
spec:
  parentRefs: [{{name: gw}}]
  hostnames: [{API}]
  rules:
{lines}"""


def folder(*rules: str) -> dict[str, str]:
    return docs.base() | {"gateway": GATEWAY, "api": route(*rules)}


def working(gate: FolderGate) -> list[dict[str, Any]]:
    """The rows that forward or redirect."""
    return [r for r in gate.rows(API, "http").values() if "route" in r or "redirect" in r]


async def test_add_and_delete(tmp_path: Path) -> None:
    files = folder(BACKEND)
    api = files.pop("api")
    async with serving_folder(tmp_path, **files) as gate:
        change = await gate.write(api=api)
        assert change.types == {"SRDS", "RDS"}
        (row,) = working(gate)
        assert clusters(row) == {"service/shop/web/80": 1}
        change = await gate.remove("api")
        assert change.types == {"SRDS", "RDS"}
        assert gate.host(API, "http") is None


async def test_matches(tmp_path: Path) -> None:
    wanted = (
        "matches: [{path: {type: PathPrefix, value: /v1}, method: POST, "
        "headers: [{name: X-Team, value: blue}], queryParams: [{name: page, value: '1'}]}], "
    )
    async with serving_folder(tmp_path, **folder(BACKEND)) as gate:
        change = await gate.write(api=route(wanted + BACKEND))
        assert change.types == {"RDS"}
        (row,) = working(gate)
        match = row["match"]
        assert match["path_separated_prefix"] == "/v1"
        headers = {h["name"].lower(): h["string_match"]["exact"] for h in match["headers"]}
        assert headers == {":method": "POST", "x-team": "blue"}
        (query,) = match["query_parameters"]
        assert (query["name"], query["string_match"]["exact"]) == ("page", "1")


async def test_a_header_filter(tmp_path: Path) -> None:
    edits = (
        "filters: [{type: RequestHeaderModifier, requestHeaderModifier: "
        "{set: [{name: x-env, value: blue}], remove: [x-debug]}}], "
    )
    async with serving_folder(tmp_path, **folder(BACKEND)) as gate:
        change = await gate.write(api=route(edits + BACKEND))
        assert change.types == {"RDS"}
        (row,) = working(gate)
        text = str(row)
        assert "x-env" in text
        assert "x-debug" in text
        await gate.write(api=route(BACKEND))
        assert "x-env" not in str(working(gate))


async def test_a_redirect_and_a_rewrite(tmp_path: Path) -> None:
    redirect = (
        "matches: [{path: {value: /old}}], filters: [{type: RequestRedirect, "
        "requestRedirect: {hostname: new.example, statusCode: 301}}]"
    )
    rewrite = (
        "matches: [{path: {value: /api}}], filters: [{type: URLRewrite, urlRewrite: "
        "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}], "
    )
    async with serving_folder(tmp_path, **folder(BACKEND)) as gate:
        await gate.write(api=route(redirect))
        found = [row["redirect"] for row in working(gate)]
        assert [r["host_redirect"] for r in found] == ["new.example"] * len(found)
        await gate.write(api=route(rewrite + BACKEND))
        assert "redirect" not in {key for row in working(gate) for key in row}
        assert "rewrite" in str(working(gate))


async def test_weights_between_services(tmp_path: Path) -> None:
    other = docs.WEB[: docs.WEB.index("---")].replace("name: web,", "name: blue,")
    both = "backendRefs: [{name: web, port: 80, weight: 3}, {name: blue, port: 80, weight: 1}]"
    async with serving_folder(tmp_path, blue=other, **folder(BACKEND)) as gate:
        await gate.write(api=route(both))
        (row,) = working(gate)
        shares = clusters(row)
        assert shares["service/shop/web/80"] == 3 * shares["service/shop/blue/80"]


async def test_a_model_behind_an_httproute_is_governed(tmp_path: Path) -> None:
    """Over plain HTTP alone it is not served at all: a governed host needs TLS."""
    model = "backendRefs: [{group: gatereeve.dev, kind: Model, name: offers}]"
    async with serving_folder(tmp_path, **folder(BACKEND)) as gate:
        await gate.write(api=route(model))
        assert "tls-unavailable" in gate.findings()
        host = gate.host(API, "http")
        assert host is None or all("route" not in row for row in host["routes"])
        secure = GATEWAY.replace("[{name: web, port: 8080, protocol: HTTP}]",
            "[{name: web, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: tls}]}}]")  # fmt: skip
        await gate.write(gateway=secure)
        assert clusters(gate.row(API, ":default")) == {"model/shop/offers/1": 1}


async def test_without_its_gateway_a_route_is_not_served(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **folder(BACKEND)) as gate:
        await gate.remove("gateway")
        assert gate.host(API, "http") is None
        assert "parent-not-found" in gate.findings()
        await gate.write(gateway=GATEWAY)
        assert gate.host(API, "http") is not None
