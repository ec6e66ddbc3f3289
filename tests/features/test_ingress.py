"""Ingress: hosts, paths, backends, over the real xDS wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatereeve.proxy.xds.snapshot import CDS, SRDS
from tests.features import documents as docs
from tests.features.folder_gate import clusters, code, serving_folder

pytestmark = pytest.mark.features

SERVICE = "service/shop/web/80"


def forwarding(rows: dict[str, dict[str, object]]) -> list[object]:
    return [row["match"] for row in rows.values() if "route" in row]


async def test_a_path_is_added_and_removed(tmp_path: Path) -> None:
    extra = "          - {path: /health, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}\n"
    async with serving_folder(tmp_path, **docs.base()) as gate:
        before = set(gate.rows("web.example"))
        change = await gate.write(web=docs.WEB + extra)
        assert change.types == {"RDS"}
        (new,) = set(gate.rows("web.example")) - before
        row = gate.rows("web.example")[new]
        assert row["match"] == {"path": "/health"}
        assert clusters(row) == {SERVICE: 1}
        await gate.write(web=docs.WEB)
        assert set(gate.rows("web.example")) == before


async def test_exact_stands_before_prefix_and_prefix_means_segments(tmp_path: Path) -> None:
    paths = """\
          - {path: /a, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
          - {path: /a, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
"""
    async with serving_folder(tmp_path, **(docs.base() | {"web": docs.WEB + paths})) as gate:
        assert forwarding(gate.rows("web.example")) == [
            {"path": "/a"},
            {"path_separated_prefix": "/a"},
            {"prefix": "/"},
        ]


async def test_a_host_moves(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        change = await gate.edit("route", docs.HOST, "deals.example")
        assert change.types == {"SRDS", "RDS"}
        assert gate.host(docs.HOST) is None
        assert gate.host("deals.example") is not None
        assert "https|deals.example" in gate.messages[SRDS]
        assert f"https|{docs.HOST}" not in gate.messages[SRDS]


async def test_a_wildcard_host(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        scopes = set(gate.messages[SRDS])
        await gate.edit("web", "host: web.example", 'host: "*.web.example"')
        assert gate.host("*.web.example") is not None
        assert scopes - set(gate.messages[SRDS]) == {"http|web.example", "https|web.example"}


async def test_the_older_ingress_owns_a_path(tmp_path: Path) -> None:
    rival = docs.WEB[docs.WEB.index("---") + 4 :].replace(
        "name: web, namespace", "name: zz, namespace", 1
    )
    async with serving_folder(tmp_path, **docs.base()) as gate:
        change = await gate.write(rival=rival)
        assert not change.types
        assert "route-conflict" in gate.findings()
        await gate.remove("rival")
        assert "route-conflict" not in gate.findings()


async def test_a_backend_that_is_not_there(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        await gate.edit("web", "service: {name: web,", "service: {name: nowhere,")
        assert "backend-not-found" in gate.findings()
        codes = {code(row) for row in gate.rows("web.example").values()}
        assert "no-backend" in codes
        assert SERVICE not in gate.messages[CDS]


async def test_an_ingress_of_another_class_is_left_alone(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        await gate.edit("route", "ingressClassName: gatereeve", "ingressClassName: nginx")
        assert gate.host(docs.HOST) is None
        await gate.write(route=docs.ROUTE)
        assert gate.host(docs.HOST) is not None
