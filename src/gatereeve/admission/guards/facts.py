"""The facts of a World in the text of policies: classes, Gateways, labels and namespaces.

All other values are in the GuardParameters of a namespace.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.named_people import NamedPeople
from gatereeve.api.world import World
from gatereeve.compile.routes.classes import classes_of
from gatereeve.compile.routes.host_grants import NAME_LABEL
from gatereeve.core.conditions import CLASS_ANNOTATION


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFacts:
    """ingress_classes, gateway_classes: our classes. default: whether Ingresses without a class are ours.

    certified: ingress classes whose Gate has a default certificate. listeners: of our Gateways.
    labels: by which HostGrants select namespaces. namespaces: those with GuardParameters.
    """

    ingress_classes: tuple[str, ...]
    default: bool
    certified: tuple[str, ...]
    gateway_classes: tuple[str, ...]
    listeners: tuple[dict[str, str], ...]
    labels: tuple[str, ...]
    namespaces: tuple[str, ...]

    @property
    def gateways(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(listener["gateway"] for listener in self.listeners))


def collect_facts(world: World, people: NamedPeople) -> GuardFacts:
    """Return the facts, sorted, so that equal documents give equal policies."""
    classes = classes_of(world)
    certified = {
        gate.ref.name for gate in world.gates.values() if gate.spec.tls.default_certificate
    }
    return GuardFacts(
        ingress_classes=tuple(sorted(classes.ingress)),
        default=classes.default is not None,
        certified=tuple(sorted(c for c, gate in classes.ingress.items() if gate in certified)),
        gateway_classes=tuple(sorted(classes.gateway)),
        listeners=tuple(
            {
                "gateway": f"{namespace}/{name}",
                "name": listener.name,
                "port": str(listener.port),
                "host": listener.hostname or "*",
            }
            for (namespace, name), doc in sorted(world.gateways.items())
            if doc.spec.gateway_class_name in classes.gateway
            for listener in doc.spec.listeners
        ),
        labels=tuple(
            sorted(
                {
                    label
                    for grant in world.host_grants.values()
                    for label in grant.spec.namespace_selector.match_labels
                }
                - {NAME_LABEL}  # Kubernetes protects it
            )
        ),
        namespaces=tuple(team.namespace for team in people.teams),
    )


def is_our_ingress(facts: GuardFacts) -> str:
    """As `compile.routes.classes.gate_of_ingress`, including ambiguous classes."""
    ours = cel.texts(facts.ingress_classes)
    named = "has(object.spec.ingressClassName)"
    annotated = f"{cel.text(CLASS_ANNOTATION)} in {cel.ANNOTATIONS}"
    annotation = f"{cel.ANNOTATIONS}[{cel.text(CLASS_ANNOTATION)}]"
    conditions = [
        f"{named} && object.spec.ingressClassName in {ours}",
        f"{annotated} && {annotation} in {ours}",
    ]
    if facts.default:
        conditions.append(f"!{named} && !({annotated})")
    return cel.any_of(conditions)


def is_our_gateway(facts: GuardFacts) -> str:
    return f"object.spec.gatewayClassName in {cel.texts(facts.gateway_classes)}"


def names_our_gateway(facts: GuardFacts) -> str:
    """Return whether a parentRef names one of our Gateways."""
    return (
        "has(object.spec.parentRefs) && object.spec.parentRefs.exists(parent,"
        f" {GATEWAY_OF_PARENT} in {cel.texts(facts.gateways)})"
    )


GATEWAY_OF_PARENT = (
    "((!has(parent.kind) || parent.kind == 'Gateway') ?"
    " ((has(parent.namespace) ? parent.namespace : request.namespace)"
    " + '/' + parent.name) : '')"
)
