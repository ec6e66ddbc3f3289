# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

class RegexMatcher(Message):
    regex: str
    def __init__(self, *, regex: str | None = ...) -> None: ...
