"""Principal and region into filter state, where routes match on them and splits hash them.

`set_filter_state` is alpha: it chooses among routes and enforces nothing. Every route that it may choose has
its own stages, and a row chosen by region checks the region again (`engines.Selection`). Clears the
route cache, the last filter to do so: after it the route is final. Of several entries with one key
the last that has a value counts, so the sources stand in reverse order of precedence.
"""

from __future__ import annotations

from envoy.config.core.v3 import base_pb2, substitution_format_string_pb2
from envoy.extensions.filters.common.set_filter_state.v3 import value_pb2
from envoy.extensions.filters.http.set_filter_state.v3 import set_filter_state_pb2

from gatereeve.ir import record_fields
from gatereeve.proxy.envoy import identity_matchers, names, packing
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter


def build(context: FilterContext) -> tuple[HttpFilter, ...]:
    identity, attributes = context.gate.identity, context.gate.attributes
    entries = []
    if identity.mtls is not None:
        entries.append(_principal(record_fields.MTLS_NAMESPACE, ("id",)))
    if identity.api_keys is not None:
        entries.append(_principal(record_fields.APIKEY_NAMESPACE, ("id",)))
    entries += [
        _principal(record_fields.JWT_NAMESPACE, (p.name, *p.id_claim))
        for p in reversed(identity.jwt)
    ]
    for number, source in reversed(list(enumerate(attributes.region))):
        namespace, path = identity_matchers.place("region", number, source)
        entries.append(_entry(names.REGION_KEY, "envoy.string", namespace, path))
    if not entries:  # nothing to choose by; `body` clears the route cache itself
        return ()
    config = set_filter_state_pb2.Config(on_request_headers=entries)
    return (
        HttpFilter(
            name=names.SELECTION, config=packing.pack_clearing_routes(config), discovered=True
        ),
    )


def _principal(namespace: str, path: tuple[str, ...]) -> value_pb2.FilterStateValue:
    return _entry(names.PRINCIPAL_KEY, "envoy.hashable_string", namespace, path)


def _entry(
    key: str, factory: str, namespace: str, path: tuple[str, ...]
) -> value_pb2.FilterStateValue:
    text = f"%DYNAMIC_METADATA({namespace}:{':'.join(path)})%"
    return value_pb2.FilterStateValue(
        object_key=key,
        factory_key=factory,
        skip_if_empty=True,
        format_string=substitution_format_string_pb2.SubstitutionFormatString(
            text_format_source=base_pb2.DataSource(inline_string=text), omit_empty_values=True
        ),
    )
