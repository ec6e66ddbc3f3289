# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.type.v3.token_bucket_pb2

XRateLimitHeadersRFCVersion: EnumTypeWrapper
OFF: int
DRAFT_VERSION_03: int
VhRateLimitsOptions: EnumTypeWrapper
OVERRIDE: int
INCLUDE: int
IGNORE: int
class RateLimitDescriptor(Message):
    class Entry(Message):
        key: str
        value: str
        def __init__(self, *, key: str | None = ..., value: str | None = ...) -> None: ...
    class RateLimitOverride(Message):
        unit: int
        def __init__(self, *, unit: int | str | None = ...) -> None: ...
    entries: RepeatedCompositeFieldContainer[RateLimitDescriptor.Entry]
    limit: RateLimitDescriptor.RateLimitOverride
    def __init__(self, *, entries: Iterable[RateLimitDescriptor.Entry | Mapping[str, Any]] | None = ..., limit: RateLimitDescriptor.RateLimitOverride | Mapping[str, Any] | None = ...) -> None: ...
class LocalRateLimitDescriptor(Message):
    entries: RepeatedCompositeFieldContainer[RateLimitDescriptor.Entry]
    token_bucket: envoy.type.v3.token_bucket_pb2.TokenBucket
    def __init__(self, *, entries: Iterable[RateLimitDescriptor.Entry | Mapping[str, Any]] | None = ..., token_bucket: envoy.type.v3.token_bucket_pb2.TokenBucket | Mapping[str, Any] | None = ...) -> None: ...
