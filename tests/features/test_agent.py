"""The agent of a gate, on the real wire: who may ask, what it answers, what it makes of nonsense."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from cryptography import x509

from gatereeve.core import errors
from gatereeve.proxy import activation, agent
from gatereeve.proxy.xds import peers
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.proxy.xds.server import MutualTls
from tests.features import xds_messages as msg
from tests.features.xds_authority import Authority

pytestmark = pytest.mark.features

EXPECTED = activation.expected_of(msg.snapshot("v1", msg.cluster("a"), msg.routes(x="a")))


METHOD = "/gatereeve.gate.v1.Agent/Prove"


class Gate:
    """Runs what it is told to run; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[activation.Expected] = []
        self.runs = asyncio.Event()

    async def wait_active(self, expected: activation.Expected, *, timeout_s: float) -> None:
        self.asked.append(expected)
        try:
            async with asyncio.timeout(timeout_s):
                await self.runs.wait()
        except TimeoutError as error:
            raise errors.ProxyTimeoutError("it runs something else") from error


class Pod:
    """A gate's agent under an authority, and whoever asks it."""

    def __init__(self, authority: Authority, gate: Gate, port: int) -> None:
        self.authority = authority
        self.gate = gate
        self.port = port

    def tls(self, *sans: x509.GeneralName) -> MutualTls:
        key, chain = self.authority.issue(*sans)
        return MutualTls(
            certificate_chain=chain, private_key=key, client_authority=self.authority.pem
        )

    def prover(self, *sans: x509.GeneralName, gate: str = "public") -> agent.AgentVerifier:
        tls = self.tls(*(sans or (CONTROLLER,)))
        return agent.AgentVerifier(gate, f"127.0.0.1:{self.port}", lambda: tls)


CONTROLLER = x509.UniformResourceIdentifier(peers.CONTROLLER_URI)


def of_gate(gate: str) -> tuple[x509.GeneralName, ...]:
    uri = x509.UniformResourceIdentifier(f"{peers.GATE_URI}{gate}")
    return (x509.DNSName(peers.agent_name(gate)), uri)


@contextlib.asynccontextmanager
async def pod() -> AsyncIterator[Pod]:
    authority, gate = Authority(), Gate()
    made = Pod(authority, gate, 0)
    tls = made.tls(*of_gate("public"))
    async with agent.serve("127.0.0.1:0", lambda: tls, gate) as port:
        made.port = port
        yield made


async def test_a_controller_is_told_when_the_gate_runs_it() -> None:
    async with pod() as at:
        asking = asyncio.create_task(at.prover().wait_active(EXPECTED, timeout_s=10))
        async with asyncio.timeout(10):
            while not at.gate.asked:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not asking.done()
        at.gate.runs.set()
        await asking
        assert at.gate.asked == [EXPECTED]


async def test_one_connection_does_until_our_certificate_or_the_agent_is_another() -> None:
    async with pod() as at:
        at.gate.runs.set()
        handed = [at.tls(CONTROLLER)]
        prover = agent.AgentVerifier("public", f"127.0.0.1:{at.port}", lambda: handed[-1])
        await prover.wait_active(EXPECTED, timeout_s=5)
        first = prover.connection
        await prover.wait_active(EXPECTED, timeout_s=5)
        assert prover.connection is first is not None
        handed.append(at.tls(CONTROLLER))
        await prover.wait_active(EXPECTED, timeout_s=5)
        assert prover.connection is not first
        handed.append(at.tls(*of_gate("public")))  # what we may do is asked with the new one
        with pytest.raises(errors.ProxyTimeoutError, match="only controllers may ask"):
            await prover.wait_active(EXPECTED, timeout_s=5)
        assert prover.connection is None
        handed.append(at.tls(CONTROLLER))
        await prover.wait_active(EXPECTED, timeout_s=5)
        await prover.aclose()
        assert prover.connection is None


async def test_a_gate_that_does_not_run_it_says_why() -> None:
    async with pod() as at:
        with pytest.raises(errors.ProxyTimeoutError, match="it runs something else"):
            await at.prover().wait_active(EXPECTED, timeout_s=0.01)


@pytest.mark.parametrize(
    "sans",
    [of_gate("public"), of_gate("private"), (x509.DNSName("controller"),), ()],
    ids=["itself", "another gate", "a name that says so", "nobody"],
)
async def test_only_controllers_may_ask(sans: tuple[x509.GeneralName, ...]) -> None:
    async with pod() as at:
        at.gate.runs.set()
        tls = at.tls(*sans)
        stranger = agent.AgentVerifier("public", f"127.0.0.1:{at.port}", lambda: tls)
        with pytest.raises(errors.ProxyTimeoutError, match="only controllers may ask"):
            await stranger.wait_active(EXPECTED, timeout_s=5)
        assert at.gate.asked == []


async def test_a_foreign_authority_counts_for_nobody() -> None:
    async with pod() as at, pod() as other:
        at.gate.runs.set()
        foreign = other.tls(CONTROLLER)
        stranger = agent.AgentVerifier("public", f"127.0.0.1:{at.port}", lambda: foreign)
        with pytest.raises(errors.ProxyTimeoutError):
            await stranger.wait_active(EXPECTED, timeout_s=5)
        assert at.gate.asked == []


async def test_the_answer_of_another_gate_does_not_count() -> None:
    async with pod() as at:
        at.gate.runs.set()
        with pytest.raises(errors.ProxyTimeoutError):
            await at.prover(gate="private").wait_active(EXPECTED, timeout_s=5)
        assert at.gate.asked == []


async def test_nobody_there() -> None:
    async with pod() as at:
        prover = at.prover()
    with pytest.raises(errors.ProxyTimeoutError, match="does not answer"):
        await prover.wait_active(EXPECTED, timeout_s=5)


@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 100_000, b'{"expected": 1}', b"\xff"])
async def test_nonsense_is_refused(body: bytes) -> None:
    async with pod() as at:
        tls = at.tls(CONTROLLER)
        credentials = grpc.ssl_channel_credentials(
            tls.client_authority, tls.private_key, tls.certificate_chain
        )
        options = [("grpc.ssl_target_name_override", peers.agent_name("public"))]
        async with grpc.aio.secure_channel(
            f"127.0.0.1:{at.port}", credentials, options=options
        ) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary(METHOD, bytes, bytes)(body)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert at.gate.asked == []


async def test_an_address_in_use_is_a_setting_to_mend() -> None:
    async with pod() as at:
        tls = at.tls(*of_gate("public"))
        with pytest.raises(errors.SettingsError, match="cannot listen"):
            async with agent.serve(f"127.0.0.1:{at.port}", lambda: tls, at.gate):
                pass


def test_a_node_names_its_agents_port_only() -> None:
    assert snap.CDS  # the wire's types are loaded
    from envoy.config.core.v3 import base_pb2  # noqa: PLC0415

    node = base_pb2.Node(id="gate/public-1", cluster="public")
    on_tcp = peers.Peer(gates=frozenset({"public"}), host="10.0.0.7")
    assert peers.identify(node, on_tcp).agent == ""
    node.metadata[peers.AGENT_PORT] = 18002
    assert peers.identify(node, on_tcp).agent == "10.0.0.7:18002"
    assert peers.identify(node, peers.Peer(gates=None)).agent == ""
    for odd in (0, -1, 1.5, 70_000, "evil.example:1", True):
        node.metadata[peers.AGENT_PORT] = odd
        assert peers.identify(node, on_tcp).agent == "", odd


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("ipv4:10.1.2.3:41000", "10.1.2.3"),
        ("ipv6:%5Bfd00::1%5D:41000", "[fd00::1]"),
        ("ipv6:[fd00::1]:41000", "[fd00::1]"),
        ("vsock:3:1", ""),
    ],
)
def test_where_a_stream_comes_from(address: str, host: str) -> None:
    uri = f"{peers.GATE_URI}public".encode()
    assert peers.peer_of(address, {"peer_uri": [uri]}).host == host
