"""Access-log entries as a gate of ours sends them; the names are those of `ir.record_fields`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from envoy.data.accesslog.v3 import accesslog_pb2
from google.protobuf import json_format

from gatereeve.core import canonical
from gatereeve.ir import record_fields

ROUTE: Mapping[str, canonical.Json] = {
    "row": "credit-infer",
    "model": "lending/credit",
    "protocol": "kserve-v2",
    "operation": "infer",
    "audit": "recorded",
    "policy": "sha256:policy",
    "route_rule": "split",
    "sticky": ["header", "principal", "address"],
}

SERVED: Mapping[str, Any] = {
    "common_properties": {
        "downstream_remote_address": {
            "socket_address": {"address": "192.0.2.7", "port_value": 40000}
        },
        "start_time": "2026-11-24T02:39:53.010314Z",
        "time_to_last_downstream_tx_byte": "0.001069126s",
        "duration": "0.001070658s",
        "tls_properties": {"tls_sni_hostname": "models.example"},
        "upstream_remote_address": {"socket_address": {"address": "10.0.0.5", "port_value": 18101}},
        "upstream_cluster": "model/lending/credit/2.0>1.0",
        "upstream_request_attempt_count": 1,
        "stream_id": "684e2920-722c-4ac7-b94b-845f00c55ee5",
        "custom_tags": {
            "route": canonical.canonical_bytes(ROUTE).decode(),
            "version": "2.0",
            "id/corp": "u-17",
            "groups/corp": '["underwriters","staff"]',
            "region/0": "",
            "region/1": "DE",
            "region/2": "us",
            "purpose/0": "underwriting",
        },
        "metadata": {
            "filter_metadata": {
                "gatereeve": {"config": "sha256:config", "sticky": "applicant-4711"},
                "envoy.filters.http.jwt_authn": {
                    "corp": {
                        "iss": "https://id.example/",
                        "sub": "u-17",
                        "email": "person@example.com",
                        "groups": ["underwriters", "staff"],
                    }
                },
                "envoy.filters.http.rbac": {
                    "stage_shadow_engine_result": "allowed",
                    "allow_enforced_engine_result": "allowed",
                    "allow_enforced_effective_policy_id": "0001!|lending/staff/allow[0]",
                    "shadow_allow_shadow_engine_result": "denied",
                },
            }
        },
    },
    "protocol_version": "HTTP2",
    "request": {
        "request_method": "POST",
        "scheme": "https",
        "authority": "models.example",
        "path": "/v2/models/credit/infer?access_token=SECRET",
        "request_id": "684e2920-722c-4ac7-b94b-845f00c55ee5",
        "user_agent": "curl/8.5",
        "request_body_bytes": "120",
        "request_headers": {"authorization": "Bearer SECRET", "x-api-key": "SECRET"},
    },
    "response": {
        "response_code": 200,
        "response_body_bytes": "283",
        "response_code_details": "via_upstream",
        "response_headers": {"content-type": "application/json"},
    },
}


def entry(text: Mapping[str, Any] = SERVED) -> Any:
    """The message of an entry written as in the JSON mapping of protobuf."""
    return json_format.ParseDict(dict(text), accesslog_pb2.HTTPAccessLogEntry())


def refused(code: str, status: int, details: str = "direct_response") -> Any:
    """`SERVED`, had the gate refused it with `code`."""
    message = entry()
    common = message.common_properties
    common.ClearField("upstream_cluster")
    common.ClearField("upstream_remote_address")
    common.ClearField("upstream_request_attempt_count")
    del common.custom_tags[record_fields.VERSION_TAG]
    message.response.response_code.value = status
    message.response.response_code_details = details
    message.response.response_headers[record_fields.CODE_HEADER] = code
    return message


def with_metadata(message: Any, namespace: str, fields: Mapping[str, Any]) -> Any:
    """`message` with `fields` as the whole of one namespace."""
    struct = message.common_properties.metadata.filter_metadata[namespace]
    struct.Clear()
    json_format.ParseDict(json.loads(json.dumps(fields)), struct)
    return message
