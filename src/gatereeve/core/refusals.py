"""Refusals: every answer that the gate gives in a model's stead, by stable code.

The reference decision, the Envoy builders, the records and the documentation read the same table.
Design section 5; the body is RFC 9457 problem+json with `type` = TYPE_BASE + code, or OpenAI's
error object with the same code. Titles carry no internal detail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

RefusalCode = NewType("RefusalCode", str)

TYPE_BASE = "https://gatereeve.dev/refusals/"


@dataclass(frozen=True, slots=True)
class Refusal:
    """status: HTTP status. title: for the caller. about: for the reference page.

    openai_type: the `error.type` that OpenAI clients expect for this class of error.
    """

    code: RefusalCode
    status: int
    title: str
    openai_type: str
    about: str


def _table(*rows: tuple[str, int, str, str, str]) -> dict[RefusalCode, Refusal]:
    return {RefusalCode(row[0]): Refusal(RefusalCode(row[0]), *row[1:]) for row in rows}


_INVALID, _AUTH, _PERM, _RATE, _SERVER = (
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "rate_limit_error",
    "server_error",
)

REFUSALS: dict[RefusalCode, Refusal] = _table(
    (
        "malformed-request",
        400,
        "The request is malformed.",
        _INVALID,
        "The request has no canonical form: framing, path, header or host are not what HTTP allows.",
    ),
    (
        "ambiguous-path",
        400,
        "The path or its query may be read in two ways.",
        _INVALID,
        "The path holds escapes, dots or parameters that a server may read otherwise than the gate, or a query parameter that chooses the route is repeated or escaped.",
    ),
    (
        "ambiguous-header",
        400,
        "A header that decides about this request is repeated or is not plain text.",
        _INVALID,
        "A header that a rule of a governed route reads is sent twice, is empty, holds a comma, or is not visible ASCII.",
    ),
    (
        "credential-required",
        401,
        "A credential is required.",
        _AUTH,
        "No credential was presented and no rule admits anonymous callers.",
    ),
    (
        "invalid-credential",
        401,
        "The credential is not valid.",
        _AUTH,
        "A token, key or certificate was presented that does not verify; another valid one does not help.",
    ),
    (
        "tls-required",
        403,
        "This host is served over TLS only.",
        _PERM,
        "A governed host was called over plain HTTP and the Gate does not redirect.",
    ),
    (
        "denied-by-rule",
        403,
        "A rule denies this request.",
        _PERM,
        "A deny rule matches the caller, region, purpose or operation.",
    ),
    (
        "no-allow-rule",
        403,
        "No rule allows this request.",
        _PERM,
        "No allow rule matches the caller, region, purpose and operation.",
    ),
    ("unknown-host", 404, "Nothing is served here.", _INVALID, "No route has this host."),
    (
        "unknown-path",
        404,
        "Nothing is served here.",
        _INVALID,
        "No route of this host has this path, method or match.",
    ),
    (
        "unknown-operation",
        404,
        "The model has no such operation.",
        _INVALID,
        "The path is not an operation of the model's protocol.",
    ),
    (
        "unknown-model",
        404,
        "No such model here.",
        _INVALID,
        "The body names no model that this route serves, or could not be read.",
    ),
    (
        "request-timeout",
        408,
        "The request took too long to arrive.",
        _INVALID,
        "Headers or body did not arrive in time.",
    ),
    (
        "payload-too-large",
        413,
        "The request is too large.",
        _INVALID,
        "The body exceeds what the gate may inspect.",
    ),
    (
        "misdirected-request",
        421,
        "This connection is for another host.",
        _INVALID,
        "The TLS server name and the Host header disagree.",
    ),
    (
        "upgrade-refused",
        403,
        "Protocol upgrades are not served here.",
        _PERM,
        "CONNECT or an upgrade on a route that asks for none.",
    ),
    (
        "rate-limited",
        429,
        "The limit of this caller is reached.",
        _RATE,
        "The token bucket of the matching allow rule is empty for this caller; see Retry-After.",
    ),
    (
        "headers-too-large",
        431,
        "The request headers are too large.",
        _INVALID,
        "Headers exceed 60 KiB or 100 fields.",
    ),
    (
        "no-backend",
        500,
        "The route has no valid backend.",
        _SERVER,
        "The route's backend does not exist, is not granted or is of an unknown kind (Gateway API's answer).",
    ),
    (
        "bad-gateway",
        502,
        "The model's answer was broken off.",
        _SERVER,
        "The model closed the connection or answered something that is not HTTP.",
    ),
    (
        "no-eligible-version",
        503,
        "No version of this model may serve this request.",
        _SERVER,
        "No version is approved, unexpired and in a lawful region for this caller.",
    ),
    (
        "configuration-rejected",
        503,
        "This route cannot be served.",
        _SERVER,
        "The gate's Envoy rejects what a document of this route says, so it is taken out until it changes.",
    ),
    (
        "strict-recording-unavailable",
        503,
        "This model cannot be served unrecorded.",
        _SERVER,
        "audit: strict, and the durable recorder is not there.",
    ),
    (
        "policy-broken",
        503,
        "The policy of this model cannot be read.",
        _SERVER,
        "A document that may be a policy of this model is not understood, so every request is refused until it is corrected.",
    ),
    (
        "upstream-unavailable",
        503,
        "The model is not reachable.",
        _SERVER,
        "No healthy endpoint, or connections to it are refused or used up.",
    ),
    (
        "overloaded",
        503,
        "The gate is overloaded.",
        _SERVER,
        "Memory or connection bounds of the gate are reached.",
    ),
    (
        "upstream-timeout",
        504,
        "The model did not answer in time.",
        _SERVER,
        "The route's time limit passed before the answer was complete.",
    ),
)


def lookup(code: str) -> Refusal:
    """The refusal of `code`. Raises KeyError for a code that is not registered."""
    return REFUSALS[RefusalCode(code)]
