"""A model is served to nobody until a document says so (P3), over the real xDS wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.features import documents as docs
from tests.features.folder_gate import allowing, clusters, code, serving_folder

pytestmark = pytest.mark.features


async def test_a_route_to_a_model_without_policy_and_version(tmp_path: Path) -> None:
    files = docs.base()
    for name in ("policy", "version1"):
        del files[name]
    async with serving_folder(tmp_path, **files) as gate:
        row = gate.row(docs.HOST, ":default")
        assert code(row) == "no-eligible-version"
        assert {"no-allow-rule", "model-unversioned"} <= gate.findings()

        await gate.write(version1=docs.version(1))
        row = gate.row(docs.HOST, ":default")
        assert clusters(row) == {"model/shop/offers/1": 1}
        assert allowing(row) == set()

        await gate.write(policy=docs.POLICY)
        assert allowing(gate.row(docs.HOST, ":default")) == {"shop/offers/staff"}
        assert not gate.findings(errors_only=True)

        await gate.remove("policy")
        assert allowing(gate.row(docs.HOST, ":default")) == set()


async def test_a_host_that_nobody_claims_is_unknown(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, gate=docs.gate(), tls=docs.tls()) as gate:
        assert gate.host(docs.HOST) is None
        for listener in ("http", "https"):
            rows = gate.rows("unknown-host", listener)
            assert code(rows["unknown-host"]) == "unknown-host"


async def test_a_policy_in_shadow_mode_admits_nobody(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        assert allowing(gate.row(docs.HOST, ":default")) == {"shop/offers/staff"}
        await gate.edit("policy", "  models:", "  mode: shadow\n  models:")
        assert allowing(gate.row(docs.HOST, ":default")) == set()
        assert "no-allow-rule" in gate.findings()
