"""Who may read xDS, on the real wire: the socket's place, client certificates, node identity, limits."""

import contextlib
import pathlib
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2

from gatereeve.core import errors
from gatereeve.proxy.xds import events, server, session
from gatereeve.proxy.xds import snapshot as snap
from tests.features import xds_messages as msg
from tests.features.xds_authority import Authority
from tests.features.xds_client import XdsClient, names, node
from tests.features.xds_serving import RealClock, Seen, serving, short_directory

pytestmark = pytest.mark.features


def credentials(authority: Authority, pair: tuple[bytes, bytes] | None) -> grpc.ChannelCredentials:
    key, chain = pair or (None, None)
    return grpc.ssl_channel_credentials(authority.pem, key, chain)


async def refusal(target: str | pathlib.Path, **options: object) -> grpc.StatusCode:
    async with XdsClient(target, **options) as client:  # type: ignore[arg-type]
        with contextlib.suppress(grpc.aio.AioRpcError):  # it may be refused before it is sent
            await client.send(snap.CDS)
        code, _ = await client.ended()
        return code


async def first_answer(target: str, certificate: grpc.ChannelCredentials) -> Any:
    async with XdsClient(target, credentials=certificate) as client:
        await client.send(snap.CDS)
        return await client.next()


async def test_mutual_tls() -> None:
    """The certificate's name, the node's cluster and the node's id must all say the same Gate."""
    ours = Authority()
    tcp = server.TcpListener(address="localhost:0", tls=ours.server_tls)
    async with serving(tcp=tcp) as at:
        at.server.set_snapshot("public", msg.snapshot("v1", msg.cluster("a")))
        at.server.set_snapshot("private", msg.snapshot("v1", msg.cluster("secret")))
        target = f"localhost:{at.server.tcp_port}"
        public = credentials(ours, ours.for_gate("public"))
        async with XdsClient(target, credentials=public) as client:
            await client.send(snap.CDS)
            assert names(await client.next(snap.CDS)) == ["a"]
        # The right certificate, another Gate; the right Gate, somebody else's node.
        code = await refusal(target, credentials=public, as_node=node("private"))
        assert code is grpc.StatusCode.PERMISSION_DENIED
        odd = base_pb2.Node(id="gate/private-1", cluster="public")
        code = await refusal(target, credentials=public, as_node=odd)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        # A certificate that names no Gate, or says so elsewhere than in a URI name.
        for sans in ((), (x509.DNSName("public"),), (x509.DNSName("gate.public"),)):
            nameless = credentials(ours, ours.issue(*sans))
            code = await refusal(target, credentials=nameless)
            assert code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("certificate", ["none", "foreign"])
async def test_no_or_a_foreign_certificate_never_opens_a_stream(certificate: str) -> None:
    ours, foreign = Authority(), Authority()
    tcp = server.TcpListener(address="localhost:0", tls=ours.server_tls)
    async with serving(tcp=tcp) as at:
        at.server.set_snapshot("public", msg.snapshot("v1"))
        pair = foreign.for_gate("public") if certificate == "foreign" else None
        target = f"localhost:{at.server.tcp_port}"
        with pytest.raises((grpc.aio.AioRpcError, EOFError)):
            await first_answer(target, credentials(ours, pair))
        assert at.seen.of(events.Connected) == []


async def test_the_state_of_the_world_variant_is_refused() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", msg.snapshot("v1", msg.cluster("a")))
        call = client.stub.StreamAggregatedResources()
        await call.write(discovery_pb2.DiscoveryRequest(node=node(), type_url=snap.CDS))
        assert await call.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_an_unknown_gate_is_refused() -> None:
    async with serving() as at:
        assert await refusal(at.socket) is grpc.StatusCode.PERMISSION_DENIED
        assert at.server.counters.streams_refused == 1


@pytest.mark.parametrize(
    ("node_id", "cluster"),
    [
        ("", ""),
        ("gate/public-1", ""),
        ("", "public"),
        ("public-1", "public"),
        ("gate/publicly-1", "public"),
        ("gate/private-1", "public"),
        ("gate/public-\n", "public"),
        ("gate/public-" + "x" * 300, "public"),
    ],
)
async def test_a_node_must_name_its_gate(node_id: str, cluster: str) -> None:
    async with serving() as at:
        at.server.set_snapshot("public", msg.snapshot("v1"))
        said = base_pb2.Node(id=node_id, cluster=cluster)
        assert await refusal(at.socket, as_node=said) is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stream_stays_with_the_node_of_its_first_request() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        for gate in ("public", "private"):
            at.server.set_snapshot(gate, msg.snapshot("v1"))
        await client.send(snap.CDS)
        await client.next_ack(snap.CDS)
        await client.send(snap.LDS, as_node=base_pb2.Node())  # said once is enough
        await client.next_ack(snap.LDS)
        await client.send(snap.CDS, as_node=node("private"))
        code, _ = await client.ended()
        assert code is grpc.StatusCode.PERMISSION_DENIED


async def test_a_type_that_is_not_served_is_refused() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", msg.snapshot("v1"))
        await client.send("type.googleapis.com/envoy.service.runtime.v3.Runtime")
        code, _ = await client.ended()
        assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_too_many_requests_end_the_stream() -> None:
    async with (
        serving(burst=20, requests_per_s=0.001) as at,
        XdsClient(at.socket) as client,
    ):
        at.server.set_snapshot("public", msg.snapshot("v1"))
        for _ in range(21):
            await client.send(snap.CDS, nonce="stale")
        code, _ = await client.ended()
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_silent_stream_is_ended() -> None:
    async with serving(first_request_s=0.01) as at, XdsClient(at.socket) as client:
        code, _ = await client.ended()
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_an_oversized_request_ends_the_stream() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", msg.snapshot("v1"))
        await client.send(snap.CDS, subscribe=["x" * (server.MAX_MESSAGE_BYTES + 1)])
        code, _ = await client.ended()
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_as_many_gates_as_allowed() -> None:
    async with serving(streams_per_gate=1) as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", msg.snapshot("v1"))
        await client.send(snap.CDS)
        await client.next(snap.CDS)
        code = await refusal(at.socket, as_node=node(replica="2"))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_node_has_one_stream_the_newest() -> None:
    async with serving() as at, XdsClient(at.socket) as older, XdsClient(at.socket) as newer:
        at.server.set_snapshot("public", msg.snapshot("v1"))
        await older.send(snap.CDS)
        await older.next(snap.CDS)
        await newer.send(snap.CDS)
        await newer.next(snap.CDS)
        code, _ = await older.ended()
        assert code is grpc.StatusCode.ABORTED
        assert [status.connected for status in at.server.status()] == [True]
        assert at.seen.of(events.Disconnected) == []


async def test_a_closed_gate_has_nothing_and_may_be_published_again() -> None:
    at_once = session.Discipline(grace_s=0)
    async with serving(discipline=at_once) as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", msg.snapshot("v1", msg.plain_cluster("a")))
        await client.send(snap.CDS, subscribe=["*"])
        await client.next_ack(snap.CDS)
        at.server.close_gate("public")
        assert list((await client.next_ack(snap.CDS)).removed_resources) == ["a"]
        at.server.set_snapshot("public", msg.snapshot("v2", msg.plain_cluster("a")))
        assert names(await client.next_ack(snap.CDS)) == ["a"]


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o770])
async def test_the_sockets_directory_must_be_ours_alone(mode: int) -> None:
    with short_directory() as directory:
        directory.chmod(mode)
        ads = server.AdsServer(
            server.AdsSettings(socket=directory / "xds.sock"), clock=RealClock(), observer=Seen()
        )
        with pytest.raises(errors.SettingsError, match="0700"):
            await ads.start()


async def test_the_sockets_directory_must_be_a_real_one() -> None:
    with short_directory() as directory:
        (directory / "link").symlink_to(directory)
        for parent in (directory / "missing", directory / "link", directory / ("x" * 120)):
            with pytest.raises(errors.SettingsError):
                server.check_socket_place(parent / "xds.sock")


async def test_the_socket_is_ours_alone_and_goes_with_the_server() -> None:
    async with serving() as at:
        assert at.socket.stat().st_mode & 0o777 == 0o600
    assert not at.socket.exists()
