"""Hosts without a scope of their own: the scope of the wildcard hosts is tried instead.

Exact hosts are found by scoped routes, which know no wildcards. When nothing was found there is no
route, so these two filters run; every route configuration of exact hosts disables them. The
first names the scope `*`, the second makes Envoy look again (`set_filter_state`, alpha: if it did
not run, there would be no route, and the stages refuse). See docs/decisions/0003.
"""

from __future__ import annotations

from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.config.core.v3 import base_pb2, substitution_format_string_pb2
from envoy.extensions.filters.common.set_filter_state.v3 import value_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.filters.http.set_filter_state.v3 import set_filter_state_pb2
from google.protobuf import any_pb2

from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters import buffer
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter, disabled


def build(context: FilterContext) -> tuple[HttpFilter, ...]:
    rename = header_mutation_pb2.HeaderMutation(
        mutations=header_mutation_pb2.Mutations(
            request_mutations=[
                mutation_rules_pb2.HeaderMutation(
                    append=base_pb2.HeaderValueOption(
                        header=base_pb2.HeaderValue(
                            key=names.SCOPE_HEADER, value=names.scope_key(context.listener, "*")
                        ),
                        append_action="OVERWRITE_IF_EXISTS_OR_ADD",
                    )
                )
            ]
        )
    )
    look_again = set_filter_state_pb2.Config(
        on_request_headers=[
            value_pb2.FilterStateValue(
                object_key="gatereeve.rescoped",
                factory_key="envoy.string",
                format_string=substitution_format_string_pb2.SubstitutionFormatString(
                    text_format_source=base_pb2.DataSource(inline_string="1")
                ),
            )
        ]
    )
    return (
        HttpFilter(name=names.WILDCARD, config=packing.pack(rename)),
        HttpFilter(name=names.RESCOPE, config=packing.pack_clearing_routes(look_again)),
    )


def for_exact_hosts() -> dict[str, any_pb2.Any]:
    """What the route configurations of exact hosts disable: a route that is found is final, and only
    routes that need them enable the filters that read bodies and make notes."""
    return {
        name: disabled()
        for name in (
            names.WILDCARD,
            names.RESCOPE,
            names.PROTOCOL,
            names.BUFFER,
            names.BODY,
            names.NOTES,
        )
    }


def for_wildcard_hosts() -> dict[str, any_pb2.Any]:
    """When Envoy chose the filters of a request, the request had no route: none can be disabled, so
    those that would act are inert by their own configuration."""
    return {names.BUFFER: buffer.inert()}
