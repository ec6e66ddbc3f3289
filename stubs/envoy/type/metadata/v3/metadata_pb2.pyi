# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

class MetadataKey(Message):
    class PathSegment(Message):
        key: str
        def __init__(self, *, key: str | None = ...) -> None: ...
    key: str
    path: RepeatedCompositeFieldContainer[MetadataKey.PathSegment]
    def __init__(self, *, key: str | None = ..., path: Iterable[MetadataKey.PathSegment | Mapping[str, Any]] | None = ...) -> None: ...
class MetadataKind(Message):
    class Request(Message):
        def __init__(self) -> None: ...
    class Route(Message):
        def __init__(self) -> None: ...
    class Cluster(Message):
        def __init__(self) -> None: ...
    class Host(Message):
        def __init__(self) -> None: ...
    request: MetadataKind.Request
    route: MetadataKind.Route
    cluster: MetadataKind.Cluster
    host: MetadataKind.Host
    def __init__(self, *, request: MetadataKind.Request | Mapping[str, Any] | None = ..., route: MetadataKind.Route | Mapping[str, Any] | None = ..., cluster: MetadataKind.Cluster | Mapping[str, Any] | None = ..., host: MetadataKind.Host | Mapping[str, Any] | None = ...) -> None: ...
