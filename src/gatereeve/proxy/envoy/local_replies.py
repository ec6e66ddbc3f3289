"""Every answer that Envoy gives by itself, in the caller's words: RFC 9457, or OpenAI's error object.

Status, code, type and title come from `core.refusals`, chosen by what is known when the reply is
written: the stage that refused, the status, Envoy's response flags. Refusing rows carry their code
in the route's metadata. Mappers are tried in order; each stands twice, for OpenAI callers first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import base_pb2, substitution_format_string_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)
from envoy.type.matcher.v3 import metadata_pb2, string_pb2, value_pb2
from google.protobuf import wrappers_pb2

from gatereeve.core import refusals
from gatereeve.core.canonical import Json
from gatereeve.ir import record_fields
from gatereeve.ir.identity import Identity
from gatereeve.proxy.envoy import packing
from gatereeve.proxy.envoy.filters import protocol

_RECORD_ID: Final = "%STREAM_ID%"
_RUNTIME_KEY: Final = "gatereeve.never-overridden"
_UNREACHABLE: Final = ("UF", "UH", "UO", "NC", "URX")
_BROKEN_OFF: Final = ("UC", "UR", "UPE", "LR")
_ROUTE: Final = refusals.Refusal(
    code=refusals.RefusalCode("%METADATA(ROUTE:gatereeve:code)%"),
    status=0,
    title="%METADATA(ROUTE:gatereeve:title)%",
    openai_type="%METADATA(ROUTE:gatereeve:openai_type)%",
    about="",
)
"""What the refusing route says; its status is already there."""


def build_local_replies(identity: Identity) -> hcm_pb2.LocalReplyConfig:
    """The `LocalReplyConfig` of a gate."""
    challenge = _challenge(identity)
    mappers = []
    for condition, refusal in _cases():
        headers = [("www-authenticate", challenge)] if refusal.status == 401 else []
        mappers.append(_mapper(_all(_OPENAI, condition), refusal, _openai(refusal), headers))
        mappers.append(_mapper(condition, refusal, _problem(refusal), headers))
    return hcm_pb2.LocalReplyConfig(mappers=mappers)


def _cases() -> list[tuple[accesslog_pb2.AccessLogFilter, refusals.Refusal]]:
    """Conditions in order, and what each means."""
    refused = [
        (_all(_status(403), _stage(stage)), refusals.lookup(code))
        for stage, code in record_fields.STAGES.items()
    ]
    admitted = _rbac(record_fields.ALLOW_RESULT, _exact("allowed"))
    passed = _rbac(record_fields.STAGE_RESULT, _exact("allowed"))
    return [
        *refused,
        (_all(_status(403), admitted), _ROUTE),
        (_all(_status(403), passed), refusals.lookup("no-allow-rule")),
        (_all(_status(403), _connects()), refusals.lookup("upgrade-refused")),
        # No bearer token, or jwt_authn's 403 for a wrong audience; by then the gate's first filter has run.
        (_all(_status(403), _in_filters()), refusals.lookup("invalid-credential")),
        (_status(403), refusals.lookup("upgrade-refused")),
        (_status(401), refusals.lookup("invalid-credential")),
        (_status(408), refusals.lookup("request-timeout")),
        (_status(413), refusals.lookup("payload-too-large")),
        (_status(429), refusals.lookup("rate-limited")),
        (_status(431), refusals.lookup("headers-too-large")),
        (_status(501), refusals.lookup("malformed-request")),  # a transfer coding but chunked
        (_all(_status(500), _flags(("NC",))), refusals.lookup("no-backend")),
        (_status(504), refusals.lookup("upstream-timeout")),
        (_flags(_UNREACHABLE), refusals.lookup("upstream-unavailable")),
        (_any(_flags(_BROKEN_OFF), _status(502)), refusals.lookup("bad-gateway")),
        (_flags(("OM",)), refusals.lookup("overloaded")),
        (_all(_status(400, "GE"), admitted), _ROUTE),
        (_status(500, "GE"), refusals.lookup("overloaded")),
        (_status(400, "GE"), refusals.lookup("malformed-request")),
    ]


def _mapper(
    condition: accesslog_pb2.AccessLogFilter,
    refusal: refusals.Refusal,
    body: substitution_format_string_pb2.SubstitutionFormatString,
    headers: Sequence[tuple[str, str]],
) -> hcm_pb2.ResponseMapper:
    made = hcm_pb2.ResponseMapper(
        filter=condition,
        body_format_override=body,
        headers_to_add=[
            base_pb2.HeaderValueOption(
                header=base_pb2.HeaderValue(key=name, value=value),
                append_action="OVERWRITE_IF_EXISTS_OR_ADD",
            )
            for name, value in [(record_fields.CODE_HEADER, refusal.code), *headers]
        ],
    )
    if refusal.status:
        made.status_code.CopyFrom(packing.uint32(refusal.status))
    return made


def _problem(refusal: refusals.Refusal) -> substitution_format_string_pb2.SubstitutionFormatString:
    """RFC 9457. `type` is the code's page, `record_id` what the record is found by."""
    return _json(
        "application/problem+json",
        {
            "type": refusals.TYPE_BASE + refusal.code,
            "title": refusal.title,
            "status": refusal.status or "%RESPONSE_CODE%",
            "code": refusal.code,
            "record_id": _RECORD_ID,
        },
    )


def _openai(refusal: refusals.Refusal) -> substitution_format_string_pb2.SubstitutionFormatString:
    """The error object of the OpenAI API."""
    return _json(
        "application/json",
        {
            "error": {
                "message": refusal.title,
                "type": refusal.openai_type,
                "code": refusal.code,
                "param": None,
                "record_id": _RECORD_ID,
            }
        },
    )


def _json(
    content_type: str, values: dict[str, Json]
) -> substitution_format_string_pb2.SubstitutionFormatString:
    return substitution_format_string_pb2.SubstitutionFormatString(
        content_type=content_type, json_format=packing.struct(values)
    )


def _challenge(identity: Identity) -> str:
    """RFC 9110 section 11.6.1 wants one on every 401; other methods have no registered scheme."""
    return 'Bearer realm="gatereeve"' if identity.jwt else 'ApiKey realm="gatereeve"'


def _status(code: int, operator: str = "EQ") -> accesslog_pb2.AccessLogFilter:
    comparison = accesslog_pb2.ComparisonFilter(
        op=operator,
        value=base_pb2.RuntimeUInt32(default_value=code, runtime_key=_RUNTIME_KEY),
    )
    return accesslog_pb2.AccessLogFilter(
        status_code_filter=accesslog_pb2.StatusCodeFilter(comparison=comparison)
    )


def _flags(flags: Sequence[str]) -> accesslog_pb2.AccessLogFilter:
    return accesslog_pb2.AccessLogFilter(
        response_flag_filter=accesslog_pb2.ResponseFlagFilter(flags=flags)
    )


def _stage(stage: str) -> accesslog_pb2.AccessLogFilter:
    return _rbac(
        record_fields.STAGE_ID,
        value_pb2.ValueMatcher(string_match=string_pb2.StringMatcher(prefix=f"{stage}|")),
    )


def _exact(text: str) -> value_pb2.ValueMatcher:
    return value_pb2.ValueMatcher(string_match=string_pb2.StringMatcher(exact=text))


def _connects() -> accesslog_pb2.AccessLogFilter:
    header = route_components_pb2.HeaderMatcher(
        name=":method", string_match=string_pb2.StringMatcher(exact="CONNECT")
    )
    return accesslog_pb2.AccessLogFilter(header_filter=accesslog_pb2.HeaderFilter(header=header))


def _in_filters() -> accesslog_pb2.AccessLogFilter:
    """The request reached the filters; an upgrade is refused before."""
    return _metadata(
        record_fields.GATE_NAMESPACE,
        record_fields.CONFIG_KEY,
        value_pb2.ValueMatcher(present_match=True),
    )


def _rbac(key: str, value: value_pb2.ValueMatcher) -> accesslog_pb2.AccessLogFilter:
    return _metadata(record_fields.RBAC_NAMESPACE, key, value)


def _metadata(
    namespace: str, key: str, value: value_pb2.ValueMatcher
) -> accesslog_pb2.AccessLogFilter:
    return accesslog_pb2.AccessLogFilter(
        metadata_filter=accesslog_pb2.MetadataFilter(
            matcher=metadata_pb2.MetadataMatcher(
                filter=namespace,
                path=[metadata_pb2.MetadataMatcher.PathSegment(key=key)],
                value=value,
            ),
            match_if_key_not_found=wrappers_pb2.BoolValue(value=False),
        )
    )


def _all(*conditions: accesslog_pb2.AccessLogFilter) -> accesslog_pb2.AccessLogFilter:
    return accesslog_pb2.AccessLogFilter(and_filter=accesslog_pb2.AndFilter(filters=conditions))


def _any(*conditions: accesslog_pb2.AccessLogFilter) -> accesslog_pb2.AccessLogFilter:
    return accesslog_pb2.AccessLogFilter(or_filter=accesslog_pb2.OrFilter(filters=conditions))


_OPENAI: Final = _rbac(protocol.METADATA_KEY, _exact(protocol.OPENAI))
