"""What is governed already: our classes and our models; and which controller serves an Ingress.

It reads documents leniently and does not repeat `compile`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gatereeve.api import plain_objects as plain
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
    """classes: served by a Gate. parents: Gateways and ListenerSets, and whether a Gate serves them.

    controllers: by IngressClass. default: the default class. versions: a governed version by its Service.
    selectors: of these Services, by namespace.
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
        """Return the class of an Ingress, or None if it has none and there is no default."""
        named = plain.text(plain.get(ingress.spec, "spec", "ingressClassName"))
        return named or ingress.meta.annotations.get(foreign_annotations.CLASS) or self.default

    def parents_of(self, route: RawDoc) -> tuple[Parent, ...]:
        """Return the Gateways and ListenerSets that a route names, without Services of a mesh."""
        return tuple(
            (
                kind,
                plain.text(plain.get(parent, "namespace")) or route.ref.namespace,
                plain.text(plain.get(parent, "name")),
            )
            for parent in plain.sequence(plain.get(route.spec, "spec", "parentRefs"))
            if (kind := (plain.text(plain.get(parent, "kind")) or "Gateway").removeprefix("X"))
            in _PARENT_KINDS
        )

    def is_ours(self, ingress: RawDoc) -> bool:
        """Whether a Gate serves the Ingress."""
        return self.class_of(ingress) in self.classes

    def may_be_nginx(self, ingress: RawDoc) -> bool:
        """Whether ingress-nginx may serve it: no other controller is known to serve it."""
        name = self.class_of(ingress)
        if name in self.classes:
            return False
        return name is None or self.controllers.get(name, NGINX) == NGINX

    def version_behind(self, key: ServiceKey, selector: Labels) -> str | None:
        """Return the governed version whose backend is the Service, or whose pods it selects."""
        if key in self.versions:
            return self.versions[key]
        for wanted, version in self.selectors.get(key[0], ()):
            if selector and selector.items() <= wanted.items():
                return version
        return None


def collect_governed(inventory: Inventory) -> GovernedObjects:
    """Read Gates, classes, Gateways, ModelVersions and their Services."""
    # Without knowledge of Gates the default class counts as ours, to avoid false alarms.
    ours = set() if inventory.is_listed("Gate") else {_DEFAULT_CLASS}
    ours |= {
        name
        for gate in inventory.of((GATEREEVE_GROUP, "Gate"))
        for name in plain.words(plain.get(gate.spec, "spec", "classes")) or (_DEFAULT_CLASS,)
    }
    controllers: dict[str, str] = {}
    default = None
    for doc in inventory.of(("networking.k8s.io", "IngressClass")):
        controller = plain.text(plain.get(doc.spec, "spec", "controller"))
        controllers[doc.ref.name] = controller
        if controller == conditions.CONTROLLER:
            ours.add(doc.ref.name)
        if doc.meta.annotations.get(classes.DEFAULT_ANNOTATION) == "true":
            default = default or doc.ref.name
    gateway_classes = frozenset(
        doc.ref.name
        for doc in inventory.of(("gateway.networking.k8s.io", "GatewayClass"))
        if plain.get(doc.spec, "spec", "controllerName") == conditions.CONTROLLER
    ) | (ours - controllers.keys())
    versions: dict[ServiceKey, str] = {}
    for doc in inventory.of((GATEREEVE_GROUP, "ModelVersion")):
        service = plain.text(plain.get(doc.spec, "spec", "backend", "service"))
        if service:
            versions.setdefault((doc.ref.namespace, service), str(doc.ref))
    selectors: defaultdict[str, list[tuple[Labels, str]]] = defaultdict(list)
    for doc in inventory.of(("", "Service")):
        key = (doc.ref.namespace, doc.ref.name)
        selector = plain.texts(plain.get(doc.spec, "spec", "selector"))
        if key in versions and selector:
            selectors[key[0]].append((selector, versions[key]))
    return GovernedObjects(
        classes=frozenset(ours),
        parents=_read_parents(inventory, gateway_classes),
        controllers=controllers,
        default=default,
        versions=versions,
        selectors={namespace: tuple(values) for namespace, values in selectors.items()},
    )


def _read_parents(inventory: Inventory, gateway_classes: frozenset[str]) -> Mapping[Parent, bool]:
    group = "gateway.networking.k8s.io"
    parents = {
        ("Gateway", doc.ref.namespace, doc.ref.name): (
            plain.text(plain.get(doc.spec, "spec", "gatewayClassName")) in gateway_classes
        )
        for doc in inventory.of((group, "Gateway"))
    }
    for doc in inventory.of((group, "ListenerSet")):
        parent = plain.get(doc.spec, "spec", "parentRef")
        namespace = plain.text(plain.get(parent, "namespace")) or doc.ref.namespace
        gateway = ("Gateway", namespace, plain.text(plain.get(parent, "name")))
        if gateway in parents:
            parents["ListenerSet", doc.ref.namespace, doc.ref.name] = parents[gateway]
    return parents
