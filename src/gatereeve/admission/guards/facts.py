"""What the policies must know of a World: classes, Gateways, labels, namespaces. As plain words.

Everything else that they compare with stands in the namespaces' parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.named_people import Named
from gatereeve.api.world import World
from gatereeve.compile.routes.classes import classes_of
from gatereeve.compile.routes.host_grants import NAME_LABEL
from gatereeve.core import conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFacts:
    """ingress_classes, gateway_classes: names of ours. default: Ingresses without a class are ours.

    certified: ingress classes whose Gate has a certificate for every host. listeners: of our
    Gateways. labels: by which HostGrants select namespaces. namespaces: those with parameters.
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
        return tuple(dict.fromkeys(one["gateway"] for one in self.listeners))


def facts(world: World, people: Named) -> GuardFacts:
    """As of this World; sorted, so that equal documents give equal policies."""
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
                - {NAME_LABEL}  # Kubernetes keeps it
            )
        ),
        namespaces=tuple(team.namespace for team in people.teams),
    )


CLASS_ANNOTATION = conditions.CLASS_ANNOTATION


def is_our_ingress(known: GuardFacts) -> str:
    """`compile.routes.classes.gate_of_ingress` finds a gate, or finds the class ambiguous."""
    ours = cel.texts(known.ingress_classes)
    named = "has(object.spec.ingressClassName)"
    annotated = f"{cel.text(CLASS_ANNOTATION)} in {cel.ANNOTATIONS}"
    annotation = f"{cel.ANNOTATIONS}[{cel.text(CLASS_ANNOTATION)}]"
    found = [
        f"{named} && object.spec.ingressClassName in {ours}",
        f"{annotated} && {annotation} in {ours}",
    ]
    if known.default:
        found.append(f"!{named} && !({annotated})")
    return cel.any_of(found)


def is_our_gateway(known: GuardFacts) -> str:
    return f"object.spec.gatewayClassName in {cel.texts(known.gateway_classes)}"


def names_our_gateway(known: GuardFacts) -> str:
    """Some parentRef names a Gateway of ours."""
    return (
        "has(object.spec.parentRefs) && object.spec.parentRefs.exists(parent,"
        f" {GATEWAY_OF_PARENT} in {cel.texts(known.gateways)})"
    )


GATEWAY_OF_PARENT = (
    "((!has(parent.kind) || parent.kind == 'Gateway') ?"
    " ((has(parent.namespace) ? parent.namespace : request.namespace)"
    " + '/' + parent.name) : '')"
)
