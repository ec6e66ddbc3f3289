"""The whole audit: an inventory in, ordered findings out. Equal objects give equal findings."""

from __future__ import annotations

from gatereeve.cluster_audit.exposure import find_exposures
from gatereeve.cluster_audit.governance import collect_governed
from gatereeve.cluster_audit.grants import find_risks
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.migration import find_losses
from gatereeve.cluster_audit.models import Models
from gatereeve.core.findings import Finding, order


def audit(inventory: Inventory) -> tuple[Finding, ...]:
    """Return all findings about the objects of `inventory`."""
    governed = collect_governed(inventory)
    models = Models(inventory, governed)
    likely = frozenset(
        doc.ref.namespace
        for doc in inventory.of(("", "Service"))
        if models.is_model((doc.ref.namespace, doc.ref.name))
    )
    return order(
        (
            *find_exposures(inventory, governed, models),
            *find_losses(inventory, governed, models),
            *find_risks(inventory, governed.namespaces | likely),
        )
    )
