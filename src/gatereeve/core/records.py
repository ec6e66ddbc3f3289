"""Records: what is kept about requests and changes. The store may change, the record may not.

Every attribute on which a decision may depend is here, with the policy hash, so that a decision
can be replayed. Field names are the public ones of `docs/reference/records.md`. Frozen; absent
values are None, never "-" or "". No personal data beyond identifiers that the policy itself uses,
never a credential, never a body.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

SCHEMA = "gatereeve.dev/record/v1"

Outcome = Literal["served", "refused", "reset", "broken"]
"""served: the model answered · refused: the gate answered in its stead ·
reset: the caller went away · broken: the model failed, or the answer did not end."""


class Caller(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who called, as far as proved. All None for nobody (anonymous)."""

    provider: str | None = None
    id: str | None = None
    method: Literal["jwt", "apikey", "mtls"] | None = None
    issuer: str | None = None
    groups: tuple[str, ...] = ()


class RequestRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="request", tag_field="kind"
):
    """One request as one gate answered it.

    record_id: the id the caller was given (UUID). started_at: RFC 3339, UTC, microseconds.
    sequence: per gate stream, rises by one; a hole is a loss. duration_us: to the last byte, or None.
    code: the refusal code, None when served. rule: the allow or deny rule that decided, like
    `lending/partners/allow[0]`. route_rule: the rollout rule that chose the version.
    split_key: hash of the sticky key in hexadecimal, to replay the split without the subject.
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

    event: `compiled` (documents became a new configuration), `active` (the gate proved that it runs
    it), `rejected` (the gate refused it; `reason` names why and `documents` which documents).
    by: who changed the documents as far as the source can know; a folder knows nobody.
    """

    record_id: str
    gate: str
    at: str
    event: Literal["compiled", "active", "rejected", "gate-up", "gate-down"]
    before: str | None = None
    after: str | None = None
    by: str | None = None
    documents: tuple[str, ...] = ()
    findings: int = 0
    reason: str | None = None


class LossRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="loss", tag_field="kind"
):
    """Requests that a gate counted and whose records never came: the exact number, per gate."""

    record_id: str
    gate: str
    node: str
    at: str
    lost: int
    reason: str


Record: TypeAlias = RequestRecord | ChangeRecord | LossRecord

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
