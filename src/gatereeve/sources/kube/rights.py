"""What the controller may do in a cluster, and needs no more: RBAC rules made from the kinds.

One table for the chart, the manifests, the docs and a test against a real API server. Nothing is
granted with `*`, nothing with `bind`, `escalate` or `impersonate`. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from gatereeve.api import registry
from gatereeve.sources.kube import resources

_READ = ("get", "list", "watch")
_WITH_STATUS = frozenset({"Ingress", "GatewayClass", "Gateway", "HTTPRoute"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RbacRule:
    """One PolicyRule. why: what for, in a few words."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str

    def as_object(self) -> dict[str, list[str]]:
        return {
            "apiGroups": [self.group],
            "resources": list(self.resources),
            "verbs": list(self.verbs),
        }


def cluster_rules() -> tuple[RbacRule, ...]:
    """In every namespace, or bound by RoleBindings where only some are watched."""
    read: defaultdict[str, list[str]] = defaultdict(list)
    status: defaultdict[str, list[str]] = defaultdict(list)
    for kind in registry.KINDS:
        read[kind.group].append(kind.plural)
        if kind.ours or kind.kind in _WITH_STATUS:
            status[kind.group].append(f"{kind.plural}/status")
    definitions = resources.DEFINITIONS
    return (
        *(
            RbacRule(group=g, resources=tuple(names), verbs=_READ, why="the documents")
            for g, names in read.items()
        ),
        RbacRule(
            group=definitions.group, resources=(definitions.plural,), verbs=("get",),
            why="whether a kind is there at all",
        ),
        *(
            RbacRule(group=g, resources=tuple(names), verbs=("patch",), why="statuses, by the leader")
            for g, names in status.items()
        ),
        RbacRule(
            group=resources.EVENTS.group, resources=(resources.EVENTS.plural,),
            verbs=("create", "get", "patch"), why="findings as events, by the leader",
        ),
    )  # fmt: skip


def own_namespace_rules() -> tuple[RbacRule, ...]:
    """In the controller's own namespace."""
    leases, written = resources.LEASES, ("get", "list", "create", "patch", "delete")
    return (
        RbacRule(
            group=leases.group, resources=(leases.plural,), verbs=("create", "get", "update"),
            why="the leader's lease",
        ),
        RbacRule(
            group="", resources=(resources.CONFIG_MAPS.plural,), verbs=("get", "create", "patch"),
            why="what stood behind models, by the leader",
        ),
        RbacRule(
            group="", resources=(resources.SECRETS.plural,), verbs=written,
            why="certificates of controllers and gates",
        ),
        RbacRule(
            group="", resources=(resources.SERVICES.plural,), verbs=written,
            why="Services of Gateways, and the addresses of gates",
        ),
    )  # fmt: skip
