# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.extensions.transport_sockets.tls.v3.common_pb2
import envoy.extensions.transport_sockets.tls.v3.secret_pb2
import google.protobuf.wrappers_pb2

class UpstreamTlsContext(Message):
    common_tls_context: CommonTlsContext
    sni: str
    def __init__(self, *, common_tls_context: CommonTlsContext | Mapping[str, Any] | None = ..., sni: str | None = ...) -> None: ...
class DownstreamTlsContext(Message):
    OcspStaplePolicy: EnumTypeWrapper
    LENIENT_STAPLING: int
    STRICT_STAPLING: int
    MUST_STAPLE: int
    common_tls_context: CommonTlsContext
    require_client_certificate: google.protobuf.wrappers_pb2.BoolValue
    def __init__(self, *, common_tls_context: CommonTlsContext | Mapping[str, Any] | None = ..., require_client_certificate: google.protobuf.wrappers_pb2.BoolValue | Mapping[str, Any] | None = ...) -> None: ...
class CommonTlsContext(Message):
    class CombinedCertificateValidationContext(Message):
        validation_context_sds_secret_config: envoy.extensions.transport_sockets.tls.v3.secret_pb2.SdsSecretConfig
        def __init__(self, *, validation_context_sds_secret_config: envoy.extensions.transport_sockets.tls.v3.secret_pb2.SdsSecretConfig | Mapping[str, Any] | None = ...) -> None: ...
    tls_params: envoy.extensions.transport_sockets.tls.v3.common_pb2.TlsParameters
    tls_certificates: RepeatedCompositeFieldContainer[envoy.extensions.transport_sockets.tls.v3.common_pb2.TlsCertificate]
    tls_certificate_sds_secret_configs: RepeatedCompositeFieldContainer[envoy.extensions.transport_sockets.tls.v3.secret_pb2.SdsSecretConfig]
    validation_context: envoy.extensions.transport_sockets.tls.v3.common_pb2.CertificateValidationContext
    validation_context_sds_secret_config: envoy.extensions.transport_sockets.tls.v3.secret_pb2.SdsSecretConfig
    combined_validation_context: CommonTlsContext.CombinedCertificateValidationContext
    alpn_protocols: RepeatedScalarFieldContainer[str]
    def __init__(self, *, tls_params: envoy.extensions.transport_sockets.tls.v3.common_pb2.TlsParameters | Mapping[str, Any] | None = ..., tls_certificates: Iterable[envoy.extensions.transport_sockets.tls.v3.common_pb2.TlsCertificate | Mapping[str, Any]] | None = ..., tls_certificate_sds_secret_configs: Iterable[envoy.extensions.transport_sockets.tls.v3.secret_pb2.SdsSecretConfig | Mapping[str, Any]] | None = ..., validation_context: envoy.extensions.transport_sockets.tls.v3.common_pb2.CertificateValidationContext | Mapping[str, Any] | None = ..., validation_context_sds_secret_config: envoy.extensions.transport_sockets.tls.v3.secret_pb2.SdsSecretConfig | Mapping[str, Any] | None = ..., combined_validation_context: CommonTlsContext.CombinedCertificateValidationContext | Mapping[str, Any] | None = ..., alpn_protocols: Iterable[str] | None = ...) -> None: ...
