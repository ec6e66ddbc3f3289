"""Records: what is kept about requests and changes. The store may change, the record may not.

Every attribute on which a decision may depend is here, with the policy hash, so that a decision
can be replayed. Field names are the public ones of `docs/reference/records.md`. Frozen; absent
values are None, never "-" or "". No personal data beyond identifiers that the policy itself uses,
never a credential, never a body.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

SCHEMA = "gatereeve.dev/record/v1"

Outcome = Literal["served", "refused", "reset", "broken"]
"""served: the model answered · refused: the gate answered in its stead ·
reset: the caller went away · broken: the model failed, or the answer did not end."""


Event = Literal["compiled", "active", "rejected", "gate-up", "gate-down"]
"""compiled: documents became a new configuration · active: the gate proved that it runs it ·
rejected: the gate, or the building of its configuration, refused it · gate-up, gate-down: the
gate's process came or went."""

What = Literal["found", "created", "changed", "deleted"]
"""found: it was there when a store of records began."""

MAX_REASON = 500
"""Characters of a reason; what is longer ends in an ellipsis."""


class Caller(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who called, as far as proved. All fields are empty for an anonymous caller.

    provider: name of the identity provider in the Gate document.
    id: the caller's name there; `provider/id` is unambiguous over a gate.
    method: `jwt`, `apikey` or `mtls`.
    issuer: the token's issuer; only with `jwt`.
    groups: as the provider proved them.
    """

    provider: str | None = None
    id: str | None = None
    method: Literal["jwt", "apikey", "mtls"] | None = None
    issuer: str | None = None
    groups: tuple[str, ...] = ()


class RequestRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="request", tag_field="kind"
):
    """One request as one gate answered it.

    record_id: the id that the caller was given (UUID), in `x-request-id` and in every refusal.
    gate: name of the Gate document.
    node: which of the gate's processes, as `gate/<name>-<replica>`.
    sequence: per process of a gate, rises by one; a gap is a loss, which a loss record reports.
    started_at: RFC 3339, UTC, microseconds: when the request's first byte came.
    outcome: `served`: the model, service or redirect of the route answered; `refused`: the gate answered in its stead; `reset`: the caller went away before the end; `broken`: the model failed, or its answer did not end.
    status: the HTTP status that the caller got; 0 when none was sent.
    code: the refusal code that the caller got; absent when the gate did not answer itself.
    duration_us: microseconds to the last byte of the answer; absent when it was never sent.
    scheme: `http` or `https`, of the connection to the gate.
    host: host that was asked for.
    method: HTTP method; absent for methods outside RFC 9110 and PATCH.
    path: path that was asked for, in canonical form, without its query.
    protocol: the model's protocol: `openai`, `kserve-v1`, `kserve-v2` or `json`.
    source_ip: the caller's address, after the Gate's trusted proxy hops.
    sni: server name of the TLS handshake.
    user_agent: what the caller's program calls itself, at most 256 characters.
    caller: who called, as far as proved; see below.
    region: the caller's region, in lower case, from the first of the Gate's sources that knew it.
    purpose: the purpose of the call, in lower case, likewise.
    operation: `infer`, `stream`, `embeddings`, `metadata` or `health`.
    model: `namespace/name` of the model; absent for ordinary routes.
    version: the version whose server answered (or was tried last).
    requested_version: the version that the request asked for.
    route_rule: which rollout rule chose the versions: `match[0]`, a name, `split`, `requested`, `default`.
    rule: the allow or deny rule that decided, like `lending/partners/allow[0]`.
    shadow: what policies in shadow mode would have done: `deny RULE`, `allow RULE`, `no-allow-rule`.
    split_key: hash of the sticky key (xxHash64, seed 0, hexadecimal): replays the split without the subject.
    policy: hash of all that decides about this model on this gate.
    config: hash of the gate's whole configuration.
    audit: the model's audit level: `observe`, `recorded` or `strict`.
    cluster: name of the group of servers that the request was sent to.
    upstream: address and port of the server.
    attempts: how often a server was tried.
    request_bytes: bytes of the request's body.
    response_bytes: bytes of the answer's body.
    flags: Envoy's response flags, short names.
    details: Envoy's response code details; `not translatable: …` when the gate's entry could not be read whole.
    """

    record_id: str
    gate: str
    node: str
    sequence: int
    started_at: str
    outcome: Outcome
    status: int
    code: str | None = None
    duration_us: int | None = None

    scheme: str | None = None
    host: str | None = None
    method: str | None = None
    path: str | None = None
    protocol: str | None = None
    source_ip: str | None = None
    sni: str | None = None
    user_agent: str | None = None

    caller: Caller = Caller()
    region: str | None = None
    purpose: str | None = None
    operation: str | None = None

    model: str | None = None
    version: str | None = None
    requested_version: str | None = None
    route_rule: str | None = None
    rule: str | None = None
    shadow: tuple[str, ...] = ()
    split_key: str | None = None
    policy: str | None = None
    config: str | None = None
    audit: str | None = None

    cluster: str | None = None
    upstream: str | None = None
    attempts: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    flags: tuple[str, ...] = ()
    details: str | None = None


class ChangeRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="change", tag_field="kind"
):
    """One change of what a gate enforces: from a configuration hash to the next, and how it ended.

    record_id: UUID of this record.
    gate: name of the Gate document.
    at: RFC 3339, UTC, microseconds.
    event: `compiled`: documents became a new configuration; `active`: the gate proved that it runs it; `rejected`: the gate, or the building of its configuration, refused it; `gate-up`, `gate-down`: the gate came or went.
    before: configuration hash before the change.
    after: configuration hash that was compiled, is active or was rejected.
    by: who changed the documents, when it was one person and known; else see their own records.
    documents: the documents that caused it, as far as known, at most 50.
    findings: how many findings the documents had.
    reason: why it was rejected, or why the gate went.
    """

    record_id: str
    gate: str
    at: str
    event: Event
    before: str | None = None
    after: str | None = None
    by: str | None = None
    documents: tuple[str, ...] = ()
    findings: int = 0
    reason: str | None = None


class DocumentRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="document", tag_field="kind"
):
    """One change of one governed document: who made it, and which configurations came of it.

    record_id: UUID of this record.
    document: which, as `ModelVersion lending/credit-v2`.
    at: RFC 3339, UTC, microseconds: when the change was compiled.
    what: `created`, `changed`, `deleted`, or `found`: it was there when this store of records began.
    by: who made the change, as the API server authenticated them; absent when it is not known: in a folder, and for a deletion that another replica witnessed.
    before: digest of its content before; equal to `after` when only labels or annotations changed.
    after: digest of its content after.
    approvals: of a version: the approvals of this digest that were there, as `role decision approver`.
    configs: the configuration hash of every Gate, by its name, that was compiled with it. A gate's change record `active` with that hash says that every gate of it runs it.
    """

    record_id: str
    document: str
    at: str
    what: What
    by: str | None = None
    before: str | None = None
    after: str | None = None
    approvals: tuple[str, ...] = ()
    configs: dict[str, str] = {}


class LossRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="loss", tag_field="kind"
):
    """Requests that a gate counted and whose records never came: the exact number, per gate.

    record_id: UUID of this record.
    gate: name of the Gate document; `*` when the store cannot know whose record it was.
    node: which of the gate's processes; `*` likewise.
    at: RFC 3339, UTC, microseconds: when the loss was found; when the gate's process had ended before, its end.
    lost: how many records; 0 when the reason alone is to be kept.
    reason: where they were lost, in words.
    """

    record_id: str
    gate: str
    node: str
    at: str
    lost: int
    reason: str


def instant(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds, the one spelling of time in records.

    Raises ValueError for a time without a zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def change(
    event: Event,
    *,
    record_id: str,
    gate: str,
    at: datetime,
    before: str | None = None,
    after: str | None = None,
    by: str | None = None,
    documents: tuple[str, ...] = (),
    findings: int = 0,
    reason: str | None = None,
) -> ChangeRecord:
    """The record of one change.

    Raises ValueError when it lacks what its event must say: the hash that was compiled, is active
    or was rejected, and why it was rejected.
    """
    if event in {"compiled", "active", "rejected"} and after is None:
        raise ValueError(f"a change {event!r} needs the hash it is about")
    if event == "rejected" and not reason:
        raise ValueError("a rejection needs its reason")
    if reason is not None and len(reason) > MAX_REASON:
        reason = reason[: MAX_REASON - 1] + "…"
    return ChangeRecord(
        record_id=record_id,
        gate=gate,
        at=instant(at),
        event=event,
        before=before,
        after=after,
        by=by,
        documents=documents,
        findings=findings,
        reason=reason,
    )


Record: TypeAlias = RequestRecord | ChangeRecord | DocumentRecord | LossRecord

_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """One record as one line of JSON with sorted keys, UTF-8, without the line feed."""
    return _ENCODER.encode(record)


def decode(line: bytes) -> Record:
    """The inverse of `encode`. Raises ValueError when the line is not a record."""
    try:
        return _DECODER.decode(line)
    except msgspec.MsgspecError as error:
        msg = f"not a record: {error}"
        raise ValueError(msg) from error
