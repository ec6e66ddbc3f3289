"""JSON Web Key Sets (RFC 7517): the keys with which a gate may verify tokens, and why not the others.

A key is used whole or not at all. What is used is written anew: only the members that verifying
needs, in the one encoding of RFC 7518, so that Envoy reads what was judged here and accepts it.
A set that cannot be read has no keys; one bad key leaves the others in force (RFC 7517 section 5).
Bounds of RSA and EC keys are Envoy 1.40's (BoringSSL) or stricter. Pure.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gatereeve.compile.governance import edwards

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
RSA_EXPONENTS: Final = (3, 65537)
"""The only ones that Envoy 1.40 takes."""

MAX_KEYS: Final = 100
EMPTY: Final = '{"keys":[]}'
_MAX_KID_CHARS: Final = 512

_RSA_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: Final[dict[str, tuple[ec.EllipticCurve, str]]] = {
    "P-256": (ec.SECP256R1(), "ES256"),
    "P-384": (ec.SECP384R1(), "ES384"),
    "P-521": (ec.SECP521R1(), "ES512"),
}
_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_SMALL_PRIMES: Final = math.prod(
    n for n in range(3, 752, 2) if all(n % d for d in range(3, math.isqrt(n) + 1, 2))
)
"""NIST SP 800-89 section 5.3.3 asks for a modulus without factors below 752."""

_PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
_Read: TypeAlias = tuple[_PublicKey, dict[str, str], tuple[str, ...]]
"""A public key, the members that say it, and the algorithms that it is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """text: the usable keys as canonical JSON. refused: the other keys and why, as sentences.

    problem: why no key at all can be used, or None.
    """

    text: str
    refused: tuple[str, ...] = ()
    problem: str | None = None


class _RefusedError(Exception):
    """A key that is not used; the text says why."""


@lru_cache(maxsize=64)
def read_key_set(text: str) -> KeySet:
    """The usable keys of a JWKS document."""
    try:
        parsed: object = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        repeated = isinstance(error, _RepeatedError)
        return KeySet(text=EMPTY, problem=str(error) if repeated else "it is not JSON")
    keys = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(keys, list):
        return KeySet(text=EMPTY, problem='it has no list "keys"')
    if not keys:
        return KeySet(text=EMPTY, problem="its list of keys is empty")
    if len(keys) > MAX_KEYS:
        return KeySet(text=EMPTY, problem=f"it has {len(keys)} keys; the bound is {MAX_KEYS}")
    used: list[Mapping[str, str]] = []
    refused = []
    for index, key in enumerate(keys):
        try:
            usable = _read_key(key)
        except _RefusedError as error:
            refused.append(f"keys[{index}] {error}")
            continue
        if usable not in used:
            used.append(usable)
    problem = None if used else "none of its keys can be used"
    return KeySet(text=_write(used), refused=tuple(refused), problem=problem)


def _write(keys: list[Mapping[str, str]]) -> str:
    return json.dumps({"keys": keys}, separators=(",", ":"), sort_keys=True)


class _RepeatedError(ValueError):
    """A member stands twice (RFC 7517 section 4: names must be unique)."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _RepeatedError(f"the member {twice!r} stands twice in one object")
    return members


def _refuse_constant(text: str) -> object:
    msg = f"{text} is not JSON"
    raise ValueError(msg)


def _read_key(key: object) -> dict[str, str]:
    """The members of a key that verifying needs, written canonically. Raises _RefusedError."""
    if not isinstance(key, dict):
        raise _RefusedError("is not an object")
    kind = key.get("kty")
    if kind == "oct":
        raise _RefusedError(
            "is symmetric (kty oct): with the key that checks a token one could sign it"
        )
    private = next((name for name in _PRIVATE if name in key), None)
    if private is not None:
        raise _RefusedError(
            f"is a private key (it has {private!r}), which has no place in a key set"
        )
    _check_use(key)
    if not isinstance(kind, str) or kind not in _READERS:
        raise _RefusedError(
            f"has the type {kind!r} (kty); the gate knows {_either(tuple(_READERS))}"
        )
    public, members, algorithms = _READERS[kind](key)
    _check_certificate(key, public)
    members["kty"] = kind
    alg = _read_alg(key, algorithms)
    if alg is not None:
        members["alg"] = alg
    kid = _read_kid(key)
    if kid:
        members["kid"] = kid
    return members


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(words)


def _check_use(key: Mapping[str, object]) -> None:
    """RFC 7517 sections 4.2 and 4.3."""
    use = key.get("use", "sig")
    if use != "sig":
        raise _RefusedError(f"has use {use!r}: it is not for signatures")
    operations = key.get("key_ops", ["verify"])
    if not isinstance(operations, list) or not all(isinstance(o, str) for o in operations):
        raise _RefusedError("has key_ops that are no list of texts")
    if len(set(operations)) != len(operations):
        raise _RefusedError("has key_ops that name an operation twice")
    if "verify" not in operations or not set(operations) <= {"sign", "verify"}:
        raise _RefusedError(f"has key_ops {operations}: it is not for verifying signatures alone")


def _read_alg(key: Mapping[str, object], algorithms: tuple[str, ...]) -> str | None:
    """The one algorithm of the key (RFC 8725 section 3.1); None for an RSA key that names none."""
    alg = key.get("alg")
    if alg is None:
        return algorithms[0] if len(algorithms) == 1 else None
    if not isinstance(alg, str) or alg not in algorithms:
        raise _RefusedError(
            f"has alg {alg!r}, which does not fit: a key like this is for {_either(algorithms)}"
        )
    return alg


def _read_kid(key: Mapping[str, object]) -> str:
    """RFC 7517 section 4.5; bounded, and without what JSON for Envoy cannot hold."""
    kid = key.get("kid", "")
    if not isinstance(kid, str):
        raise _RefusedError("has a kid that is no text")
    if len(kid) > _MAX_KID_CHARS or not kid.isprintable():
        raise _RefusedError(
            f"has a kid of more than {_MAX_KID_CHARS} characters or with invisible ones"
        )
    return kid


def _read_rsa(key: Mapping[str, object]) -> _Read:
    """RFC 7518 sections 3.3 and 6.3.1."""
    n, e = _number(key, "n"), _number(key, "e")
    bits = n.bit_length()
    if bits < MIN_RSA_BITS:
        raise _RefusedError(f"is weak: RSA with {bits} bits, and {MIN_RSA_BITS} are the least")
    if bits > MAX_RSA_BITS:
        raise _RefusedError(f"is too large: RSA with {bits} bits, and {MAX_RSA_BITS} are the most")
    if e not in RSA_EXPONENTS:
        raise _RefusedError(
            f"has the exponent {_short(e)}; the gate takes {_either(tuple(map(str, RSA_EXPONENTS)))}"
        )
    if n % 2 == 0:
        raise _RefusedError("has an even modulus: it is no RSA key")
    if math.gcd(n, _SMALL_PRIMES) != 1:
        raise _RefusedError("has a modulus with a small factor: it is no RSA key")
    public = rsa.RSAPublicNumbers(e, n).public_key()
    return public, {"n": _encode_number(n), "e": _encode_number(e)}, _RSA_ALGORITHMS


def _read_ec(key: Mapping[str, object]) -> _Read:
    """RFC 7518 section 6.2.1: both coordinates in full length, the point on the curve."""
    name = key.get("crv")
    if not isinstance(name, str) or name not in _CURVES:
        raise _RefusedError(f"has the curve {name!r}; the gate knows {_either(tuple(_CURVES))}")
    curve, algorithm = _CURVES[name]
    size = (curve.key_size + 7) // 8
    x, y = _bytes(key, "x"), _bytes(key, "y")
    if len(x) != size or len(y) != size:
        raise _RefusedError(f"has coordinates of {len(x)} and {len(y)} bytes; {name} has {size}")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve)
    try:
        public = numbers.public_key()
    except ValueError as error:
        raise _RefusedError(f"is a point that is not on the curve {name}") from error
    return public, {"crv": name, "x": _encode(x), "y": _encode(y)}, (algorithm,)


def _read_okp(key: Mapping[str, object]) -> _Read:
    """RFC 8037 section 2."""
    if key.get("crv") != "Ed25519":
        raise _RefusedError(f"has the curve {key.get('crv')!r}; the gate knows Ed25519")
    x = _bytes(key, "x")
    if not edwards.is_public_key(x):
        raise _RefusedError("is no point of Ed25519, or one of small order, which proves nothing")
    public = ed25519.Ed25519PublicKey.from_public_bytes(x)
    return public, {"crv": "Ed25519", "x": _encode(x)}, ("EdDSA",)


_READERS: Final[dict[str, Callable[[Mapping[str, object]], _Read]]] = {
    "RSA": _read_rsa,
    "EC": _read_ec,
    "OKP": _read_okp,
}


def _check_certificate(key: Mapping[str, object], public: _PublicKey) -> None:
    """RFC 7517 section 4.7: a certificate beside the key must hold the same key. It is not trusted."""
    if "x5c" not in key:
        return
    chain = key["x5c"]
    first = chain[0] if isinstance(chain, list) and chain else None
    try:
        der = base64.b64decode(first if isinstance(first, str) else "", validate=True)
        named = x509.load_der_x509_certificate(der).public_key()
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise _RefusedError("has an x5c whose first certificate cannot be read") from error
    if named != public:
        raise _RefusedError("has an x5c whose first certificate is of another key")


def _number(key: Mapping[str, object], name: str) -> int:
    """Base64urlUInt (RFC 7518 section 2): big-endian, in the fewest bytes."""
    data = _bytes(key, name)
    if data[:1] in (b"", b"\0"):
        raise _RefusedError(f"has {name} that is empty or begins with a zero byte")
    return int.from_bytes(data)


def _bytes(key: Mapping[str, object], name: str) -> bytes:
    """Base64url (RFC 7515 section 2): no padding, no white space, no bits too many."""
    value = key.get(name)
    if not isinstance(value, str):
        raise _RefusedError(f"has no {name}")
    try:
        data = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or _encode(data) != value:
        raise _RefusedError(f"has {name} that is not base64url without padding")
    return data


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode_number(number: int) -> str:
    return _encode(number.to_bytes((number.bit_length() + 7) // 8))


def _short(number: int) -> str:
    return str(number) if number.bit_length() <= 64 else f"of {number.bit_length()} bits"
