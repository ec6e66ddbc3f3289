# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

class Percent(Message):
    value: float
    def __init__(self, *, value: float | None = ...) -> None: ...
class FractionalPercent(Message):
    DenominatorType: EnumTypeWrapper
    HUNDRED: int
    TEN_THOUSAND: int
    MILLION: int
    numerator: int
    denominator: int
    def __init__(self, *, numerator: int | None = ..., denominator: int | str | None = ...) -> None: ...
