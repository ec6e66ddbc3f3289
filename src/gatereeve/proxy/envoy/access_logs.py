"""The access log: what the recorder gets about each request, refused and broken ones included.

The names stand in `ir.record_fields`, which `intake` reads. Most of a record is in Envoy's entry by
itself, dynamic metadata among it; a tag costs time on every request, so there is one only where
metadata of another kind, or a place that only this gate knows, must be reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import grpc_service_pb2
from envoy.extensions.access_loggers.grpc.v3 import als_pb2
from envoy.type.metadata.v3 import metadata_pb2
from envoy.type.tracing.v3 import custom_tag_pb2

from gatereeve.ir import record_fields
from gatereeve.ir.identity import Attributes, Identity
from gatereeve.proxy.envoy import identity_matchers, packing
from gatereeve.proxy.envoy.wiring import Wiring


def build_access_log(
    identity: Identity, attributes: Attributes, wiring: Wiring
) -> accesslog_pb2.AccessLog:
    config = als_pb2.HttpGrpcAccessLogConfig(
        common_config=als_pb2.CommonGrpcAccessLogConfig(
            log_name=wiring.log_name,
            transport_api_version="V3",
            grpc_service=grpc_service_pb2.GrpcService(
                envoy_grpc=grpc_service_pb2.GrpcService.EnvoyGrpc(
                    cluster_name=wiring.access_log_cluster
                )
            ),
            buffer_flush_interval=packing.seconds(wiring.log_flush_s),
            buffer_size_bytes=packing.uint32(wiring.log_buffer_bytes),
            custom_tags=list(_tags(identity, attributes)),
        ),
        additional_response_headers_to_log=[record_fields.CODE_HEADER],
    )
    return accesslog_pb2.AccessLog(
        name="envoy.access_loggers.http_grpc", typed_config=packing.pack(config)
    )


def _tags(identity: Identity, attributes: Attributes) -> Iterator[custom_tag_pb2.CustomTag]:
    kind = metadata_pb2.MetadataKind
    ours = record_fields.GATE_NAMESPACE
    yield _tag(record_fields.ROUTE_TAG, kind(route=kind.Route()), ours, ("record",))
    yield _tag(record_fields.VERSION_TAG, kind(host=kind.Host()), ours, ("version",))
    request = kind(request=kind.Request())
    for provider in identity.jwt:
        at = (provider.name, *provider.id_claim)
        yield _tag(record_fields.id_tag(provider.name), request, record_fields.JWT_NAMESPACE, at)
        if provider.groups_claim is not None:
            at = (provider.name, *provider.groups_claim)
            yield _tag(
                record_fields.groups_tag(provider.name), request, record_fields.JWT_NAMESPACE, at
            )
    for number, region in enumerate(attributes.region):
        place = identity_matchers.place("region", number, region)
        yield _tag(record_fields.region_tag(number), request, *place)
    for number, purpose in enumerate(attributes.purpose):
        place = identity_matchers.place("purpose", number, purpose)
        yield _tag(record_fields.purpose_tag(number), request, *place)


def _tag(
    name: str, kind: metadata_pb2.MetadataKind, namespace: str, path: Sequence[str]
) -> custom_tag_pb2.CustomTag:
    """A tag without a value is left out of the entry."""
    key = metadata_pb2.MetadataKey(
        key=namespace, path=[metadata_pb2.MetadataKey.PathSegment(key=part) for part in path]
    )
    return custom_tag_pb2.CustomTag(
        tag=name, metadata=custom_tag_pb2.CustomTag.Metadata(kind=kind, metadata_key=key)
    )
