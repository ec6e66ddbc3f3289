"""Bearer tokens, verified as Envoy's jwt_authn verifies them (measured with Envoy 1.40).

The Authorization header must be one bearer token. RFC 7515 and 7519 apply as in Envoy: a key without
`kid` matches every token, an RSA key without `alg` every RSA algorithm, and audiences are compared without
scheme and final slash. Extensions (`crit`, `b64`) are refused. Symmetric algorithms never verify.
PyJWT loads a key and checks a signature; which token is read and which key is tried are decided here.
Stricter than Envoy in one point: the payload must be strict JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import jwt
from cryptography.exceptions import UnsupportedAlgorithm

from gatereeve.decide.principals import Claims
from gatereeve.ir.identity import JwtProvider

_ALGORITHMS = frozenset(
    (
        "EdDSA",
        *(f"{family}{size}" for family in ("ES", "HS", "RS", "PS") for size in (256, 384, 512)),
    )
)
_PART = "[A-Za-z0-9_-]"
_SIGNATURE = rf"{_PART}{{86}}|{_PART}{{128}}|{_PART}{{176}}|{_PART}{{342,}}"
"""The lengths of ES256 and EdDSA, ES384, ES512, and of RSA with 2048 bits or more (RFC 7518, 8037)."""
_BEARER = re.compile(rf"[Bb][Ee][Aa][Rr][Ee][Rr] ({_PART}+\.{_PART}+\.(?:{_SIGNATURE}))")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_ECDSA_BYTES = {"ES256": 32, "ES384": 48, "ES512": 66}
_EXTENSIONS = ("crit", "b64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A valid token for this gate. extension: a JOSE header that the gate does not support, or None."""

    provider: JwtProvider
    claims: Claims
    extension: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """A credential that does not verify. why: for `explain` only."""

    why: str


class _UnreadableError(Exception):
    """A part of a token cannot be read; the message names it."""


def parse_bearer(authorization: str) -> str | Invalid:
    """Return the token of an Authorization header (several headers joined by commas).

    The header is `Bearer` in any case, one space, and three parts of base64url; the last has the length
    of a signature (RFC 6750 section 2.1, RFC 7515 section 3.1).
    """
    match = _BEARER.fullmatch(authorization)
    if match is None:
        return Invalid(why="the Authorization header is not one bearer token of three parts")
    return match[1]


def verify(token: str, providers: Sequence[JwtProvider], *, now: datetime) -> Verified | Invalid:
    """Return the verified token, or why it is invalid.

    The checks: 1 form, 2 header, 3 payload, 4 issuer, 5 time, 6 audience, 7 signature.
    """
    try:
        header, claims, signed, signature = _read_token(token)  # 1, 2, 3
    except _UnreadableError as error:
        return Invalid(why=str(error))
    issuer = claims.get("iss")
    provider = next((p for p in providers if p.issuer == issuer), None)  # 4
    if provider is None:
        return Invalid(why=f"no provider has the issuer {issuer!r}")
    problem = _find_time_problem(claims, provider.leeway_s, now)  # 5
    if problem is not None:
        return Invalid(why=problem)
    accepted = {_normalize_audience(audience) for audience in provider.audiences}
    if not any(
        _normalize_audience(audience) in accepted for audience in _read_audiences(claims)
    ):  # 6
        return Invalid(why=f"the token is not for this gate: aud {claims.get('aud')!r}")
    if not _is_signed(header, signed, signature, provider.jwks):  # 7
        return Invalid(why=f"no key of provider {provider.name} verifies the signature")
    extension = next((name for name in _EXTENSIONS if name in header), None)
    return Verified(provider=provider, claims=claims, extension=extension)


def read_claim(claims: Claims, path: Sequence[str]) -> object:
    """Return the value at `path`, or None if a part is absent or not an object."""
    value: object = claims
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _read_token(token: str) -> tuple[Claims, Claims, bytes, bytes]:
    parts = token.split(".")
    if len(parts) != 3:
        raise _UnreadableError("the token does not have the form header.payload.signature")
    header = _read_object(parts[0], "header")
    algorithm, key_id = header.get("alg"), header.get("kid", "")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise _UnreadableError(f"the algorithm {algorithm!r} is not allowed")
    if not isinstance(key_id, str):
        raise _UnreadableError("kid is not a string")
    claims = _read_object(parts[1], "payload")
    for name in ("iss", "sub", "jti"):
        if not isinstance(claims.get(name, ""), str):
            raise _UnreadableError(f"{name} is not a string")
    for name in ("iat", "nbf", "exp"):
        if name in claims and _read_seconds(claims[name]) is None:
            raise _UnreadableError(f"{name} is not a positive number of seconds")
    audience = claims.get("aud", "")
    if not isinstance(audience, str) and not _is_texts(audience):
        raise _UnreadableError("aud is neither a string nor a list of strings")
    return (
        header,
        claims,
        f"{parts[0]}.{parts[1]}".encode(),
        _decode_base64url(parts[2], "signature"),
    )


def _read_object(part: str, what: str) -> Claims:
    try:
        value: object = json.loads(
            _decode_base64url(part, what),
            parse_constant=_refuse_constant,
            object_pairs_hook=_check_unique,
        )
    except (ValueError, RecursionError) as error:
        raise _UnreadableError(f"the {what} is not JSON") from error
    if not isinstance(value, dict):
        raise _UnreadableError(f"the {what} is not a JSON object")
    return value


def _check_unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is repeated")
    return value


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def _decode_base64url(part: str, what: str) -> bytes:
    if _BASE64URL.fullmatch(part) is None:
        raise _UnreadableError(f"the {what} is not base64url")
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise _UnreadableError(f"the {what} is not base64url") from error


def _read_seconds(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and 0 <= value < 2**64 else None


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _read_audiences(claims: Claims) -> list[str]:
    audience = claims.get("aud", [])
    return [audience] if isinstance(audience, str) else [str(a) for a in _as_list(audience)]


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _normalize_audience(audience: str) -> str:
    """Remove `http(s)://` and a final `/`, as Envoy does before it compares audiences."""
    for prefix in ("https://", "http://"):
        if audience.startswith(prefix):
            audience = audience[len(prefix) :]
            break
    return audience.removesuffix("/")


def _find_time_problem(claims: Claims, leeway_s: int, now: datetime) -> str | None:
    at = int(now.timestamp())
    expires = _read_seconds(claims.get("exp"))
    if not expires:
        return "the token has no expiry"
    if at > expires + leeway_s:
        return f"the token expired {at - expires} s ago"
    starts = _read_seconds(claims.get("nbf")) or 0
    if at + leeway_s < starts:
        return f"the token becomes valid in {starts - at} s"
    return None


def _is_signed(header: Claims, signed: bytes, signature: bytes, jwks: str) -> bool:
    algorithm, key_id = str(header["alg"]), header.get("kid")
    keys: object = json.loads(jwks)
    for jwk in _as_list(keys.get("keys") if isinstance(keys, dict) else None):
        if not isinstance(jwk, dict):
            continue
        if key_id and jwk.get("kid") and jwk["kid"] != key_id:
            continue
        if jwk.get("alg") and jwk["alg"] != algorithm:
            continue
        if _is_signature(jwk, algorithm, signed, signature):
            return True
    return False


def _is_signature(jwk: dict[str, object], algorithm: str, signed: bytes, signature: bytes) -> bool:
    """Whether a vetted public key (RFC 7517) verifies `signature` (RFC 7518 section 3, RFC 8037)."""
    if algorithm.startswith("HS"):
        return False
    if algorithm in _ECDSA_BYTES:
        signature = _resize_ecdsa(signature, _ECDSA_BYTES[algorithm])
    try:
        key = jwt.PyJWK(jwk, algorithm)
        return bool(key.Algorithm.verify(signed, key.key, signature))
    except (jwt.PyJWTError, ValueError, UnsupportedAlgorithm):
        return False


def _resize_ecdsa(signature: bytes, size: int) -> bytes:
    """Return both numbers in `size` bytes each. Envoy reads each half as a number, of any length."""
    half = len(signature) // 2
    numbers = (signature[:half], signature[half : 2 * half])
    return b"".join(number.lstrip(b"\0").rjust(size, b"\0") for number in numbers)
