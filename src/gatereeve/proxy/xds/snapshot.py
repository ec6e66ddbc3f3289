"""What one Gate is to run, as bytes: resources by type and name, every version a content hash.

Here are the values (`Resource`, `Snapshot`), how they are made from Envoy messages, and how two
snapshots differ. The values are immutable; two versions of a thing are two values. Serialisation is
deterministic, so that all replicas publish the same bytes under the same names and a gate may
reconnect anywhere without warming anew.

No I/O, no protocol state, no knowledge of what the resources say.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NewType

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2

from gatereeve.core import errors, refs

TypeUrl = NewType("TypeUrl", str)

CDS: Final = TypeUrl("type.googleapis.com/envoy.config.cluster.v3.Cluster")
EDS: Final = TypeUrl("type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment")
LDS: Final = TypeUrl("type.googleapis.com/envoy.config.listener.v3.Listener")
ECDS: Final = TypeUrl("type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig")
SRDS: Final = TypeUrl("type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration")
RDS: Final = TypeUrl("type.googleapis.com/envoy.config.route.v3.RouteConfiguration")
SDS: Final = TypeUrl("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret")

TYPES: Final = (CDS, EDS, SDS, LDS, ECDS, SRDS, RDS)
"""Every served type, in the order in which additions are sent."""

WILDCARD_TYPES: Final = frozenset({CDS, LDS, SRDS})
"""Types a gate takes whole. The others are asked for by name."""

SEAL: Final = "gatereeve.gate"
"""The filter configuration that says which snapshot a gate runs. It is sent last, when the gate has
accepted everything else of the snapshot, and so it is what `activation` may believe."""

_SHORT: Final = {
    CDS: "CDS",
    EDS: "EDS",
    SDS: "SDS",
    LDS: "LDS",
    ECDS: "ECDS",
    SRDS: "SRDS",
    RDS: "RDS",
}
_VERSION_DIGITS: Final = 32


def short_name(type_url: TypeUrl) -> str:
    """The xDS abbreviation of a served type (`RDS`), for people and metrics."""
    return _SHORT.get(type_url, str(type_url))


Need = tuple[TypeUrl, str]
"""A resource another one waits for before it serves: its type and name."""


class ResourceError(errors.PublishError):
    """One resource cannot be made, or not be sent. need: its type and name."""

    def __init__(self, need: Need, message: str) -> None:
        super().__init__(f"{short_name(need[0])} {need[1]} {message}")
        self.need = need


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One xDS resource: the deterministically serialised message under its name.

    `version` is the content hash, 32 hexadecimal digits. `needs` are the resources Envoy asks for
    by name once it has this one; they follow from the body and take no part in the version.
    `terms` says of a listener what its connections keep for as long as they live.
    """

    name: str
    version: str
    body: bytes = dataclasses.field(repr=False)
    needs: tuple[Need, ...] = ()
    terms: str = ""


Resources = Mapping[str, Resource]
"""The resources of one type by name."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that one Gate is to run. `version` names the whole: a content hash made by the compiler.

    Every resource stands under its own name. Types left out are empty.
    """

    version: refs.ConfigHash
    resources: Mapping[TypeUrl, Resources]

    def of(self, type_url: TypeUrl) -> Resources:
        """The resources of one type; empty when the snapshot has none."""
        return self.resources.get(type_url, {})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TypeDiff:
    """How one type differs between two snapshots; names sorted."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def resource_of(message: Any, *, name: str | None = None) -> Resource:  # protobuf has no types here
    """Make a Resource of an Envoy message.

    name: taken from the message when not given (`cluster_name` for a ClusterLoadAssignment).
    Raises ValueError when the message has no name.
    """
    named = name or getattr(message, "name", "") or getattr(message, "cluster_name", "")
    if not named:
        raise ValueError(f"a {message.DESCRIPTOR.name} without a name cannot be served over xDS")
    body: bytes = message.SerializeToString(deterministic=True)
    return Resource(name=named, version=_version(body), body=body, needs=needs_of(message))


def resource_of_bytes(name: str, body: bytes) -> Resource:
    """Make a Resource of a message that is serialised already and waits for no other resource."""
    return Resource(name=name, version=_version(body), body=body)


def _version(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:_VERSION_DIGITS]


def type_url_of(message: Any) -> TypeUrl:
    """The type URL under which a message travels."""
    return TypeUrl(f"type.googleapis.com/{message.DESCRIPTOR.full_name}")


def diff(old: Snapshot | None, new: Snapshot) -> dict[TypeUrl, TypeDiff]:
    """What `new` adds, changes and removes, per type in sending order; types without change left out.

    A missing old snapshot counts as empty.
    """
    found = {}
    for type_url in TYPES:
        before = old.of(type_url) if old else {}
        after = new.of(type_url)
        entry = TypeDiff(
            added=tuple(sorted(after.keys() - before.keys())),
            changed=tuple(
                sorted(
                    name
                    for name in after.keys() & before.keys()
                    if after[name].version != before[name].version
                )
            ),
            removed=tuple(sorted(before.keys() - after.keys())),
        )
        if entry:
            found[type_url] = entry
    return found


def type_version(resources: Resources) -> str:
    """The content hash of one type: over names and versions, in order of names."""
    digest = hashlib.sha256()
    for name in sorted(resources):
        digest.update(f"{len(name)}:{name}={resources[name].version};".encode())
    return digest.hexdigest()[:_VERSION_DIGITS]


def needs_of(message: Any) -> tuple[Need, ...]:
    """The resources Envoy asks for by name once it has this message; sorted, each once.

    Understands clusters (endpoints, secrets) and listeners (routes, filters, secrets) as this
    project builds them; a need it does not see costs only a less precise `Settled`.
    """
    if isinstance(message, cluster_pb2.Cluster):
        found = set(_cluster_needs(message))
    elif isinstance(message, listener_pb2.Listener):
        found = set(_listener_needs(message))
    else:
        return ()
    return tuple(sorted(found))


def _cluster_needs(cluster: Any) -> Iterator[Need]:
    if cluster.type == cluster_pb2.Cluster.EDS:
        yield EDS, cluster.eds_cluster_config.service_name or cluster.name
    if cluster.HasField("transport_socket"):
        yield from _socket_needs(cluster.transport_socket)
    for match in cluster.transport_socket_matches:
        yield from _socket_needs(match.transport_socket)


def _listener_needs(listener: Any) -> Iterator[Need]:
    chains = [*listener.filter_chains]
    if listener.HasField("default_filter_chain"):
        chains.append(listener.default_filter_chain)
    for chain in chains:
        if chain.HasField("transport_socket"):
            yield from _socket_needs(chain.transport_socket)
        for network_filter in chain.filters:
            manager = _unpack(network_filter.typed_config, hcm_pb2.HttpConnectionManager)
            if manager is not None:
                yield from _manager_needs(manager)


def _manager_needs(manager: Any) -> Iterator[Need]:
    if manager.WhichOneof("route_specifier") == "rds":
        yield RDS, manager.rds.route_config_name
    for http_filter in manager.http_filters:
        if http_filter.WhichOneof("config_type") == "config_discovery":
            yield ECDS, http_filter.name


def _socket_needs(socket: base_pb2.TransportSocket) -> Iterator[Need]:
    for kind in (tls_pb2.DownstreamTlsContext, tls_pb2.UpstreamTlsContext):
        context = _unpack(socket.typed_config, kind)
        if context is None:
            continue
        common = context.common_tls_context
        secrets = [*common.tls_certificate_sds_secret_configs]
        which = common.WhichOneof("validation_context_type")
        if which == "validation_context_sds_secret_config":
            secrets.append(common.validation_context_sds_secret_config)
        if which == "combined_validation_context":
            secrets.append(common.combined_validation_context.validation_context_sds_secret_config)
        # Without a source the name means a secret of the bootstrap, which is not ours to serve.
        yield from ((SDS, secret.name) for secret in secrets if secret.HasField("sds_config"))


def _unpack(packed: Any, kind: Any) -> Any | None:
    if not packed.Is(kind.DESCRIPTOR):
        return None
    message = kind()
    packed.Unpack(message)
    return message
