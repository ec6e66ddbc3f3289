"""Small things every builder needs: `Any`, durations, wrappers, structs; and the wheel's gaps.

`xds-protos` lacks some fields of Envoy 1.40. They are added here and nowhere else, each with a
test against the real Envoy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envoy.config.core.v3 import config_source_pb2
from google.protobuf import any_pb2, duration_pb2, struct_pb2, wrappers_pb2
from google.protobuf.message import Message

from gatereeve.core.canonical import Json

_CLEAR_ROUTE_CACHE: Final = b"\x10\x01"
"""`set_filter_state.v3.Config.clear_route_cache = true`: field 2, a bool."""


def pack(message: Message) -> any_pb2.Any:
    """The message as `google.protobuf.Any`, the same bytes for the same message."""
    packed = any_pb2.Any()
    packed.Pack(message, deterministic=True)
    return packed


def pack_bytes(kind: type[Message], body: bytes) -> any_pb2.Any:
    """A serialised message as `google.protobuf.Any`."""
    return any_pb2.Any(type_url=f"type.googleapis.com/{kind.DESCRIPTOR.full_name}", value=body)


def pack_clearing_routes(config: Message) -> any_pb2.Any:
    """A `set_filter_state` Config as `Any`, with `clear_route_cache`, which the wheel lacks.

    Appending a field to a serialised message is protobuf's own way of merging (encoding guide,
    "Last One Wins").
    """
    packed = pack(config)
    packed.value += _CLEAR_ROUTE_CACHE
    return packed


def seconds(value: float) -> duration_pb2.Duration:
    """A Duration, to the millisecond."""
    whole, millis = divmod(round(value * 1000), 1000)
    return duration_pb2.Duration(seconds=whole, nanos=millis * 1_000_000)


def uint32(value: int) -> wrappers_pb2.UInt32Value:
    return wrappers_pb2.UInt32Value(value=value)


def boolean(*, value: bool) -> wrappers_pb2.BoolValue:
    return wrappers_pb2.BoolValue(value=value)


def struct(values: Mapping[str, Json]) -> struct_pb2.Struct:
    """A Struct of JSON values; numbers become doubles."""
    made = struct_pb2.Struct()
    made.update(dict(values))
    return made


def over_ads() -> config_source_pb2.ConfigSource:
    """The config source of everything that this gate asks for by name."""
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(),
        resource_api_version="V3",
        initial_fetch_timeout=seconds(60),
    )
