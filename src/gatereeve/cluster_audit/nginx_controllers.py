"""The ingress-nginx controllers of a cluster: their images, arguments and ConfigMaps.

Controllers are found by image, their ConfigMaps by argument, name, or labels of the chart. The controller
of NGINX Inc. (`nginx.org`) is another program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gatereeve.api import plain_objects as plain
from gatereeve.api.plain_objects import RawDoc
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.kinds import WORKLOADS
from gatereeve.cluster_audit.labels import pod_of

PREFIX = "nginx.ingress.kubernetes.io"
_NAMES = frozenset({"ingress-nginx-controller", "nginx-configuration", "nginx-ingress-controller"})
_IMAGE = re.compile(
    r"(?:ingress-nginx/|ingress-nginx-|nginx-ingress-)controller(?:-chroot)?(?=[:@]|$)"
)
"""The image of the controller; the project publishes other images, too."""

_VERSION = re.compile(r":v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """One workload with ingress-nginx. version: from the image tag, or None.

    prefix: of its annotations. arguments: by name, without dashes.
    """

    doc: RawDoc
    image: str
    version: tuple[int, int, int] | None
    arguments: dict[str, str]

    @property
    def prefix(self) -> str:
        return self.arguments.get("annotations-prefix", PREFIX)

    def names(self, argument: str) -> tuple[str, str] | None:
        """Return namespace and name of the ConfigMap that an argument names."""
        namespace, slash, name = self.arguments.get(argument, "").partition("/")
        if not slash:
            return None
        return (self.doc.ref.namespace if namespace.startswith("$(") else namespace, name)


def find_controllers(inventory: Inventory) -> tuple[Controller, ...]:
    """Return all controllers, without pods that belong to another workload."""
    return tuple(
        controller
        for doc in inventory.of(*WORKLOADS)
        if not plain.sequence(plain.get(doc.spec, "metadata", "ownerReferences"))
        and (controller := _read_controller(doc)) is not None
    )


def _read_controller(doc: RawDoc) -> Controller | None:
    for container in plain.sequence(plain.get(pod_of(doc), "spec", "containers")):
        image = plain.text(plain.get(container, "image"))[:512]
        if not _IMAGE.search(image):
            continue
        version = _VERSION.search(image)
        arguments = {}
        for argument in (
            *plain.words(plain.get(container, "args")),
            *plain.words(plain.get(container, "command")),
        ):
            name, equals, value = argument.lstrip("-").partition("=")
            arguments[name] = value if equals else "true"
        return Controller(
            doc=doc,
            image=image,
            version=(int(version[1]), int(version[2]), int(version[3])) if version else None,
            arguments=arguments,
        )  # fmt: skip
    return None


def find_config_maps(inventory: Inventory) -> Iterator[RawDoc]:
    """Yield ConfigMaps of controllers: named by an argument, or as in the chart."""
    named = {c.names("configmap") for c in find_controllers(inventory)}
    for doc in inventory.of(("", "ConfigMap")):
        is_of_chart = doc.ref.name in _NAMES or (
            doc.meta.labels.get("app.kubernetes.io/name") == "ingress-nginx"
            and doc.meta.labels.get("app.kubernetes.io/component") == "controller"
        )
        if (doc.ref.namespace, doc.ref.name) in named or is_of_chart:
            yield doc


def find_tcp_tables(inventory: Inventory) -> Iterator[RawDoc]:
    """Yield ConfigMaps that open TCP ports to Services."""
    named = {c.names("tcp-services-configmap") for c in find_controllers(inventory)}
    for doc in inventory.of(("", "ConfigMap")):
        has_usual_name = doc.ref.name == "tcp-services" or doc.ref.name.endswith(
            "ingress-nginx-tcp"
        )
        if (doc.ref.namespace, doc.ref.name) in named or has_usual_name:
            yield doc
