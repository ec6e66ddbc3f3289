"""The small World of a review finds about a document what the whole World does.

Over every golden case: each governed document is judged in its surroundings and in the whole.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gatereeve.admission import world_subset
from gatereeve.api import registry
from gatereeve.api.tables import table_of
from gatereeve.api.world import AnyDoc
from gatereeve.compile import compiler
from gatereeve.core.findings import Finding, Severity
from tests.support.golden import FOLDER, text_of
from tests.support.worlds import world_of

CASES = sorted(
    path
    for path in FOLDER.glob("*/*/in.yaml")
    if path.parent.parent.name not in ("audit", "guards", "reading")
)
KINDS = (
    "Gate", "Model", "ModelVersion", "Approval", "AccessPolicy", "Rollout", "Ingress", "HTTPRoute",
    "Gateway",
)  # fmt: skip


def told(findings: tuple[Finding, ...], doc: AnyDoc) -> set[tuple[str, str, str]]:
    return {
        (finding.code, finding.origin.path, finding.message)
        for finding in findings
        if finding.severity is not Severity.INFO
        and finding.origin is not None
        and finding.origin.ref == doc.ref
    }


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parts[-3]}/{path.parts[-2]}")
def test_it_finds_what_the_whole_world_finds(case: Path) -> None:
    world = world_of(text_of(case.parent))
    if not world.gates:  # a review then judges versions as on any gate
        return
    whole = compiler.compile(world).findings
    beyond = {"policy-broken", "approval-broken", "address-taken"}  # other documents say it
    doubts = {finding.code for finding in whole} & beyond
    read = set(world.findings)
    found = tuple(f for f in whole if f not in read and f.code not in doubts)
    seen = world_subset.index_world(world)
    for kind in registry.KINDS:
        if kind.kind not in KINDS:
            continue
        for doc in table_of(world, kind).values():
            small = world_subset.subset_for(seen, doc)
            there = tuple(f for f in compiler.compile(small).findings if f.code not in doubts)
            assert told(there, doc) == told(found, doc), doc.ref
