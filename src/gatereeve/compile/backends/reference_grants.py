"""References across namespaces: nothing is reached without a ReferenceGrant where the target lives.

Gateway API ReferenceGrant. Checked for every kind of reference: Services, Models and Secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gatereeve.api.world import ReferenceGrantDoc

ReferenceGrants: TypeAlias = Mapping[str, tuple[ReferenceGrantDoc, ...]]
"""ReferenceGrants by the namespace whose objects they open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """From a document of `group`/`kind` in `namespace` to an object."""

    from_group: str
    from_kind: str
    from_namespace: str
    to_group: str
    to_kind: str
    to_namespace: str
    to_name: str


def is_permitted(grants: ReferenceGrants, reference: Reference) -> bool:
    """Whether the reference stays in its namespace or a grant opens it."""
    r = reference
    if r.from_namespace == r.to_namespace:
        return True
    wanted = (r.from_group, r.from_kind, r.from_namespace)
    return any(
        any((f.group, f.kind, f.namespace) == wanted for f in doc.spec.from_)
        and any(
            (t.group, t.kind) == (r.to_group, r.to_kind) and t.name in (None, "", r.to_name)
            for t in doc.spec.to
        )
        for doc in grants.get(r.to_namespace, ())
    )
