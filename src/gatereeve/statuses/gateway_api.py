"""Statuses of GatewayClasses, Gateways and HTTPRoutes, in the words of Gateway API v1.6.

Conditions of ours beside the specification's carry our domain in their type. `Programmed` of a
Gateway means that its configuration was handed to gates that run (the specification's meaning);
that every gate was proved to run it stands in the Gate's own status.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from gatereeve.api import kube
from gatereeve.api.world import GatewayClassDoc, HostGrantDoc, Key
from gatereeve.compile.backends import resolution
from gatereeve.compile.routes.gateways import (
    GROUP,
    Binding,
    ListenerState,
    secret_name,
    takes_routes,
)
from gatereeve.compile.routes.listener_sets import ListenerPort
from gatereeve.compile.routes.requests import ParentRef, RouteDocument, RouteRule
from gatereeve.core.conditions import (
    CONTROLLER,
    Condition,
    GatewayBody,
    GatewayClassBody,
    ListenerStatus,
    ObjectStatus,
    ParentStatus,
    RouteBody,
)
from gatereeve.core.findings import Finding
from gatereeve.statuses import conditions
from gatereeve.statuses.index import StatusIndex, status

FEATURES: Final = (
    "Gateway",
    "GatewayHTTPListenerIsolation",
    "HTTPRoute",
    "HTTPRoute303RedirectStatusCode",
    "HTTPRoute307RedirectStatusCode",
    "HTTPRoute308RedirectStatusCode",
    "HTTPRouteBackendProtocolH2C",
    "HTTPRouteBackendTimeout",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestMirror",
    "HTTPRouteRequestMultipleMirrors",
    "HTTPRouteRequestPercentageMirror",
    "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteSchemeRedirect",
    "ReferenceGrant",
)
"""What we claim to support, sorted as the specification demands: names of its `pkg/features`."""

OWN_ADDRESSES: Final = ("GatewayAddressEmpty", "GatewayPort8080")
"""What is claimed where each Gateway has addresses of its own: it asks for ports of the Gateway's choice.

Not HTTPRouteParentRefPort, although `parentRef.port` is kept: its test wants backends to see the port
that stands in Host, and a gate drops that port before anything is decided.
"""

OVERLAP: Final = "gatereeve.dev/RouteRulesOverlap"
SERVED: Final = "gatereeve.dev/Served"

_MAX_PARENTS = 32
_RULE_CODES = frozenset(
    {
        "path-refused", "pattern-refused", "rule-invalid", "filter-unsupported", "backend-mix",
        "path-outside-protocol",
    }
)  # fmt: skip
"""Findings by which some rule of a route is not served as it was written."""

_REFERENCE_REASONS = {
    "backend-kind-unknown": "InvalidKind",
    "backend-not-granted": "RefNotPermitted",
    "service-not-granted": "RefNotPermitted",
    "was-governed": "RefNotPermitted",
    "hidden-path-to-model": "RefNotPermitted",
    "backend-not-found": "BackendNotFound",
    "backend-port-unknown": "BackendNotFound",
    "model-not-found": "BackendNotFound",
}


def derive_class(reading: StatusIndex, doc: GatewayClassDoc) -> ObjectStatus | None:
    """A class of our controller: Accepted when a Gate serves it. None for those of others."""
    served = reading.classes.gateway
    if doc.spec.controller_name != CONTROLLER:
        return None
    findings = reading.of(doc)
    if doc.ref.name in served:
        message = f"Gate {served[doc.ref.name]} serves it"
        accepted = conditions.true("Accepted", "Accepted", message)
    elif conditions.of_codes(findings, "parameters-invalid"):
        accepted = conditions.false("Accepted", "InvalidParameters", conditions.text(findings))
    else:
        accepted = conditions.false("Accepted", "Pending", conditions.text(findings))
    gate = reading.world.gates.get(("", served.get(doc.ref.name, "")))
    own = gate is not None and gate.spec.gateways is not None
    features = tuple(sorted((*FEATURES, *OWN_ADDRESSES))) if own else FEATURES
    return status(doc, GatewayClassBody(features=features), accepted)


def derive_gateway(
    reading: StatusIndex, key: Key, attached: Mapping[tuple[Key, str], int]
) -> ObjectStatus | None:
    """The status of a Gateway of a class that a Gate serves; None for others.

    attached: how many routes each listener took (`count_attached`).
    """
    binding = reading.bindings.get(key)
    return None if binding is None else _gateway(reading, key, binding, attached)


def count_attached(reading: StatusIndex) -> Mapping[tuple[Key, str], int]:
    """How many routes each listener of a Gateway took."""
    taken: Counter[tuple[Key, str]] = Counter()
    for document in reading.documents.values():
        taken.update(_taken_by(reading, document))
    return taken


def _taken_by(reading: StatusIndex, claimed: RouteDocument) -> frozenset[tuple[Key, str]]:
    return frozenset(
        (parent.gateway, listener)
        for parent in claimed.parents
        if _accepted(reading, claimed, parent).status == "True"
        for listener in parent.listeners
    )


def _gateway(
    reading: StatusIndex, key: Key, binding: Binding, attached: Mapping[tuple[Key, str], int]
) -> ObjectStatus:
    facts = reading.facts(binding.gate)
    addresses = facts.addresses if binding.listener_set is None else reading.gateway_addresses(key)
    listeners = tuple(
        _listener(reading, binding, state, listener, attached.get((key, state.name), 0))
        for state, listener in zip(binding.states, binding.doc.spec.listeners, strict=False)
    )
    accepted = _gateway_accepted(reading, binding)
    return status(
        binding.doc,
        GatewayBody(addresses=addresses[:16] if facts.running else (), listeners=listeners),
        accepted,
        _gateway_programmed(reading, binding, accepted, addresses, listeners),
    )


def _gateway_accepted(reading: StatusIndex, binding: Binding) -> Condition:
    if binding.refused is not None:
        return conditions.false("Accepted", *binding.refused)
    message = conditions.text(reading.of(binding.doc))
    served = sum(state.attached is not None for state in binding.states)
    if not served:
        return conditions.false("Accepted", "ListenersNotValid", message)
    why = "Accepted" if served == len(binding.states) else "ListenersNotValid"
    return conditions.true("Accepted", why, message)


def _gateway_programmed(
    reading: StatusIndex,
    binding: Binding,
    accepted: Condition,
    addresses: tuple[str, ...],
    listeners: tuple[ListenerStatus, ...],
) -> Condition:
    facts = reading.facts(binding.gate)
    if accepted.status != "True":
        return conditions.false("Programmed", "Invalid", accepted.message)
    if not facts.running:
        return conditions.false("Programmed", "Pending", f"no gate runs Gate {binding.gate} yet")
    if not addresses:
        return conditions.false(
            "Programmed", "AddressNotAssigned", "it is not known where it is met"
        )
    programmed = [
        condition
        for listener in listeners
        for condition in listener.conditions
        if condition.type == "Programmed"
    ]
    if any(condition.status == "True" for condition in programmed):
        return conditions.true("Programmed", "Programmed", f"on Gate {binding.gate}")
    pending = all(condition.reason == "Pending" for condition in programmed)
    message = "no listener of it is served"
    return conditions.false("Programmed", "Pending" if pending else "Invalid", message)


def _listener(
    reading: StatusIndex,
    binding: Binding,
    state: ListenerState,
    listener: kube.Listener,
    attached: int,
) -> ListenerStatus:
    """The status of `listener`; `state` was computed from it."""
    if state.refused is not None:
        accepted = conditions.false("Accepted", *state.refused)
    elif state.conflict is not None:
        accepted = conditions.false("Accepted", *state.conflict)
    else:
        accepted = conditions.true("Accepted", "Accepted")
    conflicted = (
        conditions.false("Conflicted", "NoConflicts")
        if state.conflict is None
        else conditions.true("Conflicted", *state.conflict)
    )
    resolved = _resolved(reading, binding, state)
    takes = state.is_known and takes_routes(listener.allowed_routes)
    return ListenerStatus(
        name=state.name,
        kinds=((GROUP, "HTTPRoute"),) if takes else (),
        attached=attached,
        conditions=(
            accepted,
            _listener_programmed(reading, binding, state, accepted, resolved),
            resolved,
            conflicted,
        ),
    )


def _resolved(reading: StatusIndex, binding: Binding, state: ListenerState) -> Condition:
    problem = _certificate_problem(reading, binding, state)
    if problem is not None:
        permitted = problem.code != "secret-not-granted"
        why = "InvalidCertificateRef" if permitted else "RefNotPermitted"
        return conditions.false("ResolvedRefs", why, f"{problem.message}: {problem.hint}")
    if state.unknown:
        message = f"routes of kind {', '.join(state.unknown)} are not served"
        return conditions.false("ResolvedRefs", "InvalidRouteKinds", message)
    return conditions.true("ResolvedRefs", "ResolvedRefs")


def _certificate_problem(
    reading: StatusIndex, binding: Binding, state: ListenerState
) -> Finding | None:
    for reference in () if state.attached is None else state.attached.certificates:
        namespace = reference.namespace or binding.doc.ref.namespace
        pair = reading.secrets.key_pair(binding.doc, namespace, secret_name(reference))
        if isinstance(pair, Finding):
            return pair
    return None


def _listener_programmed(
    reading: StatusIndex,
    binding: Binding,
    state: ListenerState,
    accepted: Condition,
    resolved: Condition,
) -> Condition:
    if state.attached is None:
        return conditions.false("Programmed", "Invalid", accepted.message)
    if resolved.status != "True" and resolved.reason != "InvalidRouteKinds":
        return conditions.false("Programmed", "Invalid", resolved.message)
    if not any(x.name == state.attached.listener_port for x in _doors(reading, binding)):
        message = f"port {state.attached.port} is not open on Gate {binding.gate} yet"
        return conditions.false("Programmed", "Pending", message)
    if not reading.facts(binding.gate).running:
        return conditions.false("Programmed", "Pending", f"no gate runs Gate {binding.gate} yet")
    return conditions.true("Programmed", "Programmed")


def _doors(reading: StatusIndex, binding: Binding) -> tuple[ListenerPort, ...]:
    listener_set = binding.listener_set or reading.own_listener_set(binding.gate)
    return listener_set.listener_ports


def derive_route(reading: StatusIndex, document: RouteDocument) -> ObjectStatus:
    """The status of an HTTPRoute: one entry for each parentRef that names a Gateway of ours."""
    gates = {parent.gate for parent in document.parents[:_MAX_PARENTS]}
    targets = {gate: _targets(reading, document, gate) for gate in gates}
    return _route(reading, document, targets)


def _targets(
    reading: StatusIndex, claimed: RouteDocument, gate: str
) -> tuple[resolution.ResolvedBackend, ...]:
    """What every backend that a rule or mirror names is on a gate, wherever it is asked for."""
    services, policies = reading.services, reading.policies_on(gate)
    uses: list[tuple[RouteRule, tuple[HostGrantDoc, ...] | None]] = []
    for rule in claimed.rules:
        places = (e for e in claimed.entries if e.gate == gate and e.route_request.rule is rule)
        grant_sets = dict.fromkeys(entry.grants for entry in places)
        uses += [(rule, grants) for grants in grant_sets or (None,)]
    return tuple(
        resolution.resolve(
            claimed.doc,
            backend,
            grants,
            model_policies=policies,
            found=services,
        )
        for rule, grants in uses
        for backend in (*rule.backends, *(mirror.backend for mirror in rule.mirrors))
    )


def _route(
    reading: StatusIndex,
    claimed: RouteDocument,
    targets: Mapping[str, tuple[resolution.ResolvedBackend, ...]],
) -> ObjectStatus:
    parents = claimed.parents[:_MAX_PARENTS]
    parent_statuses = tuple(
        _parent(reading, claimed, parent, targets[parent.gate]) for parent in parents
    )
    return status(claimed.doc, RouteBody(parents=parent_statuses))


def _parent(
    reading: StatusIndex,
    claimed: RouteDocument,
    parent: ParentRef,
    targets: tuple[resolution.ResolvedBackend, ...],
) -> ParentStatus:
    ref = claimed.doc.ref
    reference = reading.world.http_routes[ref.namespace, ref.name].spec.parent_refs[parent.number]
    accepted = _accepted(reading, claimed, parent)
    conditions = [accepted, _references(targets)]
    if accepted.status == "True":
        conditions += _reservations(reading, claimed, parent)
    return ParentStatus(
        group=reference.group,
        kind=reference.kind,
        namespace=reference.namespace,
        name=reference.name,
        section=reference.section_name,
        port=reference.port,
        conditions=tuple(conditions),
    )


def _accepted(reading: StatusIndex, claimed: RouteDocument, parent: ParentRef) -> Condition:
    if parent.refused is not None:
        return conditions.false("Accepted", *parent.refused)
    findings = reading.of(claimed.doc)
    if not claimed.live:
        return conditions.false(
            "Accepted", "UnsupportedValue", conditions.text(_rule_findings(findings))
        )
    refused = conditions.of_codes(findings, "host-not-granted")
    if refused and not any(
        entry.gate == parent.gate and entry.gateway == parent.listener_set
        for entry in claimed.entries
    ):
        return conditions.false("Accepted", "HostNotGranted", conditions.text(refused))
    return conditions.true("Accepted", "Accepted")


def _rule_findings(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.code in _RULE_CODES]


def _references(targets: tuple[resolution.ResolvedBackend, ...]) -> Condition:
    """Whether every backend can be used on the parent's gate."""
    for target in targets:
        if isinstance(target, resolution.UnresolvedBackend):
            problem = target.problem
            why = _REFERENCE_REASONS.get(problem.code, conditions.reason(problem.code))
            return conditions.false("ResolvedRefs", why, f"{problem.message}: {problem.hint}")
    return conditions.true("ResolvedRefs", "ResolvedRefs")


def _reservations(
    reading: StatusIndex, claimed: RouteDocument, parent: ParentRef
) -> list[Condition]:
    """Conditions of an accepted route that is not served in full; each only where it applies."""
    reservations = []
    own = reading.of(claimed.doc)
    dropped = [*_rule_findings(own), *conditions.of_codes(own, "host-not-granted")]
    if dropped:
        message = f"Dropped Rule: {conditions.text(dropped)}"
        reservations.append(conditions.true("PartiallyInvalid", "UnsupportedValue", message))
    its = reading.at_listener_set(parent.gate, parent.listener_set, claimed.doc)
    lost = conditions.of_codes(its, "route-conflict")
    if lost:
        reservations.append(conditions.true(OVERLAP, "RouteConflict", conditions.text(lost)))
    insecure = conditions.of_codes(its, "tls-unavailable")
    unserved = [*conditions.of_codes(own, "gate-rejected"), *insecure]
    if unserved:
        reservations.append(conditions.from_findings(SERVED, unserved))
    return reservations
