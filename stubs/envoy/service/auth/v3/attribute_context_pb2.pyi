# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.address_pb2
import google.protobuf.timestamp_pb2

class AttributeContext(Message):
    class Peer(Message):
        address: envoy.config.core.v3.address_pb2.Address
        service: str
        labels: ScalarMap[str, str]
        principal: str
        certificate: str
        def __init__(self, *, address: envoy.config.core.v3.address_pb2.Address | Mapping[str, Any] | None = ..., service: str | None = ..., labels: Mapping[str, str] | None = ..., principal: str | None = ..., certificate: str | None = ...) -> None: ...
    class Request(Message):
        time: google.protobuf.timestamp_pb2.Timestamp
        http: AttributeContext.HttpRequest
        def __init__(self, *, time: google.protobuf.timestamp_pb2.Timestamp | Mapping[str, Any] | None = ..., http: AttributeContext.HttpRequest | Mapping[str, Any] | None = ...) -> None: ...
    class HttpRequest(Message):
        id: str
        method: str
        headers: ScalarMap[str, str]
        path: str
        host: str
        scheme: str
        query: str
        fragment: str
        size: int
        protocol: str
        body: str
        def __init__(self, *, id: str | None = ..., method: str | None = ..., headers: Mapping[str, str] | None = ..., path: str | None = ..., host: str | None = ..., scheme: str | None = ..., query: str | None = ..., fragment: str | None = ..., size: int | None = ..., protocol: str | None = ..., body: str | None = ...) -> None: ...
    source: AttributeContext.Peer
    destination: AttributeContext.Peer
    request: AttributeContext.Request
    def __init__(self, *, source: AttributeContext.Peer | Mapping[str, Any] | None = ..., destination: AttributeContext.Peer | Mapping[str, Any] | None = ..., request: AttributeContext.Request | Mapping[str, Any] | None = ...) -> None: ...
