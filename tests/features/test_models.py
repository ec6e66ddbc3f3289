"""Models and their versions come, change and go, over the real xDS wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatereeve.proxy.xds.snapshot import CDS, EDS
from tests.features import documents as docs
from tests.features.folder_gate import clusters, code, serving_folder

pytestmark = pytest.mark.features


async def test_add_update_delete(tmp_path: Path) -> None:
    files = docs.base()
    model = {name: files.pop(name) for name in ("model", "version1", "policy", "route")}
    async with serving_folder(tmp_path, **files) as gate:
        assert gate.host(docs.HOST) is None

        change = await gate.write(**model)
        assert change.types == {"CDS", "EDS", "SRDS", "RDS"}
        assert clusters(gate.row(docs.HOST, ":default")) == {"model/shop/offers/1": 1}
        assert code(gate.rows(docs.HOST, "http")["tls-redirect"]) is None

        change = await gate.edit("version1", "port: 9001", "port: 9101")
        assert {"CDS", "EDS"} & change.types == {"EDS"}
        (endpoint,) = gate.messages[EDS]["model/shop/offers/1"].endpoints[0].lb_endpoints
        assert endpoint.endpoint.address.socket_address.port_value == 9101

        change = await gate.remove(*model)
        assert change.types == {"CDS", "EDS", "SRDS", "RDS"}
        assert gate.host(docs.HOST) is None
        assert set(gate.messages[CDS]) == {"service/shop/web/80"}


async def test_a_model_that_becomes_prohibited_is_refused(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        await gate.edit("model", "riskClass: minimal", "riskClass: prohibited")
        assert "model-prohibited" in gate.findings()
        for name, row in gate.rows(docs.HOST).items():
            assert "route" not in row, name
        assert "model/shop/offers/1" not in gate.messages[CDS]


async def test_bounds_of_a_version_are_those_of_its_cluster(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        change = await gate.write(version1=docs.version(1, bounds="{connections: 7}"))
        assert "CDS" in change.types
        (bounds,) = gate.messages[CDS]["model/shop/offers/1"].circuit_breakers.thresholds
        assert bounds.max_connections.value == 7
