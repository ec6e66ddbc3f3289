"""A real gRPC client of the xDS server, scripted by the test.

`XdsClient` speaks the incremental protocol and does nothing by itself. `quiet` proves that nothing
more comes, without waiting for time: it asks for names that do not exist and reads until their
answers. `Follower` behaves as Envoy does: accepts everything, and asks for what it was told of.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import grpc
import grpc.aio
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from gatereeve.proxy.xds import server as xds_server
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.proxy.xds.stream import EOF

DEADLINE_S = 60.0
_probes = itertools.count()


def node(gate: str = "public", replica: str = "1", **extra: Any) -> Any:
    return base_pb2.Node(id=f"gate/{gate}-{replica}", cluster=gate, **extra)


class XdsClient:
    """One delta stream. Every wait has a deadline; nothing is acknowledged unless the test does."""

    def __init__(
        self,
        target: str | Path,
        *,
        as_node: Any = None,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        options = [("grpc.max_receive_message_length", xds_server.MAX_MESSAGE_BYTES)]
        address = f"unix:{target}" if isinstance(target, Path) else target
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address, options=options)
        else:
            options.append(("grpc.ssl_target_name_override", "localhost"))  # type: ignore[arg-type]
            self._channel = grpc.aio.secure_channel(address, credentials, options=options)
        self.stub = ads_pb2_grpc.AggregatedDiscoveryServiceStub(self._channel)
        self.node = node() if as_node is None else as_node
        self._call: Any = None

    async def __aenter__(self) -> Self:
        self._call = self.stub.DeltaAggregatedResources()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._call.cancel()
        await self._channel.close(None)

    async def send(
        self,
        type_url: str,
        *,
        subscribe: Iterable[str] = (),
        unsubscribe: Iterable[str] = (),
        held: Mapping[str, str] | None = None,
        nonce: str = "",
        error: str | None = None,
        as_node: Any = None,
    ) -> None:
        request = discovery_pb2.DeltaDiscoveryRequest(
            node=as_node or self.node,
            type_url=type_url,
            resource_names_subscribe=subscribe,
            resource_names_unsubscribe=unsubscribe,
            initial_resource_versions=held or {},
            response_nonce=nonce,
        )
        if error is not None:
            request.error_detail.code = 3
            request.error_detail.message = error
        async with asyncio.timeout(DEADLINE_S):
            await self._call.write(request)

    async def next(self, type_url: str | None = None) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            response = await self._call.read()
        if response is EOF:
            raise await _status(self._call)
        if type_url is not None:
            assert response.type_url == type_url, response
        return response

    async def ack(self, response: Any) -> None:
        await self.send(response.type_url, nonce=response.nonce)

    async def nack(self, response: Any, error: str) -> None:
        await self.send(response.type_url, nonce=response.nonce, error=error)

    async def next_ack(self, type_url: str | None = None) -> Any:
        response = await self.next(type_url)
        await self.ack(response)
        return response

    async def quiet(self) -> list[Any]:
        """Everything the server still had to say, not acknowledged; [] when it had nothing.

        Two rounds: what follows the first answer, the second one follows.
        """
        extra = []
        for _ in range(2):
            name = f"probe-{next(_probes)}"
            await self.send(snap.ECDS, subscribe=[name])
            while True:
                response = await self.next()
                if response.type_url == snap.ECDS and name in response.removed_resources:
                    await self.ack(response)
                    break
                extra.append(response)
        return extra

    async def ended(self) -> tuple[grpc.StatusCode, str]:
        """Wait for the end of the stream: its status and text. Responses before it are dropped."""
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(grpc.aio.AioRpcError):
                while await self._call.read() is not EOF:
                    pass
            code = await self._call.code()
            return code, await self._call.details()


async def _status(call: Any) -> Exception:
    return EOFError(f"stream ended: {await call.code()} {await call.details()}")


def names(response: Any) -> list[str]:
    return [resource.name for resource in response.resources]


class Follower:
    """An obedient gate: accepts all, asks for endpoints of clusters and routes of listeners."""

    def __init__(self, client: XdsClient) -> None:
        self.client = client
        self.held: dict[str, dict[str, str]] = {}
        self.log: list[tuple[str, list[str], list[str]]] = []
        """(short type, names sent, names removed) of every response, in order."""

    async def start(self, held: Mapping[str, Mapping[str, str]] | None = None) -> None:
        for type_url in (snap.CDS, snap.LDS):
            known = dict((held or {}).get(type_url, {}))
            self.held[type_url] = known
            await self.client.send(type_url, subscribe=["*"], held=known)
        for type_url in (snap.EDS, snap.RDS):
            known = dict((held or {}).get(type_url, {}))
            if known:
                self.held[type_url] = known
                await self.client.send(type_url, subscribe=known, held=known)

    async def step(self) -> Any:
        response = await self.client.next()
        await self.take(response)
        return response

    async def take(self, response: Any) -> None:
        type_url = response.type_url
        self.log.append(
            (snap.short_name(type_url), names(response), list(response.removed_resources))
        )
        held = self.held.setdefault(type_url, {})
        held.update({resource.name: resource.version for resource in response.resources})
        for name in response.removed_resources:
            held.pop(name, None)
        await self.client.ack(response)
        asked = {snap.CDS: snap.EDS, snap.LDS: snap.RDS}.get(type_url)
        if asked is not None:
            await self._ask(asked, response)

    async def _ask(self, asked: snap.TypeUrl, response: Any) -> None:
        wanted: set[str] = set()
        for resource in response.resources:
            message = _unpacked(resource)
            wanted.update(name for kind, name in snap.needs_of(message) if kind == asked)
        known = self.held.setdefault(asked, {})
        new = sorted(wanted - known.keys())
        gone = [name for name in response.removed_resources if name in known]
        if new or gone:
            await self.client.send(asked, subscribe=new, unsubscribe=gone)
        for name in gone:
            del known[name]

    async def until(self, goal: Mapping[str, Mapping[str, str]]) -> None:
        """Take responses until exactly `goal` is held (types that are not in it do not count)."""
        while any(self.held.get(type_url, {}) != goal[type_url] for type_url in goal):
            await self.step()


def _unpacked(resource: Any) -> Any:
    kinds: dict[str, Any] = {snap.CDS: cluster_pb2.Cluster, snap.LDS: listener_pb2.Listener}
    return kinds[resource.resource.type_url].FromString(resource.resource.value)


def versions(snapshot: snap.Snapshot, *types: snap.TypeUrl) -> dict[str, dict[str, str]]:
    return {
        type_url: {name: r.version for name, r in snapshot.of(type_url).items()}
        for type_url in types or (snap.CDS, snap.EDS, snap.LDS, snap.RDS)
    }


@contextlib.asynccontextmanager
async def client(target: str | Path, **options: Any) -> AsyncIterator[XdsClient]:
    async with XdsClient(target, **options) as found:
        yield found
