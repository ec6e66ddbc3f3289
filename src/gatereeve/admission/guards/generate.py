"""`guards(world, settings)`: every object that guards a cluster, in the order to apply them.

Roles first, then parameters, then the policies that read them, then the webhook. Equal documents
give equal objects, whatever their order was.
"""

from __future__ import annotations

from collections.abc import Callable

from gatereeve.admission.guards import (
    change_stamps,
    decisions,
    documents,
    gateways,
    http_routes,
    ingresses,
    integrity_policies,
    parameters,
    roles,
    webhook,
)
from gatereeve.admission.guards.facts import GuardFacts, facts
from gatereeve.admission.guards.named_people import named
from gatereeve.admission.guards.objects import binding
from gatereeve.admission.guards.settings import GuardSettings, Object
from gatereeve.api.world import World
from gatereeve.compile.routes.host_grants import NAME_LABEL
from gatereeve.core.canonical import Json

WITH_PARAMETERS: tuple[
    tuple[str, tuple[dict[str, Json], ...], Callable[[GuardFacts], Object]], ...
] = (
    (ingresses.NAME, ingresses.RULES, ingresses.ingresses),
    (http_routes.NAME, http_routes.RULES, http_routes.http_routes),
    (gateways.NAME, gateways.RULES, gateways.gateways),
    (decisions.NAME, decisions.RULES, lambda _: decisions.approvals()),
    (documents.VERSIONS, documents.VERSION_RULES, lambda _: documents.versions()),
)
"""Policies that read the parameters of a namespace: name, what they look at, how they are made."""


def guards(world: World, settings: GuardSettings) -> tuple[Object, ...]:
    """Everything, as plain objects."""
    people = named(world, settings)
    known = facts(world, people)
    found: list[Object] = [
        *roles.roles(),
        *roles.bindings(people, settings),
        *parameters.parameters(people),
    ]
    for name, rules, make in WITH_PARAMETERS:
        found += [make(known), *_in_namespaces(name, rules, known)]
    for policy in (
        decisions.withdrawn(),
        documents.models(),
        integrity_policies.statuses(settings),
        integrity_policies.namespaces(known),
        integrity_policies.guard_parameters(settings),
        integrity_policies.aggregation(),
    ):
        found += [policy, binding(_name(policy))]
    found += [
        integrity_policies.unguarded(known),
        binding("unguarded", namespaces=_elsewhere(known, settings)),
    ]
    if settings.stamps != "nobody":
        found += [integrity_policies.stamped(known), binding("changers")]
    if settings.stamps == "policy":
        found += change_stamps.stamps(known)
    found += webhook.webhooks(known, settings)
    return tuple(found)


def _name(policy: Object) -> str:
    metadata = policy["metadata"]
    return str(metadata["name"]).removeprefix("gatereeve-") if isinstance(metadata, dict) else ""


def _in_namespaces(
    name: str, rules: tuple[dict[str, Json], ...], known: GuardFacts
) -> tuple[Object, ...]:
    """In force where parameters are known. Created without them: refused. Changed without them:
    let through, because a namespace that is emptied loses them first and could otherwise never
    remove its finalizers (decision 19); nobody else can take them away.
    """
    where = _selector("In", known.namespaces)

    def only(operation: str) -> list[dict[str, Json]]:
        return [{**one, "operations": [operation]} for one in rules]

    created = binding(name, namespaces=where, rules=only("CREATE"), missing="Deny")
    if all(one["operations"] == ["CREATE"] for one in rules):
        return (created,)
    changed = binding(
        name, name=f"{name}-changed", namespaces=where, rules=only("UPDATE"), missing="Allow"
    )
    return (created, changed)


def _elsewhere(known: GuardFacts, settings: GuardSettings) -> dict[str, Json]:
    """Every namespace without parameters; ours is left alone so that we can always start."""
    return _selector("NotIn", (*known.namespaces, settings.namespace))


def _selector(operator: str, names: tuple[str, ...]) -> dict[str, Json]:
    """By the label that Kubernetes itself keeps. `In` nothing is not allowed, and means nowhere."""
    values: list[Json] = list(names) or [""]
    return {"matchExpressions": [{"key": NAME_LABEL, "operator": operator, "values": values}]}
