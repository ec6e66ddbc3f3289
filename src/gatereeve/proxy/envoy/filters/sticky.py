"""The value of a sticky header, into metadata, so that the record can replay the split.

Asleep but on rows that hash a header. Information only: the router hashes the header itself.
"""

from __future__ import annotations

from typing import Any

from envoy.extensions.filters.http.header_to_metadata.v3 import header_to_metadata_pb2 as h2m_pb2

from gatereeve.ir import recording
from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters.placed import Ground, Placed, awake


def build(_ground: Ground) -> tuple[Placed, ...]:
    config = packing.pack(h2m_pb2.Config())
    return (Placed(name=names.STICKY, config=config, disabled=True),)


def noting(header: str) -> Any:
    """For rows whose split hashes `header`."""
    rule = h2m_pb2.Config.Rule(
        header=header,
        on_header_present=h2m_pb2.Config.KeyValuePair(
            metadata_namespace=recording.GATE_NAMESPACE, key=recording.STICKY_KEY, type="STRING"
        ),
    )
    return awake(packing.pack(h2m_pb2.Config(request_rules=[rule])))
