"""Where documents do not say where a model's servers are, any Service may lead to them (P1, P2).

A document that is not understood may be a ModelVersion, or name servers of one. A version whose
Service is not there may mean another one. In a folder, a Model without versions may have lost them, a
Service without servers its slice, and a version without a Model in its namespace may be meant for one
that has that Model. Ordinary Services there are refused. In a cluster pods come and go, documents
come one after the other, and the memory (`World.memory`) is older than any of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from gatereeve.api.world import Key, ModelVersionDoc, World
from gatereeve.compile.governance.unreadable import ANYWHERE, UnreadableScopes

UnlocatedServer: TypeAlias = tuple[ModelVersionDoc, str]
"""A version, and a namespace other than its own for which it may be meant."""

_VERSIONS = frozenset({"ModelVersion", ""})
_SERVERS = frozenset({"EndpointSlice", "Service"})


def versions(world: World) -> tuple[UnlocatedServer, ...]:
    """Versions of a folder that have no Model in their namespace, while other namespaces have it."""
    unread = {(b.ref.namespace, b.ref.name) for b in world.broken if b.ref.kind == "Model"}
    lost = [
        doc
        for (namespace, _), doc in world.model_versions.items()
        if doc.file
        and (key := (namespace, doc.spec.model)) not in world.models
        and key not in unread
    ]
    if not lost:
        return ()
    places: defaultdict[str, list[str]] = defaultdict(list)
    for namespace, name in sorted({*world.models, *unread}):
        places[name].append(namespace)
    return tuple((doc, namespace) for doc in lost for namespace in places[doc.spec.model])


def namespaces_with_unlocated_servers(
    world: World, has_servers: Mapping[Key, bool]
) -> Mapping[str, str]:
    """Namespaces in which any Service may lead to a model; ANYWHERE for all of them.

    has_servers: by Service, whether it is there and has an address. The values are the beginning of a sentence that goes on with the Service.
    """
    return dict(reversed([*_reasons(world, has_servers)]))


def namespaces(world: World, reasons: Mapping[str, str]) -> frozenset[str]:
    """The namespaces of `reasons`, with ANYWHERE replaced by all namespaces of the World.

    reasons: the result of `namespaces_with_unlocated_servers`.
    """
    return frozenset(UnreadableScopes(world).namespaces if ANYWHERE in reasons else reasons)


def _reasons(world: World, has_servers: Mapping[Key, bool]) -> Iterator[tuple[str, str]]:
    yield from _unread(world)
    served = {(namespace, doc.spec.model) for (namespace, _), doc in world.model_versions.items()}
    served |= _remembered(world, has_servers)
    for key, model in world.models.items():
        if model.file and key not in served:
            yield key[0], f"{model.ref} has no ModelVersion, so it may be that"
    for (namespace, _), doc in world.model_versions.items():
        if doc.spec.backend is None:
            continue
        key = (namespace, doc.spec.backend.service)
        service = world.services.get(key)
        if service is None or (doc.file and not has_servers.get(key, False)):
            yield (
                namespace,
                f"{doc.ref} names Service {key[1]}, of which no server is known, so it may be that",
            )


def _remembered(world: World, has_servers: Mapping[Key, bool]) -> set[Key]:
    """Models whose servers the memory knows, so that it keeps those closed by itself."""
    held = [
        *world.memory.servers.values(),
        *(entry for key, entry in world.memory.services.items() if has_servers.get(key, False)),
    ]
    return {
        (namespace, name) for entry in held for namespace, _, name in (entry.model.partition("/"),)
    }


def _unread(world: World) -> Iterator[tuple[str, str]]:
    """Documents that cannot be read; those about servers count where models are."""
    if not world.broken:
        return
    governed = {namespace for namespace, _ in (*world.model_versions, *world.memory.services)}
    governed |= {namespace for namespace, _, _ in world.memory.servers}
    places = UnreadableScopes(world)
    for broken in sorted(world.broken, key=lambda b: b.ref):
        namespace = places.namespace(broken.ref.namespace, in_folder=broken.where is not None)
        why = f"{broken.called} cannot be read and may say that"
        if broken.ref.kind in _VERSIONS:
            yield namespace, why
        elif broken.ref.kind in _SERVERS:
            yield from (
                (governed_namespace, why)
                for governed_namespace in sorted(governed)
                if namespace in (ANYWHERE, governed_namespace)
            )
