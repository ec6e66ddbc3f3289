"""First: which configuration this gate runs, into each request's metadata, for its record.

By ECDS, so that every change of the configuration changes one small resource and no route.
"""

from __future__ import annotations

from envoy.extensions.filters.http.set_metadata.v3 import set_metadata_pb2

from gatereeve.ir import record_fields
from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters.placed import Ground, Placed


def build(ground: Ground) -> tuple[Placed, ...]:
    config = set_metadata_pb2.Config(
        metadata=[
            set_metadata_pb2.Metadata(
                metadata_namespace=record_fields.GATE_NAMESPACE,
                allow_overwrite=True,
                value=packing.struct({record_fields.CONFIG_KEY: ground.gate.hash}),
            )
        ]
    )
    return (Placed(name=names.GATE, config=packing.pack(config), discovered=True),)
