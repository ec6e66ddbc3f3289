"""Makes all guards of a cluster, in the order in which to apply them.

The order: roles, parameters, policies, webhook. Equal documents give equal objects in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

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
from gatereeve.admission.guards.facts import GuardFacts, collect_facts
from gatereeve.admission.guards.named_people import collect_people
from gatereeve.admission.guards.objects import binding
from gatereeve.admission.guards.settings import GuardSettings, Object
from gatereeve.api.world import World
from gatereeve.compile.routes.host_grants import NAME_LABEL
from gatereeve.core.canonical import Json

WITH_PARAMETERS: tuple[
    tuple[str, tuple[dict[str, Json], ...], Callable[[GuardFacts], Object]], ...
] = (
    (ingresses.NAME, ingresses.RULES, ingresses.make_policy),
    (http_routes.NAME, http_routes.RULES, http_routes.make_policy),
    (gateways.NAME, gateways.RULES, gateways.make_policy),
    (decisions.NAME, decisions.RULES, lambda _: decisions.make_policy()),
    (documents.VERSIONS, documents.VERSION_RULES, lambda _: documents.make_version_policy()),
)
"""Policies that read the GuardParameters of a namespace: name, resources, function that makes it."""


def make_guards(world: World, settings: GuardSettings) -> tuple[Object, ...]:
    """Return all guards as plain objects."""
    people = collect_people(world, settings)
    facts = collect_facts(world, people)
    guards: list[Object] = [
        *roles.make_roles(),
        *roles.make_bindings(people, settings),
        *parameters.make_parameters(people),
    ]
    for name, rules, make_policy in WITH_PARAMETERS:
        guards += [make_policy(facts), *_bind_in_namespaces(name, rules, facts)]
    for policy in (
        decisions.make_deletion_policy(),
        documents.make_model_policy(),
        integrity_policies.make_status_policy(settings),
        integrity_policies.make_label_policy(facts),
        integrity_policies.make_parameter_policy(settings),
        integrity_policies.make_aggregation_policy(),
    ):
        name = str(cast("Object", policy["metadata"])["name"]).removeprefix("gatereeve-")
        guards += [policy, binding(name)]
    # The namespace of the controllers has no guards, so that they can always start.
    elsewhere = _select_namespaces("NotIn", (*facts.namespaces, settings.namespace))
    guards += [
        integrity_policies.make_unguarded_policy(facts),
        binding("unguarded", namespaces=elsewhere),
    ]
    if settings.stamps != "nobody":
        guards += [integrity_policies.make_author_policy(facts), binding("changers")]
    if settings.stamps == "policy":
        guards += change_stamps.make_stamp_policy(facts)
    guards += webhook.make_webhooks(facts, settings)
    return tuple(guards)


def _bind_in_namespaces(
    name: str, rules: tuple[dict[str, Json], ...], facts: GuardFacts
) -> tuple[Object, ...]:
    """Return bindings for the namespaces with GuardParameters.

    A creation requires the parameters. An update without them is allowed, because a namespace in deletion
    loses them first and must still remove finalizers (decision 19). Only controllers can delete them.
    """
    namespaces = _select_namespaces("In", facts.namespaces)

    def only(operation: str) -> list[dict[str, Json]]:
        return [{**rule, "operations": [operation]} for rule in rules]

    created = binding(name, namespaces=namespaces, rules=only("CREATE"), missing="Deny")
    if all(rule["operations"] == ["CREATE"] for rule in rules):
        return (created,)
    changed = binding(
        name, name=f"{name}-changed", namespaces=namespaces, rules=only("UPDATE"), missing="Allow"
    )
    return (created, changed)


def _select_namespaces(operator: str, names: tuple[str, ...]) -> dict[str, Json]:
    """Return a selector by the name label of Kubernetes. `In` requires a value; "" selects none."""
    values: list[Json] = list(names) or [""]
    return {"matchExpressions": [{"key": NAME_LABEL, "operator": operator, "values": values}]}
