"""The whole audit: an inventory in, ordered findings out.

Deterministic: the same objects give the same findings in the same order, however they were read.
"""

from __future__ import annotations

from gatereeve.cluster_audit.exposure import exposures
from gatereeve.cluster_audit.governance import governed
from gatereeve.cluster_audit.grants import risks
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.migration import losses
from gatereeve.cluster_audit.models import Models
from gatereeve.core.findings import Finding, order


def audit(inventory: Inventory) -> tuple[Finding, ...]:
    """Every finding about the objects of `inventory`.

    See `exposure`, `migration` and `grants` for the codes.
    """
    covered = governed(inventory)
    models = Models(inventory, covered)
    likely = frozenset(
        doc.ref.namespace
        for doc in inventory.of(("", "Service"))
        if models.is_model((doc.ref.namespace, doc.ref.name))
    )
    return order(
        (
            *exposures(inventory, covered, models),
            *losses(inventory, covered, models),
            *risks(inventory, covered.namespaces | likely),
        )
    )
