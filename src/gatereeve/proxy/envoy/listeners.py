"""One address as a `Listener`: TLS by the name asked for, then the connection manager.

A filter chain per certificate, chosen by the names in the certificate, so that a new host under a
known certificate changes no chain and drains no connection. Where a host is shown another
certificate than those names would give, its own name is added to that one's chain.

What a client certificate proved was proved when its connection was made. So a chain names the
authority that it asks, and another authority makes other chains: connections of the former ones are
sent away, and `terms` has the proof wait for that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from envoy.config.core.v3 import address_pb2, base_pb2
from envoy.config.listener.v3 import listener_components_pb2 as chain_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2

from gatereeve.ir import gates
from gatereeve.ir.identity import MtlsProvider
from gatereeve.proxy.envoy import packing, secrets

_BUFFER_BYTES: Final = 32 * 1024
_DIGITS: Final = 16
_TLS: Final = {"1.0": "TLSv1_0", "1.1": "TLSv1_1", "1.2": "TLSv1_2", "1.3": "TLSv1_3"}


def terms(gate: gates.Gate, listener: gates.Listener) -> str:
    """What connections keep for as long as they live: a new form of it is no news to them."""
    ca = authority(gate.identity.mtls)
    kept = (listener.protocol, listener.tls_min, gate.trusted_hops, gate.max_body_bytes, ca)
    return hashlib.sha256(repr(kept).encode()).hexdigest()[:_DIGITS]


def authority(provider: MtlsProvider | None) -> str:
    """A name for what client certificates are verified with; "" when none is asked for."""
    if provider is None:
        return ""
    return hashlib.sha256(provider.ca.encode()).hexdigest()[:_DIGITS]


def build_listener(
    listener: gates.Listener, manager: chain_pb2.Filter, *, client_ca: str
) -> listener_pb2.Listener | None:
    """None for an https listener without any certificate: it could only fail handshakes.

    manager: the connection manager, as `build_hcm` makes it. client_ca: as `authority`
    gives it; client certificates are asked for, and verified when there are any.
    """
    made = listener_pb2.Listener(
        name=listener.name,
        address=address_pb2.Address(
            socket_address=address_pb2.SocketAddress(
                address=listener.address, port_value=listener.port
            )
        ),
        per_connection_buffer_limit_bytes=packing.uint32(_BUFFER_BYTES),
        traffic_direction=base_pb2.INBOUND,
    )
    if listener.protocol == "http":
        made.filter_chains.add(name=listener.name).filters.append(manager)
        return made
    inspector = packing.pack(tls_inspector_pb2.TlsInspector())
    made.listener_filters.add(name="envoy.filters.listener.tls_inspector", typed_config=inspector)
    for certificate, server_names in chains(listener.certificates):
        chain = chain_pb2.FilterChain(
            name=secrets.certificate_name(certificate),
            filters=[manager],
            transport_socket=_transport_socket(listener, certificate, client_ca=bool(client_ca)),
            transport_socket_connect_timeout=packing.seconds(10),
        )
        if client_ca:
            chain.metadata.filter_metadata["gatereeve"].update({"client-ca": client_ca})
        if server_names:
            chain.filter_chain_match.server_names.extend(server_names)
            made.filter_chains.append(chain)
        elif not made.HasField("default_filter_chain"):
            made.default_filter_chain.CopyFrom(chain)
    if not made.filter_chains and not made.HasField("default_filter_chain"):
        return None
    return made


def chains(
    certificates: Sequence[gates.Certificate],
) -> list[tuple[gates.Certificate, tuple[str, ...]]]:
    """Certificates with the TLS names that lead to them, each name once; () for the default."""
    owner: dict[str, gates.Certificate] = {}
    named = sorted((c for c in certificates if c.hosts), key=lambda c: c.name)
    for certificate in named:
        for name in _names_in(certificate):
            owner.setdefault(name, certificate)
    for certificate in named:
        for host in certificate.hosts:
            if host != "*" and _resolve(owner, host) is not certificate:
                owner[host] = certificate
    chosen = [(c, tuple(sorted(name for name, o in owner.items() if o is c))) for c in named]
    default = [(c, ()) for c in certificates if not c.hosts]
    return [(c, server_names) for c, server_names in chosen if server_names] + default[:1]


def _names_in(certificate: gates.Certificate) -> tuple[str, ...]:
    """The DNS names of the leaf, in the forms that a filter chain can match."""
    leaf = x509.load_pem_x509_certificates(certificate.chain.encode())[0]
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return certificate.hosts
    dns_names = [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)]
    return tuple(name for name in dns_names if "*" not in name.removeprefix("*."))


def _resolve(owner: dict[str, gates.Certificate], host: str) -> gates.Certificate | None:
    """The certificate that Envoy would show: the exact name, else the longest wildcard."""
    if host in owner:
        return owner[host]
    rest = host.removeprefix("*.") if host.startswith("*.") else host.partition(".")[2]
    while rest:
        if f"*.{rest}" in owner:
            return owner[f"*.{rest}"]
        rest = rest.partition(".")[2]
    return None


def _transport_socket(
    listener: gates.Listener, certificate: gates.Certificate, *, client_ca: bool
) -> base_pb2.TransportSocket:
    common = tls_pb2.CommonTlsContext(
        tls_params=common_pb2.TlsParameters(tls_minimum_protocol_version=_TLS[listener.tls_min]),
        alpn_protocols=["h2", "http/1.1"],
        tls_certificate_sds_secret_configs=[_by_sds(secrets.certificate_name(certificate))],
    )
    if client_ca:
        common.validation_context_sds_secret_config.CopyFrom(_by_sds(secrets.CLIENT_CA))
    context = tls_pb2.DownstreamTlsContext(
        common_tls_context=common, require_client_certificate=packing.boolean(value=False)
    )
    return base_pb2.TransportSocket(
        name="envoy.transport_sockets.tls", typed_config=packing.pack(context)
    )


def _by_sds(name: str) -> secret_pb2.SdsSecretConfig:
    return secret_pb2.SdsSecretConfig(name=name, sds_config=packing.over_ads())
