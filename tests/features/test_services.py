"""Addresses behind Services come and go, over the real xDS wire: only endpoints change."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatereeve.proxy.xds.snapshot import CDS, EDS
from tests.features import documents as docs
from tests.features.folder_gate import FolderGate, policies, serving_folder

pytestmark = pytest.mark.features

SERVICE = "service/shop/web/80"


def addresses(gate: FolderGate, name: str = SERVICE) -> list[str]:
    return [
        endpoint.endpoint.address.socket_address.address
        for group in gate.messages[EDS][name].endpoints
        for endpoint in group.lb_endpoints
    ]


async def test_endpoints_come_and_go(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        assert addresses(gate) == ["10.1.0.5"]
        for wanted in (["10.1.0.5", "10.1.0.6"], ["10.1.0.6"]):
            change = await gate.write(slices=docs.slices(*wanted))
            assert change.names == {"EDS": {SERVICE}}
            assert addresses(gate) == wanted

        change = await gate.remove("slices")
        assert change.types == {"EDS"}
        assert addresses(gate) == []
        assert "no-endpoints" in gate.findings()


async def test_an_address_that_is_not_ready_is_left_out(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        await gate.write(slices=docs.slices("10.1.0.5", "10.1.0.6"))
        change = await gate.edit(
            "slices",
            "[10.1.0.6], conditions: {ready: true}",
            "[10.1.0.6], conditions: {ready: false}",
        )
        assert change.types == {"EDS"}
        assert addresses(gate) == ["10.1.0.5"]


async def test_a_service_that_comes_to_stand_behind_a_model_is_governed(tmp_path: Path) -> None:
    """P1: naming the Service is naming the model."""
    async with serving_folder(tmp_path, **docs.base()) as gate:
        assert SERVICE in gate.messages[CDS]
        backed = docs.version(1).replace(
            "endpoints: [{address: 127.0.0.1, port: 9001}]", "backend: {service: web, port: 80}"
        )
        await gate.write(version1=backed)
        assert "service-behind-model" in gate.findings()
        assert SERVICE not in gate.messages[CDS]
        assert "shop/offers/staff" in policies(gate.host("web.example"))
        assert addresses(gate, "model/shop/offers/1") == ["10.1.0.5"]

        await gate.write(version1=docs.version(1))
        assert "shop/offers/staff" not in policies(gate.host("web.example"))
        assert "was-governed" in gate.findings()
        assert SERVICE not in gate.messages[CDS]

        line = f"{{services: [{{name: web, released: '{gate.clock.now().isoformat()}'}}]}}"
        grant = docs.GRANT.replace("{selector: {all: true}}", line)
        await gate.write(grant=grant)
        assert SERVICE in gate.messages[CDS]
