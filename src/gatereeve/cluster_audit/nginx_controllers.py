"""The ingress-nginx controllers of a cluster: their images, arguments and ConfigMaps.

Controllers are recognised by image, their ConfigMaps by argument, name, or the labels of the chart.
Not the NGINX Inc. controller (`nginx.org`), which is another program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gatereeve.api import plain_objects
from gatereeve.api.plain_objects import RawDoc
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.kinds import WORKLOADS
from gatereeve.cluster_audit.labels import pod_of

PREFIX = "nginx.ingress.kubernetes.io"
_NAMES = frozenset({"ingress-nginx-controller", "nginx-configuration", "nginx-ingress-controller"})
_IMAGE = re.compile(
    r"(?:ingress-nginx/|ingress-nginx-|nginx-ingress-)controller(?:-chroot)?(?=[:@]|$)"
)
"""The controller itself; its project publishes other images beside it."""

_VERSION = re.compile(r":v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """One workload that runs ingress-nginx. version: of its image's tag, None when it says none.

    prefix: of the annotations that it reads. arguments: by name, without the leading dashes.
    """

    doc: RawDoc
    image: str
    version: tuple[int, int, int] | None
    arguments: dict[str, str]

    @property
    def prefix(self) -> str:
        return self.arguments.get("annotations-prefix", PREFIX)

    def names(self, argument: str) -> tuple[str, str] | None:
        """The ConfigMap that an argument names, `$(POD_NAMESPACE)` filled in."""
        namespace, slash, name = self.arguments.get(argument, "").partition("/")
        if not slash:
            return None
        return (self.doc.ref.namespace if namespace.startswith("$(") else namespace, name)


def controllers(inventory: Inventory) -> tuple[Controller, ...]:
    """Every controller; pods that belong to a workload are left to that workload."""
    return tuple(
        found
        for doc in inventory.of(*WORKLOADS)
        if not plain_objects.sequence(plain_objects.get(doc.spec, "metadata", "ownerReferences"))
        and (found := _controller(doc)) is not None
    )


def _controller(doc: RawDoc) -> Controller | None:
    for container in plain_objects.sequence(plain_objects.get(pod_of(doc), "spec", "containers")):
        image = plain_objects.text(plain_objects.get(container, "image"))[:512]
        if not _IMAGE.search(image):
            continue
        version = _VERSION.search(image)
        arguments = {}
        for one in (
            *plain_objects.words(plain_objects.get(container, "args")),
            *plain_objects.words(plain_objects.get(container, "command")),
        ):
            name, equals, value = one.lstrip("-").partition("=")
            arguments[name] = value if equals else "true"
        return Controller(
            doc=doc,
            image=image,
            version=(int(version[1]), int(version[2]), int(version[3])) if version else None,
            arguments=arguments,
        )  # fmt: skip
    return None


def config_maps(inventory: Inventory) -> Iterator[RawDoc]:
    """ConfigMaps that configure a controller: named by an argument, or as the chart names them."""
    named = {found.names("configmap") for found in controllers(inventory)}
    for doc in inventory.of(("", "ConfigMap")):
        charted = doc.ref.name in _NAMES or (
            doc.meta.labels.get("app.kubernetes.io/name") == "ingress-nginx"
            and doc.meta.labels.get("app.kubernetes.io/component") == "controller"
        )
        if (doc.ref.namespace, doc.ref.name) in named or charted:
            yield doc


def tcp_tables(inventory: Inventory) -> Iterator[RawDoc]:
    """ConfigMaps that open TCP ports to Services."""
    named = {found.names("tcp-services-configmap") for found in controllers(inventory)}
    for doc in inventory.of(("", "ConfigMap")):
        usual = doc.ref.name == "tcp-services" or doc.ref.name.endswith("ingress-nginx-tcp")
        if (doc.ref.namespace, doc.ref.name) in named or usual:
            yield doc
