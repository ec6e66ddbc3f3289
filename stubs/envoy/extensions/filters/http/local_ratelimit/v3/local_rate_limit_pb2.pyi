# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.config.route.v3.route_components_pb2
import envoy.extensions.common.ratelimit.v3.ratelimit_pb2
import envoy.type.v3.http_status_pb2
import envoy.type.v3.token_bucket_pb2
import google.protobuf.wrappers_pb2

class LocalRateLimit(Message):
    stat_prefix: str
    status: envoy.type.v3.http_status_pb2.HttpStatus
    token_bucket: envoy.type.v3.token_bucket_pb2.TokenBucket
    filter_enabled: envoy.config.core.v3.base_pb2.RuntimeFractionalPercent
    filter_enforced: envoy.config.core.v3.base_pb2.RuntimeFractionalPercent
    response_headers_to_add: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
    descriptors: RepeatedCompositeFieldContainer[envoy.extensions.common.ratelimit.v3.ratelimit_pb2.LocalRateLimitDescriptor]
    stage: int
    always_consume_default_token_bucket: google.protobuf.wrappers_pb2.BoolValue
    rate_limits: RepeatedCompositeFieldContainer[envoy.config.route.v3.route_components_pb2.RateLimit]
    max_dynamic_descriptors: google.protobuf.wrappers_pb2.UInt32Value
    def __init__(self, *, stat_prefix: str | None = ..., status: envoy.type.v3.http_status_pb2.HttpStatus | Mapping[str, Any] | None = ..., token_bucket: envoy.type.v3.token_bucket_pb2.TokenBucket | Mapping[str, Any] | None = ..., filter_enabled: envoy.config.core.v3.base_pb2.RuntimeFractionalPercent | Mapping[str, Any] | None = ..., filter_enforced: envoy.config.core.v3.base_pb2.RuntimeFractionalPercent | Mapping[str, Any] | None = ..., response_headers_to_add: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ..., descriptors: Iterable[envoy.extensions.common.ratelimit.v3.ratelimit_pb2.LocalRateLimitDescriptor | Mapping[str, Any]] | None = ..., stage: int | None = ..., always_consume_default_token_bucket: google.protobuf.wrappers_pb2.BoolValue | Mapping[str, Any] | None = ..., rate_limits: Iterable[envoy.config.route.v3.route_components_pb2.RateLimit | Mapping[str, Any]] | None = ..., max_dynamic_descriptors: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ...) -> None: ...
