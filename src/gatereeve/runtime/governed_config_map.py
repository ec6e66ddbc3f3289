"""The `GovernedStore` of a cluster: a ConfigMap in the controllers' namespace.

The leader writes; every controller reads it before it serves, and again whenever its own differs.
A person who may write the ConfigMap may release Services and servers of models, as a person who may
write HostGrants may.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gatereeve.api.world import Memory
from gatereeve.core import errors
from gatereeve.runtime import governed_addresses
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube import resources

NAME: Final = "gatereeve-governed"
_ENTRY: Final = "governed.json"


class ConfigMapStore:
    """See the module and `governed_addresses.Store`."""

    def __init__(
        self, client: kube.ApiClient, namespace: str, is_leading: Callable[[], bool]
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._is_leading = is_leading

    async def load(self) -> Memory:
        """One that is not there is empty: the first controllers of a cluster find none."""
        try:
            body = await self._client.get(resources.CONFIG_MAPS, self._namespace, NAME)
        except errors.ApiMissingError:
            return Memory()
        data = kube.decode(body, "get ConfigMap").get("data")
        text = data.get(_ENTRY) if isinstance(data, dict) else None
        try:
            return governed_addresses.decode(text if isinstance(text, str) else "")
        except ValueError as error:
            raise errors.SourceError(
                f"ConfigMap {self._namespace}/{NAME} is damaged: {error}. It lists the Services and addresses that stood behind models",
                hint="restore it from a copy; or, if everything that the HostGrants name in `backends` and `addresses` may be served, delete it",
            ) from error

    async def save(self, memory: Memory) -> tuple[Memory, bool]:
        stored = await self.load()
        both = governed_addresses.union(memory, stored)
        if both != stored and self._is_leading():
            await self._client.apply(resources.CONFIG_MAPS, self._namespace, NAME, self._body(both))
            stored = both
        return both, both == stored

    def _body(self, memory: Memory) -> kube.Object:
        return {
            "apiVersion": resources.CONFIG_MAPS.api_version,
            "kind": resources.CONFIG_MAPS.kind,
            "metadata": {
                "name": NAME,
                "namespace": self._namespace,
                "labels": {"app.kubernetes.io/managed-by": "gatereeve"},
            },
            "data": {_ENTRY: governed_addresses.encode(memory).decode()},
        }
