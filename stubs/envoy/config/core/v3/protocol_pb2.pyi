# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import google.protobuf.duration_pb2
import google.protobuf.wrappers_pb2

class HttpProtocolOptions(Message):
    HeadersWithUnderscoresAction: EnumTypeWrapper
    ALLOW: int
    REJECT_REQUEST: int
    DROP_HEADER: int
    idle_timeout: google.protobuf.duration_pb2.Duration
    max_headers_count: google.protobuf.wrappers_pb2.UInt32Value
    headers_with_underscores_action: int
    def __init__(self, *, idle_timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., max_headers_count: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., headers_with_underscores_action: int | str | None = ...) -> None: ...
class Http1ProtocolOptions(Message):
    def __init__(self) -> None: ...
class KeepaliveSettings(Message):
    interval: google.protobuf.duration_pb2.Duration
    timeout: google.protobuf.duration_pb2.Duration
    def __init__(self, *, interval: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ...) -> None: ...
class Http2ProtocolOptions(Message):
    max_concurrent_streams: google.protobuf.wrappers_pb2.UInt32Value
    initial_stream_window_size: google.protobuf.wrappers_pb2.UInt32Value
    initial_connection_window_size: google.protobuf.wrappers_pb2.UInt32Value
    connection_keepalive: KeepaliveSettings
    def __init__(self, *, max_concurrent_streams: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., initial_stream_window_size: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., initial_connection_window_size: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., connection_keepalive: KeepaliveSettings | Mapping[str, Any] | None = ...) -> None: ...
class SchemeHeaderTransformation(Message):
    scheme_to_overwrite: str
    def __init__(self, *, scheme_to_overwrite: str | None = ...) -> None: ...
