"""Where things stand in the API: group, version and plural of every resource we touch.

Documents come from `api.registry`; beside them are the few kinds that only this package writes or
asks for. Makes paths; does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from gatereeve.api import registry


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResource:
    """One resource in one version. kind: what a single object of it calls itself."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", sub: str = "") -> str:
        """The path of the collection, of one object, or of a subresource of it.

        namespace: "" for cluster kinds, and for a collection over all namespaces.
        """
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if sub:
            parts.append(sub)
        return "/" + "/".join(parts)

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


def of_kind(kind: registry.Kind, version: str = "") -> ApiResource:
    """The resource of a document kind, in its preferred version when none is given."""
    return ApiResource(
        group=kind.group,
        version=version or kind.versions[0],
        plural=kind.plural,
        kind=kind.kind,
        namespaced=kind.namespaced,
    )


def is_built_in(kind: registry.Kind) -> bool:
    """Whether every API server serves it, so that no CustomResourceDefinition says it does."""
    return kind.group in ("", "networking.k8s.io", "discovery.k8s.io")


SECRETS = of_kind(registry.BY_KIND["", "Secret"])
SERVICES = of_kind(registry.BY_KIND["", "Service"])
CONFIG_MAPS = ApiResource(
    group="", version="v1", plural="configmaps", kind="ConfigMap", namespaced=True
)
LEASES = ApiResource(
    group="coordination.k8s.io", version="v1", plural="leases", kind="Lease", namespaced=True
)
EVENTS = ApiResource(
    group="events.k8s.io", version="v1", plural="events", kind="Event", namespaced=True
)
DEFINITIONS = ApiResource(
    group="apiextensions.k8s.io",
    version="v1",
    plural="customresourcedefinitions",
    kind="CustomResourceDefinition",
    namespaced=False,
)
ACCESS_REVIEWS = ApiResource(
    group="authorization.k8s.io",
    version="v1",
    plural="selfsubjectaccessreviews",
    kind="SelfSubjectAccessReview",
    namespaced=False,
)
SELF = ApiResource(
    group="authentication.k8s.io",
    version="v1",
    plural="selfsubjectreviews",
    kind="SelfSubjectReview",
    namespaced=False,
)
