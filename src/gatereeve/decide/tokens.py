"""Bearer tokens, verified as Envoy's jwt_authn verifies them (measured against Envoy 1.40).

The Authorization header is one bearer token or it is refused. RFC 7515 and 7519 with Envoy's
readings: a key without `kid` fits every token, an RSA key without `alg` every RSA algorithm; audiences
are compared without scheme and final slash. Extensions (`crit`, `b64`) are refused. Symmetric
algorithms never verify: a key set with symmetric keys does not get this far (`key_sets`).
A leeway below one second is one second: Envoy reads 0 as its default of 60. Stricter in one point:
the payload must be strict JSON. No clock: the instant is given.
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
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from gatereeve.decide.principals import Claims
from gatereeve.ir.identity import JwtProvider

_ALGORITHMS = frozenset(
    [
        "ES256",
        "ES384",
        "ES512",
        "HS256",
        "HS384",
        "HS512",
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "EdDSA",
    ]
)
_PART = "[A-Za-z0-9_-]"
_SIGNATURE = rf"{_PART}{{86}}|{_PART}{{128}}|{_PART}{{176}}|{_PART}{{342,}}"
"""The lengths of ES256 and EdDSA, ES384, ES512, and RSA from 2048 bits on (RFC 7518, 8037)."""
_BEARER = re.compile(rf"[Bb][Ee][Aa][Rr][Ee][Rr] ({_PART}+\.{_PART}+\.(?:{_SIGNATURE}))")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_EXTENSIONS = ("crit", "b64")
_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}

_Key: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A token that its issuer signed, for us, and that is valid now.

    extension: a JOSE header that changes its meaning in a way that the gate does not know; or None.
    """

    provider: JwtProvider
    claims: Claims
    extension: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """A credential that was presented and does not verify; `why` is for explaining only."""

    why: str


class _UnreadableError(Exception):
    """A part of a token that cannot be read; the text says which."""


def bearer(authorization: str) -> str | Invalid:
    """The token of an Authorization header (several headers joined by commas).

    The header is `Bearer` in any case, one space, and three parts of base64url, the last as long as
    a signature (RFC 6750 section 2.1, RFC 7515 section 3.1); everything else is invalid.
    """
    found = _BEARER.fullmatch(authorization)
    if found is None:
        return Invalid(why="Authorization is not exactly one bearer token of three parts")
    return found[1]


def verify(token: str, providers: Sequence[JwtProvider], *, now: datetime) -> Verified | Invalid:
    """The verified token, or why it is none.

    1 form · 2 header · 3 payload · 4 issuer · 5 time · 6 audience · 7 signature.
    """
    try:
        header, claims, signed, signature = _read(token)  # 1, 2, 3
    except _UnreadableError as error:
        return Invalid(why=str(error))
    issuer = claims.get("iss")
    provider = next((p for p in providers if p.issuer == issuer), None)  # 4
    if provider is None:
        return Invalid(why=f"no provider has the issuer {issuer!r}")
    problem = _time_problem(claims, provider.leeway_s, now)  # 5
    if problem is not None:
        return Invalid(why=problem)
    ours = {_bare(audience) for audience in provider.audiences}
    if not any(_bare(audience) in ours for audience in _audiences(claims)):  # 6
        return Invalid(why=f"the token is not for this gate: aud {claims.get('aud')!r}")
    if not _is_signed(header, signed, signature, provider.jwks):  # 7
        return Invalid(why=f"no key of provider {provider.name} made this signature")
    extension = next((name for name in _EXTENSIONS if name in header), None)
    return Verified(provider=provider, claims=claims, extension=extension)


def claim(claims: Claims, path: Sequence[str]) -> object:
    """The value at `path`, None when something on the way is absent or no object."""
    value: object = claims
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _read(token: str) -> tuple[Claims, Claims, bytes, bytes]:
    parts = token.split(".")
    if len(parts) != 3:
        raise _UnreadableError("not of the form header.payload.signature")
    header = _object(parts[0], "header")
    algorithm, key_id = header.get("alg"), header.get("kid", "")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise _UnreadableError(f"the algorithm {algorithm!r} is not admitted")
    if not isinstance(key_id, str):
        raise _UnreadableError("kid is not text")
    claims = _object(parts[1], "payload")
    for name in ("iss", "sub", "jti"):
        if not isinstance(claims.get(name, ""), str):
            raise _UnreadableError(f"{name} is not text")
    for name in ("iat", "nbf", "exp"):
        if name in claims and _seconds(claims[name]) is None:
            raise _UnreadableError(f"{name} is no positive number of seconds")
    audience = claims.get("aud", "")
    if not isinstance(audience, str) and not _is_texts(audience):
        raise _UnreadableError("aud is neither text nor a list of texts")
    return header, claims, f"{parts[0]}.{parts[1]}".encode(), _decode(parts[2], "signature")


def _object(part: str, what: str) -> Claims:
    try:
        value: object = json.loads(
            _decode(part, what), parse_constant=_no_constant, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError) as error:
        raise _UnreadableError(f"the {what} is not JSON") from error
    if not isinstance(value, dict):
        raise _UnreadableError(f"the {what} is no JSON object")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a key stands twice"
        raise ValueError(msg)
    return found


def _no_constant(text: str) -> object:
    msg = f"{text} is not JSON"
    raise ValueError(msg)


def _decode(part: str, what: str) -> bytes:
    if _BASE64URL.fullmatch(part) is None:
        raise _UnreadableError(f"the {what} is not base64url")
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise _UnreadableError(f"the {what} is not base64url") from error


def _seconds(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and 0 <= value < 2**64 else None


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _audiences(claims: Claims) -> list[str]:
    audience = claims.get("aud", [])
    return [audience] if isinstance(audience, str) else [str(a) for a in _items(audience)]


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _bare(audience: str) -> str:
    """Envoy compares audiences without `http(s)://` in front and `/` behind."""
    for prefix in ("https://", "http://"):
        if audience.startswith(prefix):
            audience = audience[len(prefix) :]
            break
    return audience.removesuffix("/")


def _time_problem(claims: Claims, leeway_s: int, now: datetime) -> str | None:
    at = int(now.timestamp())
    expires = _seconds(claims.get("exp"))
    if not expires:
        return "the token has no expiry"
    if at > expires + leeway_s:
        return f"the token expired {at - expires} s ago"
    starts = _seconds(claims.get("nbf")) or 0
    if at + leeway_s < starts:
        return f"the token is valid in {starts - at} s only"
    return None


def _is_signed(header: Claims, signed: bytes, signature: bytes, jwks: str) -> bool:
    algorithm, key_id = str(header["alg"]), header.get("kid")
    keys: object = json.loads(jwks)
    for jwk in _items(keys.get("keys") if isinstance(keys, dict) else None):
        if not isinstance(jwk, dict):
            continue
        if key_id and jwk.get("kid") and jwk["kid"] != key_id:
            continue
        if jwk.get("alg") and jwk["alg"] != algorithm:
            continue
        key = _public_key(jwk)
        if key is not None and _made(key, algorithm, signed, signature):
            return True
    return False


def _public_key(jwk: Mapping[str, object]) -> _Key | None:
    """The key of a JWK (RFC 7518 section 6); None for a kind that cannot sign for others."""
    try:
        if jwk.get("kty") == "RSA":
            return rsa.RSAPublicNumbers(_number(jwk, "e"), _number(jwk, "n")).public_key()
        if jwk.get("kty") == "EC":
            curve = _CURVES[str(jwk.get("crv"))]
            numbers = ec.EllipticCurvePublicNumbers(_number(jwk, "x"), _number(jwk, "y"), curve)
            return numbers.public_key()
        if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(_decode(str(jwk["x"]), "key"))
    except (ValueError, KeyError, UnsupportedAlgorithm, _UnreadableError):
        return None
    return None


def _number(jwk: Mapping[str, object], name: str) -> int:
    return int.from_bytes(_decode(str(jwk[name]), "key"), "big")


def _made(key: _Key, algorithm: str, signed: bytes, signature: bytes) -> bool:
    """Whether `key` made `signature`; the digest is the algorithm's, SHA-256 when it names none."""
    digests: dict[str, hashes.HashAlgorithm] = {"384": hashes.SHA384(), "512": hashes.SHA512()}
    digest = digests.get(algorithm[-3:], hashes.SHA256())
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, signed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            if algorithm not in ("ES384", "ES512"):
                digest = hashes.SHA256()
            half = (key.curve.key_size + 7) // 8
            r, s = signature[:half], signature[half : 2 * half]
            pair = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
            key.verify(pair, signed, ec.ECDSA(digest))
        elif algorithm.startswith("RS"):
            key.verify(signature, signed, padding.PKCS1v15(), digest)
        elif algorithm.startswith("PS"):
            salt = padding.PSS.DIGEST_LENGTH
            key.verify(signature, signed, padding.PSS(padding.MGF1(digest), salt), digest)
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True
