"""Every field of a record from one log entry; outcomes; nothing secret; nothing raises."""

from __future__ import annotations

from typing import Any

import pytest
import xxhash
from envoy.data.accesslog.v3 import accesslog_pb2
from hypothesis import given
from hypothesis import strategies as st

from gatereeve.core import records, refusals
from gatereeve.intake import outcomes, translate
from gatereeve.ir import record_fields
from tests.unit.intake.entries import entry, refused, with_metadata

FRESH = "00000000-0000-4000-8000-00000000fe57"


def translated(message: Any) -> records.RequestRecord:
    return translate.translate(
        message, gate="edge", node="gate/edge-0", sequence=7, fresh_id=lambda: FRESH
    )


def test_every_field() -> None:
    assert translated(entry()) == records.RequestRecord(
        record_id="684e2920-722c-4ac7-b94b-845f00c55ee5",
        gate="edge",
        node="gate/edge-0",
        sequence=7,
        started_at="2026-11-24T02:39:53.010314Z",
        outcome="served",
        status=200,
        code=None,
        duration_us=1069,
        scheme="https",
        host="models.example",
        method="POST",
        path="/v2/models/credit/infer",
        protocol="kserve-v2",
        source_ip="192.0.2.7",
        sni="models.example",
        user_agent="curl/8.5",
        caller=records.Caller(
            provider="corp",
            id="u-17",
            method="jwt",
            issuer="https://id.example/",
            groups=("underwriters", "staff"),
        ),
        region="de",
        purpose="underwriting",
        operation="infer",
        model="lending/credit",
        version="2.0",
        requested_version=None,
        route_rule="split",
        rule="lending/staff/allow[0]",
        shadow=("no-allow-rule",),
        split_key=xxhash.xxh64_hexdigest(b"applicant-4711", seed=0),
        policy="sha256:policy",
        config="sha256:config",
        audit="recorded",
        cluster="model/lending/credit/2.0>1.0",
        upstream="10.0.0.5:18101",
        attempts=1,
        request_bytes=120,
        response_bytes=283,
        flags=(),
        details="via_upstream",
    )


def test_an_entry_of_every_field_leaves_none_out() -> None:
    # A field that is added to the record must get its value here, or be listed.
    seldom = {"code", "requested_version", "flags"}
    record = translated(entry())
    empty = {
        name for name in record.__struct_fields__ if getattr(record, name) in (None, (), "", 0)
    }
    assert empty == seldom


def test_no_credential_and_no_payload_is_kept() -> None:
    message = entry()
    message.request.referer = "https://x/?token=SECRET"
    message.request.authority = "user:SECRET@models.example"
    message.common_properties.filter_state_objects["gatereeve.principal"].value = b"SECRET"
    peer = message.common_properties.tls_properties.peer_certificate_properties
    peer.subject = "CN=SECRET"
    line = records.encode(translated(message)).decode()
    for text in ("SECRET", "person@example.com", "applicant-4711", "access_token", '"sub"'):
        assert text not in line


@pytest.mark.parametrize("code", sorted(refusals.REFUSALS))
def test_the_code_is_the_one_the_client_got(code: str) -> None:
    status = refusals.lookup(code).status
    record = translated(refused(code, status))
    assert (record.code, record.status) == (code, status)
    of_the_model = code in {"bad-gateway", "upstream-unavailable", "upstream-timeout"}
    assert record.outcome == ("broken" if of_the_model else "refused")


@pytest.mark.parametrize(
    ("status", "flags", "details", "outcome"),
    [
        (200, (), "via_upstream", "served"),
        (500, (), "via_upstream", "served"),
        (308, (), "direct_response", "served"),
        (403, (), "rbac_access_denied_matched_policy[none]", "refused"),
        (200, ("downstream_connection_termination",), "downstream_remote_disconnect", "reset"),
        (0, ("downstream_remote_reset",), "http2.remote_reset", "reset"),
        (200, ("upstream_connection_termination",),
         "upstream_reset_after_response_started{connection_termination}", "broken"),
        (200, (), "upstream_reset_after_response_started{remote_reset}", "broken"),
        (200, ("stream_idle_timeout",), "stream_idle_timeout", "broken"),
        (200, ("upstream_max_stream_duration_reached",), "upstream_max_stream_duration_reached", "broken"),
        (0, (), "", "broken"),
    ],
)  # fmt: skip
def test_outcomes(status: int, flags: tuple[str, ...], details: str, outcome: str) -> None:
    message = entry()
    message.response.response_code.value = status
    message.response.response_code_details = details
    for flag in flags:
        setattr(message.common_properties.response_flags, flag, True)
    record = translated(message)
    assert record.outcome == outcome
    assert record.code is None
    assert len(record.flags) == len(flags)


def test_an_answer_of_the_gate_without_a_code_is_a_refusal() -> None:
    record = translated(refused("-", 507, "request_payload_exceeded_retry_buffer_limit"))
    assert (record.outcome, record.code, record.status) == ("refused", None, 507)


def test_a_refusal_that_the_caller_did_not_wait_for_is_a_refusal() -> None:
    message = refused("denied-by-rule", 403)
    message.common_properties.response_flags.downstream_connection_termination = True
    assert translated(message).outcome == "refused"


def test_all_flags_of_the_protocol_have_short_names() -> None:
    fields = accesslog_pb2.ResponseFlags.DESCRIPTOR.fields
    assert {field.name for field in fields} == set(outcomes.FLAGS)
    message = entry()
    flags = message.common_properties.response_flags
    flags.upstream_overflow = True
    flags.unauthorized_details.SetInParent()
    assert translated(message).flags == ("UO", "UAEX")


def rbac(**fields: str) -> Any:
    return with_metadata(entry(), record_fields.RBAC_NAMESPACE, fields)


def test_the_rule_is_the_one_that_decided() -> None:
    deny = record_fields.stage_policy(record_fields.DENY_STAGE, 3, "lending/no/deny[3]")
    no_key = record_fields.stage_policy("2", 0, "api-key")
    allow = record_fields.rule_policy(2, "lending/yes/allow[2]", limited=True)
    allowed = {record_fields.ALLOW_RESULT: "allowed", record_fields.ALLOW_ID: allow}
    assert translated(rbac(**{record_fields.STAGE_ID: deny})).rule == "lending/no/deny[3]"
    assert translated(rbac(**{record_fields.STAGE_ID: no_key})).rule is None
    assert translated(rbac(**allowed)).rule == "lending/yes/allow[2]"
    assert translated(rbac(**{record_fields.ALLOW_RESULT: "denied"})).rule is None
    assert translated(rbac()).rule is None


def test_what_shadow_policies_would_have_done() -> None:
    deny = record_fields.rule_policy(0, "lending/next/deny[0]")
    allow = record_fields.rule_policy(1, "lending/next/allow[1]")
    would = {
        record_fields.SHADOW_DENY_RESULT: "denied",
        record_fields.SHADOW_DENY_ID: deny,
        record_fields.SHADOW_ALLOW_RESULT: "allowed",
        record_fields.SHADOW_ALLOW_ID: allow,
    }
    assert translated(rbac(**would)).shadow == (
        "deny lending/next/deny[0]",
        "allow lending/next/allow[1]",
    )
    assert translated(rbac()).shadow == ()


def without_token() -> Any:
    message = entry()
    for tag in ("id/corp", "groups/corp"):
        del message.common_properties.custom_tags[tag]
    return message


@pytest.mark.parametrize(
    ("namespace", "method"),
    [(record_fields.APIKEY_NAMESPACE, "apikey"), (record_fields.MTLS_NAMESPACE, "mtls")],
)
def test_callers_by_key_and_certificate(namespace: str, method: str) -> None:
    proved = {"provider": "partners", "id": "acme", "groups": ["partners"]}
    caller = translated(with_metadata(without_token(), namespace, proved)).caller
    assert caller == records.Caller(
        provider="partners",
        id="acme",
        method=method,  # type: ignore[arg-type]  # from the table above
        groups=("partners",),
    )


def test_a_token_comes_before_a_key_before_a_certificate() -> None:
    message = entry()
    with_metadata(message, record_fields.MTLS_NAMESPACE, {"provider": "m", "id": "m"})
    with_metadata(message, record_fields.APIKEY_NAMESPACE, {"provider": "k", "id": "k"})
    assert translated(message).caller.method == "jwt"
    del message.common_properties.custom_tags["id/corp"]
    assert translated(message).caller.method == "apikey"
    del message.common_properties.metadata.filter_metadata[record_fields.APIKEY_NAMESPACE]
    assert translated(message).caller.method == "mtls"


def test_nobody_is_nobody() -> None:
    assert translated(without_token()).caller == records.Caller()


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("staff", ("staff",)),
        ("two words", ("two words",)),
        ("[]", ()),
        ('["a",1,null,"b"]', ("a", "b")),
    ],
)
def test_groups_are_those_the_rules_compared(text: str, groups: tuple[str, ...]) -> None:
    message = entry()
    message.common_properties.custom_tags["groups/corp"] = text
    assert translated(message).caller.groups == groups


def test_the_split_key_is_that_of_the_first_sticky_key_that_is_there() -> None:
    message = with_metadata(entry(), record_fields.GATE_NAMESPACE, {"config": "sha256:config"})
    assert translated(message).split_key == xxhash.xxh64_hexdigest(b"u-17", seed=0)
    message = with_metadata(without_token(), record_fields.GATE_NAMESPACE, {})
    assert translated(message).split_key == xxhash.xxh64_hexdigest(b"192.0.2.7", seed=0)


def test_without_a_route_little_is_known() -> None:
    message = refused("unknown-host", 404)
    del message.common_properties.custom_tags["route"]
    record = translated(message)
    assert (record.model, record.policy, record.rule, record.split_key) == (None,) * 4


def test_a_request_without_an_id_gets_one() -> None:
    message = refused("malformed-request", 400, "http1.codec_error")
    message.request.Clear()
    message.common_properties.stream_id = ""
    record = translated(message)
    assert (record.record_id, record.outcome, record.path) == (FRESH, "refused", None)


def test_text_of_callers_is_bounded() -> None:
    message = entry()
    message.request.path = "/" + "a" * 70_000
    message.request.user_agent = "ü" * 70_000
    record = translated(message)
    assert record.path is not None
    assert record.user_agent is not None
    assert len(record.path) == translate.MAX_TEXT
    assert record.path.endswith("…")
    assert len(record.user_agent) == translate.MAX_AGENT


def test_addresses() -> None:
    message = entry()
    message.common_properties.upstream_remote_address.socket_address.address = "2001:db8::1"
    assert translated(message).upstream == "[2001:db8::1]:18101"
    message.common_properties.upstream_remote_address.pipe.path = "/run/model.sock"
    assert translated(message).upstream == "/run/model.sock"


@pytest.mark.parametrize(
    ("tag", "value"), [("route", "{"), ("route", '{"model":1}'), ("region/x", "de")]
)
def test_what_cannot_be_translated_is_still_recorded(tag: str, value: str) -> None:
    message = entry()
    message.common_properties.custom_tags[tag] = value
    record = translated(message)
    assert record.outcome == "broken"
    assert record.details is not None
    assert record.details.startswith("not translatable: ")
    assert (record.status, record.path) == (200, "/v2/models/credit/infer")
    assert record.sequence == 7


def test_a_time_out_of_range_is_still_recorded() -> None:
    message = entry()
    message.common_properties.start_time.seconds = 10**17
    record = translated(message)
    assert (record.outcome, record.started_at) == ("broken", "1970-01-01T00:00:00.000000Z")


@given(data=st.binary(max_size=200), keep=st.booleans())
def test_it_never_raises(data: bytes, *, keep: bool) -> None:
    message = entry() if keep else accesslog_pb2.HTTPAccessLogEntry()
    try:
        message.MergeFromString(data)
    except Exception:  # noqa: BLE001  # what the wire itself refuses never reaches us
        return
    record = translated(message)
    assert records.decode(records.encode(record)) == record


def test_when_a_request_ended() -> None:
    assert translate.finished_us(entry()) == 1_795_487_993_010_314 + 1070
