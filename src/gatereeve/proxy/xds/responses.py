"""What one response carries, its message, and whom the rejection of one names. No state."""

import re
from collections.abc import Collection, Iterator
from typing import Any

from envoy.service.discovery.v3 import discovery_pb2

from gatereeve.proxy.xds import gate
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.proxy.xds.subscription import Sent


def culprits(detail: str, names: Collection[str]) -> frozenset[str]:
    """Which of `names` a gate's error text names; a name counts only as a whole word."""
    return frozenset(
        name
        for name in names
        if name in detail and re.search(rf"(?<![\w/.:-]){re.escape(name)}(?![\w/-]|[.:]\w)", detail)
    )


def fitting(served: gate.TypeView, names: tuple[str, ...], limit: int) -> Iterator[str]:
    """As many of the names as have room in so many bytes, at least one."""
    size = 0
    for name in names:
        size += len(served.resources[name].body) + len(name)
        if size > limit and size > len(served.resources[name].body) + len(name):
            return
        yield name


def message(type_url: snap.TypeUrl, sent: Sent) -> Any:  # a DeltaDiscoveryResponse
    """The response as it goes over the wire."""
    message = discovery_pb2.DeltaDiscoveryResponse(
        type_url=type_url,
        nonce=sent.nonce,
        system_version_info=sent.version,
        removed_resources=sent.removed,
    )
    for resource in sent.resources:
        entry = message.resources.add(name=resource.name, version=resource.version)
        entry.resource.type_url = type_url
        entry.resource.value = resource.body
    return message
