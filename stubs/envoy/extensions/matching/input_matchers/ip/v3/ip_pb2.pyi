# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.address_pb2

class Ip(Message):
    cidr_ranges: RepeatedCompositeFieldContainer[envoy.config.core.v3.address_pb2.CidrRange]
    stat_prefix: str
    def __init__(self, *, cidr_ranges: Iterable[envoy.config.core.v3.address_pb2.CidrRange | Mapping[str, Any]] | None = ..., stat_prefix: str | None = ...) -> None: ...
