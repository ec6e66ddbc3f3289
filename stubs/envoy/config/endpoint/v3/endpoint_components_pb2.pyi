# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.address_pb2
import envoy.config.core.v3.base_pb2

class Endpoint(Message):
    address: envoy.config.core.v3.address_pb2.Address
    hostname: str
    def __init__(self, *, address: envoy.config.core.v3.address_pb2.Address | Mapping[str, Any] | None = ..., hostname: str | None = ...) -> None: ...
class LbEndpoint(Message):
    endpoint: Endpoint
    metadata: envoy.config.core.v3.base_pb2.Metadata
    def __init__(self, *, endpoint: Endpoint | Mapping[str, Any] | None = ..., metadata: envoy.config.core.v3.base_pb2.Metadata | Mapping[str, Any] | None = ...) -> None: ...
class LocalityLbEndpoints(Message):
    locality: envoy.config.core.v3.base_pb2.Locality
    metadata: envoy.config.core.v3.base_pb2.Metadata
    lb_endpoints: RepeatedCompositeFieldContainer[LbEndpoint]
    priority: int
    def __init__(self, *, locality: envoy.config.core.v3.base_pb2.Locality | Mapping[str, Any] | None = ..., metadata: envoy.config.core.v3.base_pb2.Metadata | Mapping[str, Any] | None = ..., lb_endpoints: Iterable[LbEndpoint | Mapping[str, Any]] | None = ..., priority: int | None = ...) -> None: ...
