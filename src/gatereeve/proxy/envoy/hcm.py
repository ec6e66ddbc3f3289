"""The HTTP connection manager: one canonical form for every request, then the filter chain.

What it does not recognise as canonical it refuses (knowledge: Envoy 7 and 8; Envoy documentation,
"Configuring Envoy as an edge proxy"). Routes come by scope: a header that only we set names the
listener and the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.config.core.v3 import base_pb2, extension_pb2, protocol_pb2
from envoy.config.listener.v3 import listener_components_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2
from envoy.type.matcher.v3 import string_pb2

from gatereeve.core import trusted_headers
from gatereeve.ir.gates import Gate, Listener
from gatereeve.proxy.envoy import access_logs, actions, invariants, local_replies, names, packing
from gatereeve.proxy.envoy.filters.http_filter import HttpFilter
from gatereeve.proxy.envoy.wiring import Wiring

_STRIPPED: Final = ("x-original-url", "x-rewrite-url")
_FORWARDED_FOR: Final = "x-forwarded-for"
_ENVOYS_OWN: Final = "x-envoy-"
_OWN: Final = names.OWN_HEADERS.replace("-", trusted_headers.DASH) + ".*"
"""Servers that read CGI variables take `x.gatereeve.principal` for ours."""
_HEADER_KIB: Final = 60
_HEADERS: Final = 100


def build_hcm(
    gate: Gate, listener: Listener, chain: Sequence[HttpFilter], wiring: Wiring
) -> listener_components_pb2.Filter:
    """The network filter of every filter chain of one listener.

    Raises PublishError when its filters do not enforce."""
    made = hcm_pb2.HttpConnectionManager(
        stat_prefix=listener.name,
        scoped_routes=_scoped_routes(),
        http_filters=[placed.in_chain() for placed in chain],
        access_log=[access_logs.build_access_log(gate.identity, gate.attributes, wiring)],
        local_reply_config=local_replies.build_local_replies(gate.identity),
        early_header_mutation_extensions=[_early_mutation(listener.name, gate.trusted_hops)],
        server_name="gatereeve",
        max_request_headers_kb=packing.uint32(_HEADER_KIB),
        use_remote_address=packing.boolean(value=True),
        xff_num_trusted_hops=gate.trusted_hops,
        # No internal_address_config: then no address is internal, and `x-envoy-` headers are believed
        # from no address. An empty one would mean every private address.
        normalize_path=packing.boolean(value=True),
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        # What a client writes into its target says nothing about its connection.
        scheme_header_transformation=protocol_pb2.SchemeHeaderTransformation(
            scheme_to_overwrite=listener.protocol
        ),
        strip_any_host_port=True,
        strip_trailing_host_dot=True,
        generate_request_id=packing.boolean(value=True),
        always_set_request_id_in_response=True,
        forward_client_cert_details="SANITIZE_SET",
        set_current_client_cert_details=(
            hcm_pb2.HttpConnectionManager.SetCurrentClientCertDetails(uri=True, dns=True)
        ),
        http2_protocol_options=_http2(),
        common_http_protocol_options=protocol_pb2.HttpProtocolOptions(
            headers_with_underscores_action="REJECT_REQUEST",
            max_headers_count=packing.uint32(_HEADERS),
            idle_timeout=packing.seconds(300),
        ),
        request_headers_timeout=packing.seconds(10),
        request_timeout=packing.seconds(300),
        stream_idle_timeout=packing.seconds(actions.STREAM_IDLE_S),
        delayed_close_timeout=packing.seconds(0.1),
        drain_timeout=packing.seconds(5),
    )
    invariants.raise_problems(invariants.check_chain(made))
    return listener_components_pb2.Filter(
        name="envoy.filters.network.http_connection_manager", typed_config=packing.pack(made)
    )


def _scoped_routes() -> hcm_pb2.ScopedRoutes:
    """The scope is the whole value of SCOPE_HEADER."""
    kind = hcm_pb2.ScopedRoutes.ScopeKeyBuilder
    extractor = kind.FragmentBuilder.HeaderValueExtractor(name=names.SCOPE_HEADER, index=0)
    return hcm_pb2.ScopedRoutes(
        name="hosts",
        scope_key_builder=kind(fragments=[kind.FragmentBuilder(header_value_extractor=extractor)]),
        rds_config_source=packing.over_ads(),
        scoped_rds=hcm_pb2.ScopedRds(scoped_rds_config_source=packing.over_ads()),
    )


def _http2() -> protocol_pb2.Http2ProtocolOptions:
    return protocol_pb2.Http2ProtocolOptions(
        max_concurrent_streams=packing.uint32(100),
        initial_stream_window_size=packing.uint32(64 * 1024),
        initial_connection_window_size=packing.uint32(1024 * 1024),
    )


def _early_mutation(listener: str, trusted_hops: int) -> extension_pb2.TypedExtensionConfig:
    """Before any route is looked up: our headers are ours, and the scope is set.

    Without a trusted proxy, what stands in X-Forwarded-For is the client's; Envoy then appends its
    address to nothing. What goes on to backends is set in `route_configurations`.
    """
    kind = mutation_rules_pb2.HeaderMutation
    own = string_pb2.StringMatcher(safe_regex={"regex": _OWN})
    envoys = string_pb2.StringMatcher(prefix=_ENVOYS_OWN)
    mutations = [
        kind(remove_on_match=kind.RemoveOnMatch(key_matcher=matcher)) for matcher in (own, envoys)
    ]
    stripped = _STRIPPED if trusted_hops else (*_STRIPPED, _FORWARDED_FOR)
    mutations += [kind(remove=name) for name in stripped]
    for name, value in (
        (names.SNI_HEADER, "%REQUESTED_SERVER_NAME%"),
        (names.SCOPE_HEADER, names.scope_key(listener, "%REQ(:AUTHORITY)%")),
    ):
        option = base_pb2.HeaderValueOption(
            header=base_pb2.HeaderValue(key=name, value=value),
            append_action="OVERWRITE_IF_EXISTS_OR_ADD",
        )
        mutations.append(kind(append=option))
    config = header_mutation_pb2.HeaderMutation(mutations=mutations)
    return extension_pb2.TypedExtensionConfig(
        name="gatereeve.entry", typed_config=packing.pack(config)
    )
