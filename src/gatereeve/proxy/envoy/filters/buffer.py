"""Bodies that are read for their model: held up to the Gate's bound, 413 beyond it.

Disabled except on routes that read bodies, so other bodies stream through 32 KiB buffers.
"""

from __future__ import annotations

from envoy.extensions.filters.http.buffer.v3 import buffer_pb2
from google.protobuf import any_pb2

from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter, enabled


def build(context: FilterContext) -> tuple[HttpFilter, ...]:
    config = packing.pack(_config(context.gate.max_body_bytes))
    return (HttpFilter(name=names.BUFFER, config=config),)


def holding(max_body_bytes: int) -> any_pb2.Any:
    """For rows that read bodies."""
    return enabled(packing.pack(buffer_pb2.BufferPerRoute(buffer=_config(max_body_bytes))))


def inert() -> any_pb2.Any:
    """For routes of wildcard hosts that read no bodies; those of exact hosts disable the filter."""
    return packing.pack(buffer_pb2.BufferPerRoute(disabled=True))


def _config(max_body_bytes: int) -> buffer_pb2.Buffer:
    return buffer_pb2.Buffer(max_request_bytes=packing.uint32(max_body_bytes))
