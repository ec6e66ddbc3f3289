# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import google.protobuf.wrappers_pb2

class Pipe(Message):
    path: str
    mode: int
    def __init__(self, *, path: str | None = ..., mode: int | None = ...) -> None: ...
class SocketAddress(Message):
    Protocol: EnumTypeWrapper
    TCP: int
    UDP: int
    protocol: int
    address: str
    port_value: int
    def __init__(self, *, protocol: int | str | None = ..., address: str | None = ..., port_value: int | None = ...) -> None: ...
class Address(Message):
    socket_address: SocketAddress
    pipe: Pipe
    def __init__(self, *, socket_address: SocketAddress | Mapping[str, Any] | None = ..., pipe: Pipe | Mapping[str, Any] | None = ...) -> None: ...
class CidrRange(Message):
    address_prefix: str
    prefix_len: google.protobuf.wrappers_pb2.UInt32Value
    def __init__(self, *, address_prefix: str | None = ..., prefix_len: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ...) -> None: ...
