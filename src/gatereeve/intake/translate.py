"""One entry of Envoy's access log → one `RequestRecord`. Pure, and it never raises.

Where each field stands in the entry is agreed in `ir.record_fields`. Only what the record names is ever
read: no header, no token payload beyond the issuer, no query string (tokens end up there), no body.
Text that a caller chose is cut to a bound. What cannot be translated becomes a record of what is
known, with outcome `broken` and the reason in `details`: a request is never silently missing.

Source: envoy.data.accesslog.v3, Envoy v1.40.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec
import xxhash

from gatereeve.core import records
from gatereeve.intake import outcomes
from gatereeve.ir import record_fields

MAX_TEXT: Final = 1024
MAX_AGENT: Final = 256
MAX_GROUPS: Final = 256

_METHODS: Final = {
    1: "GET", 2: "HEAD", 3: "POST", 4: "PUT", 5: "DELETE",
    6: "CONNECT", 7: "OPTIONS", 8: "TRACE", 9: "PATCH",
}  # fmt: skip
"""`RequestMethod`; any other method comes as 0, unnamed."""


class _RouteMetadata(msgspec.Struct, frozen=True):
    """What `record_fields.ROUTE_TAG` holds."""

    model: str | None = None
    protocol: str | None = None
    operation: str | None = None
    audit: str | None = None
    policy: str | None = None
    route_rule: str | None = None
    requested: str | None = None
    sticky: tuple[str, ...] = ()


class _NotTranslatableError(ValueError):
    """A part of the entry is not what was agreed; the text says which."""


def translate(
    entry: Any, *, gate: str, node: str, sequence: int, fresh_id: Callable[[], str]
) -> records.RequestRecord:
    """The record of one `HTTPAccessLogEntry`.

    gate, node: who sent it. sequence: its place in that gate's stream. fresh_id: makes the record's
    id when the request was broken off before the gate gave it one (the caller got none).
    """
    try:
        return _translate(entry, gate, node, sequence, fresh_id)
    except (ValueError, OverflowError, OSError, AttributeError, TypeError, KeyError) as error:
        return _remains(entry, gate, node, sequence, fresh_id, f"not translatable: {error}")


def finished_us(entry: Any) -> int:
    """When the request ended, microseconds since 1970 on the gate's clock; 0 when it is not known."""
    common = entry.common_properties
    start, lasted = common.start_time, common.duration
    return int(
        start.seconds * 1_000_000
        + start.nanos // 1000
        + lasted.seconds * 1_000_000
        + lasted.nanos // 1000
    )


def _translate(
    entry: Any, gate: str, node: str, sequence: int, fresh_id: Callable[[], str]
) -> records.RequestRecord:
    common, request, response = entry.common_properties, entry.request, entry.response
    custom_tags = common.custom_tags
    # dict(custom_tags) takes twice as long
    tags: dict[str, str] = {tag: custom_tags[tag] for tag in custom_tags}
    route = _route(tags[record_fields.ROUTE_TAG]) if record_fields.ROUTE_TAG in tags else _NO_ROUTE
    metadata = common.metadata.filter_metadata
    ours = (
        metadata[record_fields.GATE_NAMESPACE].fields
        if record_fields.GATE_NAMESPACE in metadata
        else {}
    )
    values = _read_values(tags)
    caller = _caller(values, metadata)
    source_ip = common.downstream_remote_address.socket_address.address or None
    flags = outcomes.flags_of(common)
    status = response.response_code.value
    details = response.response_code_details
    code = _code(response)
    rule, shadow = _rules(metadata) if route.model else (None, ())
    return records.RequestRecord(
        record_id=request.request_id or common.stream_id or fresh_id(),
        gate=gate,
        node=node,
        sequence=sequence,
        started_at=_instant(common.start_time),
        outcome=outcomes.outcome_of(status, code, flags, details),
        status=status,
        code=code,
        duration_us=_duration_us(common),
        scheme=request.scheme or None,
        host=_host(request.authority),
        method=_METHODS.get(request.request_method),
        path=_text(_string(ours, record_fields.PATH_KEY) or request.path.partition("?")[0]),
        protocol=route.protocol,
        source_ip=source_ip,
        sni=_text(common.tls_properties.tls_sni_hostname),
        user_agent=_text(request.user_agent, MAX_AGENT),
        caller=caller,
        region=values.region,
        purpose=values.purpose,
        operation=route.operation,
        model=route.model,
        version=tags.get(record_fields.VERSION_TAG) or None,
        requested_version=route.requested,
        route_rule=route.route_rule,
        rule=rule,
        shadow=shadow,
        split_key=_split_key(route.sticky, ours, caller.id, source_ip)
        if common.upstream_cluster
        else None,
        policy=route.policy,
        config=_string(ours, record_fields.CONFIG_KEY),
        audit=route.audit,
        cluster=common.upstream_cluster or None,
        upstream=_address(common.upstream_remote_address),
        attempts=common.upstream_request_attempt_count,
        request_bytes=request.request_body_bytes,
        response_bytes=response.response_body_bytes,
        flags=flags,
        details=_text(details),
    )


def _remains(
    entry: Any, gate: str, node: str, sequence: int, fresh_id: Callable[[], str], why: str
) -> records.RequestRecord:
    """What every entry has: it may be all that is left of one that cannot be read."""
    common, response = entry.common_properties, entry.response
    try:
        started_at = _instant(common.start_time)
    except (ValueError, OverflowError, OSError):
        started_at = _EPOCH
    return records.RequestRecord(
        record_id=entry.request.request_id or common.stream_id or fresh_id(),
        gate=gate,
        node=node,
        sequence=sequence,
        started_at=started_at,
        outcome="broken",
        status=response.response_code.value,
        code=_code(response),
        host=_host(entry.request.authority),
        path=_text(entry.request.path.partition("?")[0]),
        source_ip=common.downstream_remote_address.socket_address.address or None,
        cluster=common.upstream_cluster or None,
        details=_text(why),
    )


_NO_ROUTE: Final = _RouteMetadata()
_EPOCH: Final = "1970-01-01T00:00:00.000000Z"
_ROUTES: Final = msgspec.json.Decoder(_RouteMetadata)
_LISTS: Final = msgspec.json.Decoder(list[object])


@functools.lru_cache(maxsize=65_536)
def _route(text: str) -> _RouteMetadata:
    # A gate has as many of these texts as routes, and each request names one.
    try:
        return _ROUTES.decode(text)
    except msgspec.MsgspecError as error:
        raise _NotTranslatableError(f"tag {record_fields.ROUTE_TAG}: {error}") from error


@functools.lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _instant(time: Any) -> str:
    return f"{_second(time.seconds)}.{time.nanos // 1000:06d}Z"


def _duration_us(common: Any) -> int | None:
    """To the last byte towards the caller; None when it never came."""
    if not common.HasField("time_to_last_downstream_tx_byte"):
        return None
    last = common.time_to_last_downstream_tx_byte
    return int(last.seconds * 1_000_000 + last.nanos // 1000)


def _code(response: Any) -> str | None:
    """The refusal code that the caller got; "-" is Envoy's word for none."""
    code: str = response.response_headers.get(record_fields.CODE_HEADER, "")
    return code if code not in {"", "-"} else None


def _text(value: str, bound: int = MAX_TEXT) -> str | None:
    """None for nothing; what a caller made longer than `bound` ends in an ellipsis."""
    if len(value) > bound:
        return value[: bound - 1] + "…"
    return value or None


def _host(authority: str) -> str | None:
    return _text(authority.rpartition("@")[2])  # what stands before "@" would be a credential


def _address(address: Any) -> str | None:
    at = address.socket_address
    if at.address:
        host = f"[{at.address}]" if ":" in at.address else at.address
        return f"{host}:{at.port_value}"
    return address.pipe.path or None


class _TagValues(NamedTuple):
    """What the numbered and named tags say, read in one pass. groups: a JSON list, or None."""

    provider: str | None
    id: str | None
    groups: str | None
    region: str | None
    purpose: str | None


def _read_values(tags: Mapping[str, str]) -> _TagValues:
    """Of several regions or purposes the one of the lowest number, in lower case."""
    provider = proved = None
    regions: list[tuple[int, str]] = []
    purposes: list[tuple[int, str]] = []
    for tag, value in tags.items():
        kind, rest = _parted(tag)
        if not value:
            continue
        if kind == _REGION:
            regions.append((int(rest), value))
        elif kind == _PURPOSE:
            purposes.append((int(rest), value))
        elif kind == _ID:
            provider, proved = rest, value
    return _TagValues(
        provider=provider,
        id=proved,
        groups=tags.get(record_fields.groups_tag(provider)) if provider else None,
        region=min(regions)[1].lower() if regions else None,
        purpose=min(purposes)[1].lower() if purposes else None,
    )


@functools.lru_cache(maxsize=1024)
def _parted(tag: str) -> tuple[str, str]:
    """`region/0` → `region`, `0`; kind "" for a tag of another form. A gate has but few names."""
    kind, slash, rest = tag.partition("/")
    return (kind, rest) if slash else ("", "")


_ID, _REGION, _PURPOSE = (
    tag.partition("/")[0]
    for tag in (record_fields.id_tag(""), record_fields.region_tag(0), record_fields.purpose_tag(0))
)


def _caller(values: _TagValues, metadata: Any) -> records.Caller:
    if values.provider is not None:
        return records.Caller(
            provider=values.provider,
            id=values.id,
            method="jwt",
            issuer=_issuer(metadata, values.provider),
            groups=_groups(values.groups),
        )
    return (
        _proved(metadata, record_fields.APIKEY_NAMESPACE, "apikey")
        or _proved(metadata, record_fields.MTLS_NAMESPACE, "mtls")
        or records.Caller()
    )


def _issuer(metadata: Any, provider: str) -> str | None:
    if record_fields.JWT_NAMESPACE not in metadata:
        return None
    payloads = metadata[record_fields.JWT_NAMESPACE].fields
    if provider not in payloads:
        return None
    return _string(payloads[provider].struct_value.fields, "iss")


def _groups(text: str | None) -> tuple[str, ...]:
    """Texts of a JSON list; a claim that is one text comes bare, and is one group."""
    if not text:
        return ()
    try:
        items = _LISTS.decode(text)
    except msgspec.MsgspecError:
        return (text,)
    return tuple([group for group in items if isinstance(group, str)][:MAX_GROUPS])


def _proved(
    metadata: Any, namespace: str, method: Literal["apikey", "mtls"]
) -> records.Caller | None:
    if namespace not in metadata:
        return None
    fields = metadata[namespace].fields
    proved = _string(fields, "id")
    if proved is None:
        return None
    groups = fields["groups"].list_value.values if "groups" in fields else ()
    return records.Caller(
        provider=_string(fields, "provider"),
        id=proved,
        method=method,
        groups=tuple([group.string_value for group in groups][:MAX_GROUPS]),
    )


def _rules(metadata: Any) -> tuple[str | None, tuple[str, ...]]:
    """The rule that decided, and what shadow policies would have done."""
    if record_fields.RBAC_NAMESPACE not in metadata:
        return None, ()
    fields = metadata[record_fields.RBAC_NAMESPACE].fields
    stage = _string(fields, record_fields.STAGE_ID)
    policy = None
    if stage is not None:
        if stage.startswith(record_fields.DENY_STAGE + "|"):
            policy = stage
    elif _string(fields, record_fields.ALLOW_RESULT) == "allowed":
        policy = _string(fields, record_fields.ALLOW_ID)
    shadow = record_fields.shadow_of(
        _if(fields, record_fields.SHADOW_DENY_RESULT, "denied", record_fields.SHADOW_DENY_ID),
        _if(fields, record_fields.SHADOW_ALLOW_RESULT, "allowed", record_fields.SHADOW_ALLOW_ID),
        allow_denied=_string(fields, record_fields.SHADOW_ALLOW_RESULT) == "denied",
    )
    rule = record_fields.rule_of(policy) if policy else None
    return (None if rule == record_fields.ORDINARY else rule or None), shadow


def _if(fields: Any, result_key: str, result: str, id_key: str) -> str | None:
    return _string(fields, id_key) if _string(fields, result_key) == result else None


def _split_key(
    sticky: tuple[str, ...], ours: Any, principal: str | None, address: str | None
) -> str | None:
    for key in sticky:
        value = {
            "header": _string(ours, record_fields.STICKY_KEY),
            "principal": principal,
            "address": address,
        }.get(key)
        if value is not None:
            # A header sent twice comes joined, and is hashed apart: which it was is not known.
            doubtful = key == "header" and "," in value
            return None if doubtful else xxhash.xxh64_hexdigest(value.encode(), seed=0)
    return None


def _string(fields: Any, key: str) -> str | None:
    """A text in a `Struct`; None when there is none."""
    return fields[key].string_value or None if key in fields else None
