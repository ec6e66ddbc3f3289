# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.address_pb2
import envoy.config.core.v3.extension_pb2
import envoy.config.route.v3.route_components_pb2
import envoy.type.matcher.v3.filter_state_pb2
import envoy.type.matcher.v3.metadata_pb2
import envoy.type.matcher.v3.path_pb2

MetadataSource: EnumTypeWrapper
DYNAMIC: int
ROUTE: int
class RBAC(Message):
    Action: EnumTypeWrapper
    ALLOW: int
    DENY: int
    LOG: int
    action: int
    policies: MessageMap[str, Policy]
    def __init__(self, *, action: int | str | None = ..., policies: Mapping[str, Policy] | None = ...) -> None: ...
class Policy(Message):
    permissions: RepeatedCompositeFieldContainer[Permission]
    principals: RepeatedCompositeFieldContainer[Principal]
    condition: Any
    def __init__(self, *, permissions: Iterable[Permission | Mapping[str, Any]] | None = ..., principals: Iterable[Principal | Mapping[str, Any]] | None = ..., condition: Any | Mapping[str, Any] | None = ...) -> None: ...
class SourcedMetadata(Message):
    metadata_matcher: envoy.type.matcher.v3.metadata_pb2.MetadataMatcher
    metadata_source: int
    def __init__(self, *, metadata_matcher: envoy.type.matcher.v3.metadata_pb2.MetadataMatcher | Mapping[str, Any] | None = ..., metadata_source: int | str | None = ...) -> None: ...
class Permission(Message):
    class Set(Message):
        rules: RepeatedCompositeFieldContainer[Permission]
        def __init__(self, *, rules: Iterable[Permission | Mapping[str, Any]] | None = ...) -> None: ...
    or_rules: Permission.Set
    any: bool
    header: envoy.config.route.v3.route_components_pb2.HeaderMatcher
    url_path: envoy.type.matcher.v3.path_pb2.PathMatcher
    metadata: envoy.type.matcher.v3.metadata_pb2.MetadataMatcher
    not_rule: Permission
    matcher: envoy.config.core.v3.extension_pb2.TypedExtensionConfig
    sourced_metadata: SourcedMetadata
    def __init__(self, *, or_rules: Permission.Set | Mapping[str, Any] | None = ..., any: bool | None = ..., header: envoy.config.route.v3.route_components_pb2.HeaderMatcher | Mapping[str, Any] | None = ..., url_path: envoy.type.matcher.v3.path_pb2.PathMatcher | Mapping[str, Any] | None = ..., metadata: envoy.type.matcher.v3.metadata_pb2.MetadataMatcher | Mapping[str, Any] | None = ..., not_rule: Permission | Mapping[str, Any] | None = ..., matcher: envoy.config.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any] | None = ..., sourced_metadata: SourcedMetadata | Mapping[str, Any] | None = ...) -> None: ...
class Principal(Message):
    class Set(Message):
        ids: RepeatedCompositeFieldContainer[Principal]
        def __init__(self, *, ids: Iterable[Principal | Mapping[str, Any]] | None = ...) -> None: ...
    class Authenticated(Message):
        def __init__(self) -> None: ...
    and_ids: Principal.Set
    or_ids: Principal.Set
    any: bool
    authenticated: Principal.Authenticated
    source_ip: envoy.config.core.v3.address_pb2.CidrRange
    header: envoy.config.route.v3.route_components_pb2.HeaderMatcher
    url_path: envoy.type.matcher.v3.path_pb2.PathMatcher
    metadata: envoy.type.matcher.v3.metadata_pb2.MetadataMatcher
    filter_state: envoy.type.matcher.v3.filter_state_pb2.FilterStateMatcher
    not_id: Principal
    sourced_metadata: SourcedMetadata
    custom: envoy.config.core.v3.extension_pb2.TypedExtensionConfig
    def __init__(self, *, and_ids: Principal.Set | Mapping[str, Any] | None = ..., or_ids: Principal.Set | Mapping[str, Any] | None = ..., any: bool | None = ..., authenticated: Principal.Authenticated | Mapping[str, Any] | None = ..., source_ip: envoy.config.core.v3.address_pb2.CidrRange | Mapping[str, Any] | None = ..., header: envoy.config.route.v3.route_components_pb2.HeaderMatcher | Mapping[str, Any] | None = ..., url_path: envoy.type.matcher.v3.path_pb2.PathMatcher | Mapping[str, Any] | None = ..., metadata: envoy.type.matcher.v3.metadata_pb2.MetadataMatcher | Mapping[str, Any] | None = ..., filter_state: envoy.type.matcher.v3.filter_state_pb2.FilterStateMatcher | Mapping[str, Any] | None = ..., not_id: Principal | Mapping[str, Any] | None = ..., sourced_metadata: SourcedMetadata | Mapping[str, Any] | None = ..., custom: envoy.config.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any] | None = ...) -> None: ...
class Action(Message):
    name: str
    action: int
    def __init__(self, *, name: str | None = ..., action: int | str | None = ...) -> None: ...
