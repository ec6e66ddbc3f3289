# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.config.core.v3.config_source_pb2
import envoy.extensions.transport_sockets.tls.v3.common_pb2

class GenericSecret(Message):
    secret: envoy.config.core.v3.base_pb2.DataSource
    secrets: MessageMap[str, envoy.config.core.v3.base_pb2.DataSource]
    def __init__(self, *, secret: envoy.config.core.v3.base_pb2.DataSource | Mapping[str, Any] | None = ..., secrets: Mapping[str, envoy.config.core.v3.base_pb2.DataSource] | None = ...) -> None: ...
class SdsSecretConfig(Message):
    name: str
    sds_config: envoy.config.core.v3.config_source_pb2.ConfigSource
    def __init__(self, *, name: str | None = ..., sds_config: envoy.config.core.v3.config_source_pb2.ConfigSource | Mapping[str, Any] | None = ...) -> None: ...
class Secret(Message):
    name: str
    tls_certificate: envoy.extensions.transport_sockets.tls.v3.common_pb2.TlsCertificate
    validation_context: envoy.extensions.transport_sockets.tls.v3.common_pb2.CertificateValidationContext
    generic_secret: GenericSecret
    def __init__(self, *, name: str | None = ..., tls_certificate: envoy.extensions.transport_sockets.tls.v3.common_pb2.TlsCertificate | Mapping[str, Any] | None = ..., validation_context: envoy.extensions.transport_sockets.tls.v3.common_pb2.CertificateValidationContext | Mapping[str, Any] | None = ..., generic_secret: GenericSecret | Mapping[str, Any] | None = ...) -> None: ...
