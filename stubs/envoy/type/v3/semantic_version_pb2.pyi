# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

class SemanticVersion(Message):
    major_number: int
    minor_number: int
    patch: int
    def __init__(self, *, major_number: int | None = ..., minor_number: int | None = ..., patch: int | None = ...) -> None: ...
