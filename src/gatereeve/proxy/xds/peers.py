"""Who may read xDS: which gate a stream belongs to, decided at its first request.

xDS delivers secrets and every tenant's hosts, so a stream is refused before the first answer unless
it comes from a known place: a Unix socket in a directory that is ours alone, or TLS with a client
certificate that names the Gate. What the gate says of itself (`node`) must agree with that, and
stays as first said.

No I/O; the checks of the socket's directory are in `server`.
"""

import dataclasses
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, Final

import grpc

GATE_URI: Final = "spiffe://gatereeve.dev/gate/"
"""What a client certificate says in a URI subject alternative name, followed by the Gate's name."""

CONTROLLER_URI: Final = "spiffe://gatereeve.dev/controller"
"""What a controller's certificate says, in the same place."""

AGENT_PORT: Final = "gatereeve.dev/agent-port"
"""Metadata of a node: the port at which its agent answers controllers, at the node's own address."""

_NODE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,252}")


class PeerRefusedError(Exception):
    """A stream is ended by us: status code and text for the peer. Never leaves the server."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PeerIdentity:
    """Who a stream belongs to: the Gate, the node of it, and the node's build (`1.40.0`).

    agent: where the node's agent answers (`host:port`); empty when it has none.
    """

    gate: str
    node: str
    build: str
    agent: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Where a stream comes from. gates: those its certificate names; None on the Unix socket.

    host: its address, empty on the Unix socket.
    """

    gates: frozenset[str] | None
    host: str = ""


def agent_name(gate: str) -> str:
    """The DNS name in the certificate of a Gate's agents; it is never resolved."""
    return f"{gate}.gate.gatereeve.dev"


def peer_of(address: str, auth_context: Mapping[str, Sequence[bytes]]) -> Peer:
    """Judge a connection by its transport. Raises RefusedError when it proves nothing."""
    if address.startswith("unix:"):
        return Peer(gates=None)
    uris = [uri.decode(errors="replace") for uri in auth_context.get("peer_uri", ())]
    gates = frozenset(uri.removeprefix(GATE_URI) for uri in uris if uri.startswith(GATE_URI))
    if not gates:
        raise PeerRefusedError(
            grpc.StatusCode.UNAUTHENTICATED,
            f"a client certificate with a URI name {GATE_URI}<gate> is required",
        )
    return Peer(gates=gates, host=_host_of(address))


def _host_of(address: str) -> str:
    """The host of a gRPC address: `ipv4:10.1.2.3:41000`, `ipv6:%5Bfd00::1%5D:41000`."""
    kind, _, place = urllib.parse.unquote(address).partition(":")
    return place.rpartition(":")[0] if kind in ("ipv4", "ipv6") else ""


def _agent_of(node: Any, peer: Peer) -> str:
    """A node names its agent's port only: it is asked where it is, never elsewhere."""
    if not peer.host or AGENT_PORT not in node.metadata.fields:
        return ""
    port = node.metadata.fields[AGENT_PORT].number_value
    return f"{peer.host}:{port:.0f}" if 0 < port < 65536 and port == int(port) else ""


def identify(node: Any, peer: Peer) -> PeerIdentity:
    """Bind a stream to the node of its first request.

    node: its `envoy.config.core.v3.Node`; `cluster` is the Gate's name, `id` is `gate/<name>` or
    `gate/<name>-<replica>`. Raises RefusedError unless these and the certificate agree.
    """
    gate = node.cluster
    own = f"gate/{gate}"
    fits = node.id == own or node.id.startswith(f"{own}-")
    if not gate or not fits or not _NODE_ID.fullmatch(node.id):
        raise PeerRefusedError(
            grpc.StatusCode.INVALID_ARGUMENT,
            "node.cluster must name the Gate and node.id must be gate/<name> or gate/<name>-<replica>",
        )
    if peer.gates is not None and gate not in peer.gates:
        raise PeerRefusedError(
            grpc.StatusCode.PERMISSION_DENIED, "the client certificate names another Gate"
        )
    number = node.user_agent_build_version.version
    return PeerIdentity(
        gate=gate,
        node=node.id,
        build=f"{number.major_number}.{number.minor_number}.{number.patch}",
        agent=_agent_of(node, peer),
    )


def check_unchanged(node: Any, identity: PeerIdentity) -> None:
    """A later request may repeat the node, not change it. Raises RefusedError."""
    if (node.id or node.cluster) and (node.id, node.cluster) != (identity.node, identity.gate):
        raise PeerRefusedError(
            grpc.StatusCode.PERMISSION_DENIED, "a stream belongs to the node of its first request"
        )
