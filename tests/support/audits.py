"""Inventories from text, as a dump's file would give them."""

from __future__ import annotations

from gatereeve.cluster_audit import audit
from gatereeve.cluster_audit.inventory import Inventory, make_inventory
from gatereeve.core.findings import Finding
from gatereeve.sources.folder import dumps


def inventory_of(*texts: str) -> Inventory:
    """What the texts hold, each a file of its own: `in.yaml` when there is one."""
    files = [
        dumps.parse_dump(text, "in.yaml" if len(texts) == 1 else f"{number}.yaml")
        for number, text in enumerate(texts)
    ]
    return make_inventory(
        (doc for file in files for doc in file.docs),
        listed={name for file in files for name in file.empty},
    )


def findings_of(*texts: str) -> tuple[Finding, ...]:
    return audit.audit(inventory_of(*texts))


def codes_of(*texts: str) -> list[str]:
    return [finding.code for finding in findings_of(*texts)]
