"""The agent of a gate: it answers controllers whether its Envoy runs what they published.

A gate in another pod cannot be asked over its admin socket, and that socket says far more than a
controller needs. So the agent beside it takes one question, over gRPC with mutual TLS: "do you run
these versions?", waits until it does or the time is over, and says yes or no. Only a certificate of
a controller may ask; the answer counts only under a certificate of the Gate. It can change nothing.

The question is `activation.Expected` as JSON, the answer `VerifyResponse`; both ends are ours.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc
import grpc.aio
import msgspec

from gatereeve.core import errors
from gatereeve.proxy import activation
from gatereeve.proxy.xds import peers
from gatereeve.proxy.xds.server import MAX_MESSAGE_BYTES, MutualTls, server_credentials

_SERVICE: Final = "gatereeve.gate.v1.Agent"
_METHOD: Final = "Prove"
_LONGEST_S: Final = 60.0
_SLACK_S: Final = 2.0
_OPTIONS: Final = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", 16),
    ("grpc.so_reuseport", 0),
]


class VerifyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the gate runs `expected`, at latest in `timeout_s`."""

    expected: activation.Expected
    timeout_s: float


class VerifyResponse(msgspec.Struct, frozen=True, kw_only=True):
    """active: it runs what was asked for. why: why not, for people."""

    active: bool
    why: str = ""


@contextlib.asynccontextmanager
async def serve(
    address: str, tls: Callable[[], MutualTls], prover: activation.ActivationVerifier
) -> AsyncIterator[int]:
    """Answer at `address` (`host:port`) until left; gives the port. tls: asked at each handshake.

    Raises SettingsError when the address cannot be listened on.
    """

    async def prove(body: bytes, context: Any) -> bytes:
        asked = await _admitted(body, context)
        try:
            await prover.wait_active(asked.expected, timeout_s=min(asked.timeout_s, _LONGEST_S))
        except errors.ProxyError as error:
            return msgspec.json.encode(VerifyResponse(active=False, why=str(error)))
        return msgspec.json.encode(VerifyResponse(active=True))

    server = grpc.aio.server(options=_OPTIONS)
    handler = grpc.method_handlers_generic_handler(
        _SERVICE, {_METHOD: grpc.unary_unary_rpc_method_handler(prove)}
    )
    server.add_generic_rpc_handlers((handler,))
    try:
        port = server.add_secure_port(address, server_credentials(tls))
        await server.start()
    except RuntimeError as error:
        raise errors.SettingsError(f"the agent cannot listen on {address}: {error}") from error
    try:
        yield port
    finally:
        await server.stop(grace=None)


async def _admitted(body: bytes, context: Any) -> VerifyRequest:
    """The question of a controller; calls of other clients are ended."""
    uris = context.auth_context().get("peer_uri", ())
    if peers.CONTROLLER_URI.encode() not in uris:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "only controllers may ask")
    try:
        return msgspec.json.decode(body, type=VerifyRequest)
    except msgspec.MsgspecError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"not understood: {error}")
        raise  # never: abort does not return


class AgentVerifier:
    """Asks one agent, over one connection for as long as our certificate is the same and it answers."""

    def __init__(self, gate: str, address: str, tls: Callable[[], MutualTls]) -> None:
        self._gate = gate
        self._address = address
        self._tls = tls
        self._open: tuple[MutualTls, Any] | None = None

    @property
    def connection(self) -> object | None:
        """What is asked over now, if it was asked and answered."""
        return None if self._open is None else self._open[1]

    async def aclose(self) -> None:
        """End the connection; the next question opens another."""
        if self._open is not None:
            _, channel = self._open
            self._open = None
            await channel.close()

    async def wait_active(self, expected: activation.Expected, *, timeout_s: float) -> None:
        """As `activation.Prover`."""
        question = msgspec.json.encode(VerifyRequest(expected=expected, timeout_s=timeout_s))
        try:
            channel = await self._channel()
            ask = channel.unary_unary(f"/{_SERVICE}/{_METHOD}")
            body = await ask(question, timeout=timeout_s + _SLACK_S)
            answer = msgspec.json.decode(body, type=VerifyResponse)
        except grpc.aio.AioRpcError as error:
            await self.aclose()
            raise errors.ProxyTimeoutError(
                f"the gate's agent at {self._address} does not answer: {error.details()}",
                hint="its port must be reachable from the controllers",
            ) from error
        except msgspec.MsgspecError as error:
            raise errors.ProxyError(f"the agent at {self._address} answers nonsense") from error
        if not answer.active:
            raise errors.ProxyTimeoutError(answer.why or "the gate does not run it")

    async def _channel(self) -> Any:
        tls = self._tls()
        if self._open is not None and self._open[0] != tls:
            await self.aclose()
        if self._open is None:
            self._open = tls, self._connect(tls)
        return self._open[1]

    def _connect(self, tls: MutualTls) -> Any:
        credentials = grpc.ssl_channel_credentials(
            tls.client_authority, tls.private_key, tls.certificate_chain
        )
        return grpc.aio.secure_channel(
            self._address,
            credentials,
            options=[
                ("grpc.ssl_target_name_override", peers.agent_name(self._gate)),
                ("grpc.enable_http_proxy", 0),
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )
