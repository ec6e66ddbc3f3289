"""API keys: a header with exactly one known key becomes the caller's metadata.

Unknown, empty and repeated headers write nothing; the stages refuse them.
"""

from __future__ import annotations

from envoy.type.matcher.v3 import http_inputs_pb2

from gatereeve.ir import record_fields
from gatereeve.proxy.envoy import names
from gatereeve.proxy.envoy.filters import matching
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter


def build(context: FilterContext) -> tuple[HttpFilter, ...]:
    provider = context.gate.identity.api_keys
    if provider is None:
        return ()
    by_key = {
        key.secret: matching.writing(
            record_fields.APIKEY_NAMESPACE,
            {"provider": provider.name, "id": key.id, "groups": list(key.groups)},
        )
        for key in provider.keys
    }
    source = http_inputs_pb2.HttpRequestHeaderMatchInput(header_name=provider.header)
    config = matching.composite(matching.by_exact(source, by_key))
    return (HttpFilter(name=names.API_KEYS, config=config, discovered=True),)
