"""Server certificates rotate, come and go, over the real xDS wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatereeve.proxy.xds.snapshot import LDS, SDS
from tests.features import documents as docs
from tests.features.folder_gate import FolderGate, serving_folder

pytestmark = pytest.mark.features

DEFAULT = "default/shop/tls"


def shown(gate: FolderGate, name: str) -> str:
    found: str = gate.messages[SDS][name].tls_certificate.certificate_chain.inline_string
    return found.strip()


async def test_a_certificate_rotates(tmp_path: Path) -> None:
    """The same names: no connection is drained, no listener changes."""
    async with serving_folder(tmp_path, **docs.base()) as gate:
        assert shown(gate, DEFAULT) == docs.pair(0).certificate.strip()
        change = await gate.write(tls=docs.tls(1))
        assert change.names == {"SDS": {DEFAULT}}
        assert shown(gate, DEFAULT) == docs.pair(1).certificate.strip()


async def test_a_host_gets_a_certificate_of_its_own(tmp_path: Path) -> None:
    own = docs.ROUTE.replace(
        "  rules:", "  tls: [{hosts: [offers.example], secretName: own}]\n  rules:"
    )
    async with serving_folder(tmp_path, **docs.base()) as gate:
        change = await gate.write(own=docs.tls(2, docs.HOST, secret="own"), route=own)
        assert {"SDS", "LDS"} <= change.types
        (name,) = set(gate.messages[SDS]) - {DEFAULT}
        assert shown(gate, name) == docs.pair(2, docs.HOST).certificate.strip()
        (chain,) = gate.messages[LDS]["https"].filter_chains
        assert list(chain.filter_chain_match.server_names) == [docs.HOST]

        change = await gate.write(own=docs.tls(3, docs.HOST, secret="own"))
        assert change.names == {"SDS": {name}}

        await gate.write(route=docs.ROUTE)
        await gate.remove("own")
        assert set(gate.messages[SDS]) == {DEFAULT}


async def test_an_unusable_certificate_is_not_served(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        await gate.remove("tls")
        assert "tls-secret-invalid" in gate.findings()
        assert set(gate.messages[LDS]) == {"http"}
        assert gate.messages[SDS] == {}
        await gate.write(tls=docs.tls())
        assert set(gate.messages[LDS]) == {"http", "https"}
