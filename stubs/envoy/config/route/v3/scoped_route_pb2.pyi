# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.route.v3.route_pb2

class ScopedRouteConfiguration(Message):
    class Key(Message):
        class Fragment(Message):
            string_key: str
            def __init__(self, *, string_key: str | None = ...) -> None: ...
        fragments: RepeatedCompositeFieldContainer[ScopedRouteConfiguration.Key.Fragment]
        def __init__(self, *, fragments: Iterable[ScopedRouteConfiguration.Key.Fragment | Mapping[str, Any]] | None = ...) -> None: ...
    name: str
    route_configuration_name: str
    route_configuration: envoy.config.route.v3.route_pb2.RouteConfiguration
    key: ScopedRouteConfiguration.Key
    def __init__(self, *, name: str | None = ..., route_configuration_name: str | None = ..., route_configuration: envoy.config.route.v3.route_pb2.RouteConfiguration | Mapping[str, Any] | None = ..., key: ScopedRouteConfiguration.Key | Mapping[str, Any] | None = ...) -> None: ...
