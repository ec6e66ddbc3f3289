# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.common.matcher.v3.matcher_pb2
import envoy.config.core.v3.extension_pb2
import xds.type.matcher.v3.matcher_pb2

class ExtensionWithMatcher(Message):
    matcher: envoy.config.common.matcher.v3.matcher_pb2.Matcher
    xds_matcher: xds.type.matcher.v3.matcher_pb2.Matcher
    extension_config: envoy.config.core.v3.extension_pb2.TypedExtensionConfig
    def __init__(self, *, matcher: envoy.config.common.matcher.v3.matcher_pb2.Matcher | Mapping[str, Any] | None = ..., xds_matcher: xds.type.matcher.v3.matcher_pb2.Matcher | Mapping[str, Any] | None = ..., extension_config: envoy.config.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any] | None = ...) -> None: ...
