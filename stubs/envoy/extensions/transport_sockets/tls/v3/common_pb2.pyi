# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.type.matcher.v3.string_pb2

class TlsParameters(Message):
    TlsProtocol: EnumTypeWrapper
    TLS_AUTO: int
    TLSv1_0: int
    TLSv1_1: int
    TLSv1_2: int
    TLSv1_3: int
    CompliancePolicy: EnumTypeWrapper
    FIPS_202205: int
    tls_minimum_protocol_version: int
    tls_maximum_protocol_version: int
    def __init__(self, *, tls_minimum_protocol_version: int | str | None = ..., tls_maximum_protocol_version: int | str | None = ...) -> None: ...
class TlsCertificate(Message):
    certificate_chain: envoy.config.core.v3.base_pb2.DataSource
    private_key: envoy.config.core.v3.base_pb2.DataSource
    watched_directory: envoy.config.core.v3.base_pb2.WatchedDirectory
    password: envoy.config.core.v3.base_pb2.DataSource
    def __init__(self, *, certificate_chain: envoy.config.core.v3.base_pb2.DataSource | Mapping[str, Any] | None = ..., private_key: envoy.config.core.v3.base_pb2.DataSource | Mapping[str, Any] | None = ..., watched_directory: envoy.config.core.v3.base_pb2.WatchedDirectory | Mapping[str, Any] | None = ..., password: envoy.config.core.v3.base_pb2.DataSource | Mapping[str, Any] | None = ...) -> None: ...
class SubjectAltNameMatcher(Message):
    SanType: EnumTypeWrapper
    SAN_TYPE_UNSPECIFIED: int
    EMAIL: int
    DNS: int
    URI: int
    IP_ADDRESS: int
    OTHER_NAME: int
    san_type: int
    matcher: envoy.type.matcher.v3.string_pb2.StringMatcher
    oid: str
    def __init__(self, *, san_type: int | str | None = ..., matcher: envoy.type.matcher.v3.string_pb2.StringMatcher | Mapping[str, Any] | None = ..., oid: str | None = ...) -> None: ...
class CertificateValidationContext(Message):
    TrustChainVerification: EnumTypeWrapper
    VERIFY_TRUST_CHAIN: int
    ACCEPT_UNTRUSTED: int
    trusted_ca: envoy.config.core.v3.base_pb2.DataSource
    watched_directory: envoy.config.core.v3.base_pb2.WatchedDirectory
    match_typed_subject_alt_names: RepeatedCompositeFieldContainer[SubjectAltNameMatcher]
    def __init__(self, *, trusted_ca: envoy.config.core.v3.base_pb2.DataSource | Mapping[str, Any] | None = ..., watched_directory: envoy.config.core.v3.base_pb2.WatchedDirectory | Mapping[str, Any] | None = ..., match_typed_subject_alt_names: Iterable[SubjectAltNameMatcher | Mapping[str, Any]] | None = ...) -> None: ...
