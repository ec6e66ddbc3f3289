"""Key sets that prove nothing (RFC 7517, 7518, 8725), and tokens that such a set would let in.

Each set stands in a Gate of its own, read for the first time. No token is good there: neither one
that the bad key makes or anybody can make for it, nor one of the key that was good before. A bad set
closes the callers of its own provider only, so an API key is answered throughout.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gatereeve.core import errors
from tests.attacks import credentials, folders, wire
from tests.attacks import documents as docs
from tests.attacks.battery import Attack, Outcome
from tests.attacks.cells import Cell, gateway
from tests.attacks.documents import Ports
from tests.attacks.servers import Servers
from tests.support import gate as gates
from tests.support import keys

_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_HEADER = {"alg": "RS256", "typ": "JWT", "kid": "corp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadSet:
    """A key set as text, and tokens that would be good if somebody believed it."""

    name: str
    text: str
    tokens: tuple[str, ...] = ()


@cache
def _rsa(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _number(value: int) -> str:
    return keys.b64(value.to_bytes(max(1, (value.bit_length() + 7) // 8)))


def _jwk(**more: object) -> dict[str, object]:
    public = _rsa().public_key().public_numbers()
    made = {"kty": "RSA", "kid": "corp", "n": _number(public.n), "e": _number(public.e)} | more
    return {key: value for key, value in made.items() if value is not None}


def _signed(key: rsa.RSAPrivateKey) -> str:
    text = _text(_HEADER)
    return f"{text}.{keys.b64(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _text(header: dict[str, str]) -> str:
    return f"{credentials.encoded(header)}.{credentials.encoded(docs.claims('alice'))}"


def _forged(modulus: int) -> str:
    """For an exponent of 1 the padded digest is its own signature."""
    text, size = _text(_HEADER), (modulus.bit_length() + 7) // 8
    digest = _SHA256 + hashlib.sha256(text.encode()).digest()
    padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    return f"{text}.{keys.b64(padded)}"


def _symmetric(secret: bytes) -> str:
    text = _text(_HEADER | {"alg": "HS256"})
    return f"{text}.{keys.b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def _sets() -> Iterator[tuple[str, object, tuple[str, ...]]]:
    modulus = _rsa().public_key().public_numbers().n
    mine, corp = _signed(_rsa()), json.loads(keys.jwks("corp"))["keys"][0]
    good = credentials.good()
    yield "exponent-1", [_jwk(e="AQ")], (_forged(modulus),)
    for exponent in (0, 2, 4, 65536, 1 << 40, modulus - 1):
        yield f"exponent-{exponent.bit_length()}-bits", [_jwk(e=_number(exponent))], (mine, _forged(modulus))  # fmt: skip
    yield "even-modulus", [_jwk(n=_number(modulus - 1))], (mine,)
    yield "modulus-0", [_jwk(n="AA")], (mine,)
    for bits in (64, 512, 1023, 20_000):
        yield f"modulus-of-{bits}-bits", [_jwk(n=_number((1 << bits) - 1))], (mine,)
    small = _rsa(1024)
    yield "small-key", [_jwk(n=_number(small.public_key().public_numbers().n))], (_signed(small),)
    for use in ("enc", "Sig", "", "tls"):
        yield f"use-{use or 'empty'}", [_jwk(use=use)], (mine,)
        yield f"ec-use-{use or 'empty'}", [corp | {"use": use}], (good,)
    for number, operations in enumerate((["encrypt"], ["sign"], ["deriveKey"], [], ["wrapKey", "unwrapKey"])):  # fmt: skip
        yield f"operations-{number}", [_jwk(key_ops=operations)], (mine,)
    for alg in ("HS256", "none", "RSA-OAEP", "ES256", "dir", "rs256"):
        yield f"alg-{alg}", [_jwk(alg=alg)], (mine, _symmetric(_number(modulus).encode()))
    for alg in ("RS256", "ES384", "HS256", "EdDSA"):
        yield f"ec-alg-{alg}", [corp | {"alg": alg}], (good,)
    yield "off-the-curve", [corp | {"y": corp["x"]}], (good,)
    yield "point-0", [corp | {"x": keys.b64(bytes(32)), "y": keys.b64(bytes(32))}], (good,)
    yield "other-curve", [corp | {"crv": "P-384"}], (good,)
    yield "curve-case", [corp | {"crv": "p-256"}], (good,)
    secret = b"secret-0123456789abcdef"
    yield "symmetric", [{"kty": "oct", "kid": "corp", "alg": "HS256", "k": keys.b64(secret)}], (_symmetric(secret),)  # fmt: skip
    yield "symmetric-empty", [{"kty": "oct", "kid": "corp", "k": ""}], (_symmetric(b""),)
    yield "no-kty", [_jwk(kty=None)], (mine,)
    yield "kty-case", [_jwk(kty="rsa")], (mine,)
    yield "no-keys", [], (mine,)
    yield "null-key", [None], (mine,)


def bad_sets() -> list[BadSet]:
    found = [
        BadSet(name=name, text=json.dumps({"keys": listed}), tokens=tokens)
        for name, listed, tokens in _sets()
    ]
    texts = ("", "{}", "[]", "null", "<html></html>", '{"keys": {}}', '{"Keys": []}', "{", "\x00")
    return found + [BadSet(name=f"text-{n}", text=text) for n, text in enumerate(texts)]


async def run(
    gate: gates.Gate,
    servers: Servers,
    root: Path,
    only: str | None,
    outcome: Outcome,
    *,
    small: bool,
) -> None:
    ports = Ports(http=gate.http, https=gate.https, server=servers.port, node=servers.node)
    place = wire.Place(http=gate.http, https=gate.https)
    chosen = [one for one in bad_sets() if only is None or only.startswith(f"keys/{one.name}/")]
    for number, one in enumerate(chosen[::9] if small else chosen):
        cell = Cell(number=number, ports=ports)
        folder = root / f"keys-{number}"
        folder.mkdir()
        files = docs.platform(ports) | cell.files() | {"gateway.yaml": gateway(ports)}
        files["gate.yaml"] = docs.text(docs.gate(ports, jwks=one.text))
        for name, data in files.items():
            (folder / name).write_bytes(data)
        with contextlib.suppress(
            errors.GatereeveError
        ):  # the control tells that nothing came of it
            await folders.publish(gate, folder)
        await wire.run(place, servers, list(_attacks(one, cell)), outcome)
        shutil.rmtree(folder)


def _attacks(one: BadSet, cell: Cell) -> Iterator[Attack]:
    host, base = cell.model_host, f"keys/{one.name}"
    for number, token in enumerate((*one.tokens, credentials.good(), credentials.hs256(b""))):
        mark = f"{base}/{number}"
        header = f"Authorization: Bearer {token}"
        data = wire.request("/", header, mark=mark, host=host)
        yield Attack(id=mark, sni=host, data=data, told=one.text[:300])
    mark = f"{base}/legitimate"
    data = wire.request("/", docs.key("acme"), mark=mark, host=host)
    yield Attack(id=mark, sni=host, data=data, may=frozenset({cell.server}), control=True, told=one.text[:300])  # fmt: skip
