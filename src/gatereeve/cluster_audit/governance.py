"""What governance already covers, as far as the looked-at objects tell: our classes and our models.

Also who serves an Ingress: its class and that class's controller. Reads documents leniently: what
`compile` makes of them is not repeated here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gatereeve.api import plain_objects
from gatereeve.api.plain_objects import RawDoc
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.labels import Labels
from gatereeve.compile.routes import classes, foreign_annotations
from gatereeve.core import conditions
from gatereeve.core.refs import GATEREEVE_GROUP

ServiceKey: TypeAlias = tuple[str, str]
"""(namespace, name)."""

Parent: TypeAlias = tuple[str, str, str]
"""(Gateway or ListenerSet, namespace, name)."""

NGINX = "k8s.io/ingress-nginx"
_DEFAULT_CLASS = "gatereeve"
_PARENT_KINDS = ("Gateway", "ListenerSet")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GovernedObjects:
    """classes: names that a Gate serves. parents: Gateways and ListenerSets, and whether they are ours.

    controllers: class name to controller, of every IngressClass. default: the default class.
    versions: Services behind governed versions, and the name of one of them. namespaces: those with
    a governed version. selectors: of these Services, by namespace.
    """

    classes: frozenset[str]
    parents: Mapping[Parent, bool]
    controllers: Mapping[str, str]
    default: str | None
    versions: Mapping[ServiceKey, str]
    selectors: Mapping[str, tuple[tuple[Labels, str], ...]]

    @property
    def namespaces(self) -> frozenset[str]:
        return frozenset(namespace for namespace, _ in self.versions)

    def class_of(self, ingress: RawDoc) -> str | None:
        """The class that an Ingress is of; None when it names none and there is no default."""
        named = plain_objects.text(plain_objects.get(ingress.spec, "spec", "ingressClassName"))
        return named or ingress.meta.annotations.get(foreign_annotations.CLASS) or self.default

    def parents_of(self, route: RawDoc) -> tuple[Parent, ...]:
        """The Gateways and ListenerSets that a route names; a mesh's Services are none."""
        return tuple(
            (
                kind,
                plain_objects.text(plain_objects.get(one, "namespace")) or route.ref.namespace,
                plain_objects.text(plain_objects.get(one, "name")),
            )
            for one in plain_objects.sequence(plain_objects.get(route.spec, "spec", "parentRefs"))
            if (
                kind := (
                    plain_objects.text(plain_objects.get(one, "kind")) or "Gateway"
                ).removeprefix("X")
            )
            in _PARENT_KINDS
        )

    def is_ours(self, ingress: RawDoc) -> bool:
        """Whether a Gate serves the Ingress."""
        return self.class_of(ingress) in self.classes

    def may_be_nginx(self, ingress: RawDoc) -> bool:
        """Whether ingress-nginx serves it, as far as is known: another controller is known not to."""
        name = self.class_of(ingress)
        if name in self.classes:
            return False
        return name is None or self.controllers.get(name, NGINX) == NGINX

    def version_behind(self, key: ServiceKey, selector: Labels) -> str | None:
        """The governed version that a Service reaches: it is its backend, or selects all its pods."""
        if key in self.versions:
            return self.versions[key]
        for wanted, version in self.selectors.get(key[0], ()):
            if selector and selector.items() <= wanted.items():
                return version
        return None


def governed(inventory: Inventory) -> GovernedObjects:
    """One pass over Gates, class documents, Gateways, ModelVersions and their Services."""
    # The default class is ours when nothing is known of Gates: a false alarm would claim too much.
    ours = set() if inventory.is_listed("Gate") else {_DEFAULT_CLASS}
    ours |= {
        name
        for gate in inventory.of((GATEREEVE_GROUP, "Gate"))
        for name in plain_objects.words(plain_objects.get(gate.spec, "spec", "classes"))
        or (_DEFAULT_CLASS,)
    }
    controllers: dict[str, str] = {}
    default = None
    for doc in inventory.of(("networking.k8s.io", "IngressClass")):
        controller = plain_objects.text(plain_objects.get(doc.spec, "spec", "controller"))
        controllers[doc.ref.name] = controller
        if controller == conditions.CONTROLLER:
            ours.add(doc.ref.name)
        if doc.meta.annotations.get(classes.DEFAULT_ANNOTATION) == "true":
            default = default or doc.ref.name
    gateway_classes = frozenset(
        doc.ref.name
        for doc in inventory.of(("gateway.networking.k8s.io", "GatewayClass"))
        if plain_objects.get(doc.spec, "spec", "controllerName") == conditions.CONTROLLER
    ) | (ours - controllers.keys())
    versions: dict[ServiceKey, str] = {}
    for doc in inventory.of((GATEREEVE_GROUP, "ModelVersion")):
        service = plain_objects.text(plain_objects.get(doc.spec, "spec", "backend", "service"))
        if service:
            versions.setdefault((doc.ref.namespace, service), str(doc.ref))
    selectors: defaultdict[str, list[tuple[Labels, str]]] = defaultdict(list)
    for doc in inventory.of(("", "Service")):
        key = (doc.ref.namespace, doc.ref.name)
        selector = plain_objects.texts(plain_objects.get(doc.spec, "spec", "selector"))
        if key in versions and selector:
            selectors[key[0]].append((selector, versions[key]))
    return GovernedObjects(
        classes=frozenset(ours),
        parents=_parents(inventory, gateway_classes),
        controllers=controllers,
        default=default,
        versions=versions,
        selectors={namespace: tuple(found) for namespace, found in selectors.items()},
    )


def _parents(inventory: Inventory, gateway_classes: frozenset[str]) -> Mapping[Parent, bool]:
    group = "gateway.networking.k8s.io"
    found = {
        ("Gateway", doc.ref.namespace, doc.ref.name): (
            plain_objects.text(plain_objects.get(doc.spec, "spec", "gatewayClassName"))
            in gateway_classes
        )
        for doc in inventory.of((group, "Gateway"))
    }
    for doc in inventory.of((group, "ListenerSet")):
        parent = plain_objects.get(doc.spec, "spec", "parentRef")
        namespace = plain_objects.text(plain_objects.get(parent, "namespace")) or doc.ref.namespace
        gateway = ("Gateway", namespace, plain_objects.text(plain_objects.get(parent, "name")))
        if gateway in found:
            found["ListenerSet", doc.ref.namespace, doc.ref.name] = found[gateway]
    return found
