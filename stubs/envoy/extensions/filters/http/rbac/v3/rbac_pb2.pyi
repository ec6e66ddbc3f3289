# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.rbac.v3.rbac_pb2
import xds.type.matcher.v3.matcher_pb2

class RBAC(Message):
    rules: envoy.config.rbac.v3.rbac_pb2.RBAC
    rules_stat_prefix: str
    matcher: xds.type.matcher.v3.matcher_pb2.Matcher
    shadow_rules: envoy.config.rbac.v3.rbac_pb2.RBAC
    shadow_rules_stat_prefix: str
    def __init__(self, *, rules: envoy.config.rbac.v3.rbac_pb2.RBAC | Mapping[str, Any] | None = ..., rules_stat_prefix: str | None = ..., matcher: xds.type.matcher.v3.matcher_pb2.Matcher | Mapping[str, Any] | None = ..., shadow_rules: envoy.config.rbac.v3.rbac_pb2.RBAC | Mapping[str, Any] | None = ..., shadow_rules_stat_prefix: str | None = ...) -> None: ...
class RBACPerRoute(Message):
    rbac: RBAC
    def __init__(self, *, rbac: RBAC | Mapping[str, Any] | None = ...) -> None: ...
