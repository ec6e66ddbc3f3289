"""Hosts are granted to namespaces, and withdrawn, over the real xDS wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatereeve.proxy.xds.snapshot import CDS
from tests.features import documents as docs
from tests.features.folder_gate import serving_folder

pytestmark = pytest.mark.features


async def test_a_grant_is_withdrawn_and_given_again(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        change = await gate.remove("grant")
        assert {"SRDS", "RDS"} <= change.types
        assert gate.host(docs.HOST) is None
        assert gate.host("web.example") is None
        assert gate.messages[CDS] == {}
        assert "host-not-granted" in gate.findings()

        await gate.write(grant=docs.GRANT)
        assert gate.host(docs.HOST) is not None
        assert not gate.findings(errors_only=True)


async def test_a_grant_is_narrowed(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        await gate.edit("grant", "*.example", docs.HOST)
        assert gate.host(docs.HOST) is not None
        assert gate.host("web.example") is None


async def test_a_grant_for_another_namespace_does_not_help(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        await gate.edit(
            "grant", "kubernetes.io/metadata.name: shop", "kubernetes.io/metadata.name: x"
        )
        assert gate.host(docs.HOST) is None
