# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.data.accesslog.v3.accesslog_pb2

class StreamAccessLogsResponse(Message):
    def __init__(self) -> None: ...
class StreamAccessLogsMessage(Message):
    class Identifier(Message):
        node: envoy.config.core.v3.base_pb2.Node
        log_name: str
        def __init__(self, *, node: envoy.config.core.v3.base_pb2.Node | Mapping[str, Any] | None = ..., log_name: str | None = ...) -> None: ...
    class HTTPAccessLogEntries(Message):
        log_entry: RepeatedCompositeFieldContainer[envoy.data.accesslog.v3.accesslog_pb2.HTTPAccessLogEntry]
        def __init__(self, *, log_entry: Iterable[envoy.data.accesslog.v3.accesslog_pb2.HTTPAccessLogEntry | Mapping[str, Any]] | None = ...) -> None: ...
    identifier: StreamAccessLogsMessage.Identifier
    http_logs: StreamAccessLogsMessage.HTTPAccessLogEntries
    def __init__(self, *, identifier: StreamAccessLogsMessage.Identifier | Mapping[str, Any] | None = ..., http_logs: StreamAccessLogsMessage.HTTPAccessLogEntries | Mapping[str, Any] | None = ...) -> None: ...
