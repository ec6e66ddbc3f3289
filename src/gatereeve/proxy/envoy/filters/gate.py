"""First: which configuration this gate runs, into each request's metadata, for its record.

By ECDS, so that every change of the configuration changes one small resource and no route.
"""

from __future__ import annotations

from envoy.extensions.filters.http.set_metadata.v3 import set_metadata_pb2

from gatereeve.ir import record_fields
from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter


def build(context: FilterContext) -> tuple[HttpFilter, ...]:
    config = set_metadata_pb2.Config(
        metadata=[
            set_metadata_pb2.Metadata(
                metadata_namespace=record_fields.GATE_NAMESPACE,
                allow_overwrite=True,
                value=packing.struct({record_fields.CONFIG_KEY: context.gate.hash}),
            )
        ]
    )
    return (HttpFilter(name=names.GATE, config=packing.pack(config), discovered=True),)
