"""Which version answers: split, match, mirror, fallback, over the real xDS wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatereeve.proxy.xds.snapshot import CDS
from tests.features import documents as docs
from tests.features.folder_gate import clusters, code, serving_folder

pytestmark = pytest.mark.features

ROLLOUT = """
apiVersion: gatereeve.dev/v1alpha1
kind: Rollout
metadata: {name: offers, namespace: shop}
spec:
  model: offers
  split: [{version: "1", weight: 9000}, {version: "2", weight: 1000}]
"""
ONE, TWO = "model/shop/offers/1", "model/shop/offers/2"


def two_versions() -> dict[str, str]:
    return docs.base() | {"version2": docs.version(2)}


async def test_a_split(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **two_versions()) as gate:
        assert "rollout-missing" in gate.findings()
        assert code(gate.row(docs.HOST, ":default")) == "no-eligible-version"

        await gate.write(rollout=ROLLOUT)
        row = gate.row(docs.HOST, ":split")
        assert clusters(row) == {ONE: 9000, TWO: 1000}
        assert row["route"]["weighted_clusters"]["use_hash_policy"] is True

        change = await gate.edit("rollout", "weight: 9000", "weight: 4000")
        assert change.types == {"RDS"}
        assert clusters(gate.row(docs.HOST, ":split")) == {ONE: 4000, TWO: 1000}

        await gate.remove("rollout")
        assert code(gate.row(docs.HOST, ":default")) == "no-eligible-version"


async def test_the_sticky_key(tmp_path: Path) -> None:
    subject = (
        ", fields: [{name: subject, location: request-header, path: x-subject, role: subject}]}"
    )
    async with serving_folder(tmp_path, rollout=ROLLOUT, **two_versions()) as gate:
        first = gate.row(docs.HOST, ":split")["route"]["hash_policy"][0]
        assert first["filter_state"]["key"] == "gatereeve.principal"
        await gate.edit("model", "protocol: json}", "protocol: json" + subject)
        await gate.edit("rollout", "  split:", "  stickyBy: {attribute: subject}\n  split:")
        first = gate.row(docs.HOST, ":split")["route"]["hash_policy"][0]
        assert first["header"]["header_name"] == "x-subject"


async def test_a_match_rule(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, rollout=ROLLOUT, **two_versions()) as gate:
        change = await gate.edit(
            "rollout",
            "  split:",
            '  match: [{name: canary, headers: {x-canary: "yes"}, version: "2"}]\n  split:',
        )
        assert change.types == {"RDS"}
        row = gate.row(docs.HOST, ":canary")
        assert clusters(row) == {TWO: 1}
        assert {"name": "x-canary", "string_match": {"exact": "yes"}} in row["match"]["headers"]
        names = list(gate.rows(docs.HOST))
        assert [n for n in names if n.endswith((":canary", ":split"))] == [
            "shop/offers:infer:*:canary",
            "shop/offers:infer:*:split",
        ]
        await gate.write(rollout=ROLLOUT)
        assert not any(name.endswith(":canary") for name in gate.rows(docs.HOST))


async def test_a_mirror(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, rollout=ROLLOUT, **two_versions()) as gate:
        assert "request_mirror_policies" not in gate.row(docs.HOST, ":split")["route"]
        await gate.edit("rollout", "  split:", '  mirror: {version: "2", percent: 10}\n  split:')
        (mirror,) = gate.row(docs.HOST, ":split")["route"]["request_mirror_policies"]
        assert mirror["cluster"] == TWO
        assert mirror["runtime_fraction"]["default_value"]["numerator"] == 100_000
        await gate.write(rollout=ROLLOUT)
        assert "request_mirror_policies" not in gate.row(docs.HOST, ":split")["route"]


async def test_a_fallback(tmp_path: Path) -> None:
    """Version 2 with version 1 behind it is a cluster of its own, there for as long as it is named."""
    async with serving_folder(tmp_path, rollout=ROLLOUT, **two_versions()) as gate:
        change = await gate.edit("rollout", "  split:", '  fallback: "1"\n  split:')
        assert "CDS" in change.types
        behind = clusters(gate.row(docs.HOST, ":split")).keys() - {ONE}
        assert behind == {f"{TWO}>1"}
        assert behind <= gate.messages[CDS].keys()
        await gate.write(rollout=ROLLOUT)
        assert clusters(gate.row(docs.HOST, ":split")) == {ONE: 9000, TWO: 1000}
        assert not behind & gate.messages[CDS].keys()


async def test_a_version_that_goes_leaves_its_share_to_the_others(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, rollout=ROLLOUT, **two_versions()) as gate:
        await gate.remove("version2")
        assert set(clusters(gate.row(docs.HOST, ":split"))) == {ONE}
        assert TWO not in gate.messages[CDS]
