"""Credentials × mutations: nothing but one good credential, said in one way, is a caller.

Every attack is refused, whatever it resembles. Two exceptions may be answered: another good way to
write the scheme (RFC 9110 section 11.1: any case), and header fields of a token that mean nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import time
from collections.abc import Iterator
from functools import cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tests.attacks import documents as docs
from tests.attacks import scene
from tests.attacks.battery import Attack
from tests.attacks.headers import ACME, ALICE
from tests.attacks.making import Header, both
from tests.support import keys

HEADER: dict[str, object] = {"alg": "ES256", "typ": "JWT", "kid": "corp"}
_MAY = frozenset({scene.RULES, scene.RULES_2})


def encoded(part: object) -> str:
    return keys.b64(part if isinstance(part, bytes) else json.dumps(part).encode())


def signed(header: object, payload: object, key: str = "corp") -> str:
    """Any header and payload, signed with ES256 by `key`."""
    text = f"{encoded(header)}.{encoded(payload)}"
    der = keys.signing_key(key).sign(text.encode(), ec.ECDSA(hashes.SHA256()))
    r, s = utils.decode_dss_signature(der)
    return f"{text}.{keys.b64(r.to_bytes(32) + s.to_bytes(32))}"


def hs256(secret: bytes, **header: object) -> str:
    text = f"{encoded(HEADER | {'alg': 'HS256'} | header)}.{encoded(docs.claims('alice'))}"
    return f"{text}.{keys.b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


@cache
def good() -> str:
    return signed(HEADER, docs.claims("alice"))


def attacks(chance: random.Random) -> Iterator[Attack]:
    for name, who in (("key", ACME), ("token", ALICE)):
        yield from both(f"credentials/legitimate-{name}", "rules", [who], may=_MAY, control=True)
    for number, spelt in enumerate(("bearer", "BEARER", "bEaReR")):
        header = ("Authorization", f"{spelt} {good()}")
        yield from both(f"credentials/scheme-{number}", "rules", [header], may=_MAY, control=True)
    # Envoy makes one header of an empty one and another, before anything that we configure.
    pair = [("Authorization", ""), ("Authorization", f"Bearer {good()}")]
    yield from both("credentials/empty-first", "rules", pair, may=_MAY)
    yield from both("credentials/empty-last", "rules", pair[::-1], may=_MAY)
    for label, values in _authorizations(chance):
        # Envoy's parser leaves out an empty line of a header that it keeps as one: what is left is one token.
        may = _MAY if label == "twice-empty" else frozenset[str]()
        yield from both(f"credentials/{label}", "rules", values, may=may)
    for label, token in _tokens(chance):
        header = ("Authorization", f"Bearer {token}")
        yield from both(f"credentials/token-{label}", "rules", [header])
        yield from both(f"credentials/token-{label}/and-a-key", "rules", [header, ACME])
    for label, values in _api_keys():
        yield from both(f"credentials/key-{label}", "rules", values)


def _authorizations(chance: random.Random) -> Iterator[tuple[str, list[Header]]]:
    token, name = good(), "Authorization"
    head, body, signature = token.split(".")
    forms = (
        token, f"Bearer{token}", f"Bearer  {token}", f"Bearer\t{token}", f"Bearer \t{token}", f"Bearer: {token}", f"Bearer={token}", f"Bearer,{token}",
        f"xBearer {token}", f"Bearerx {token}", f"Bearer Bearer {token}", f"Bearer bearer {token}", f"Basic {token}", f"Basic x, Bearer {token}",
        f"Basic eDp5 Bearer {token}", f"Bearer {token}, Basic eDp5", f"Bearer {token},", f",Bearer {token}", f"Bearer ,{token}", f"Bearer {token} x",
        f"Bearer {token}, Bearer {token}", f"Bearer x, Bearer {token}", f"Bearer {token}, Bearer x", f"Bearer {token};x", f"Bearer {token}?x=1", f"Bearer {token}&x=1",
        f"Bearer .{token}", f"Bearer {token}.", f"Bearer ..{token}", f"Bearer {token}..", f"Bearer .{token}.", f"Bearer {token}.x", f"Bearer x.{token}",
        f"Bearer {head}..{body}.{signature}", f"Bearer {head}.{body}..{signature}", f"Bearer {head}.{body}.{signature}=", f"Bearer {head}.{body}.{signature}==",
        f"Bearer {head}=.{body}.{signature}", f"Bearer {head}.{body}=.{signature}", f"Bearer {head} .{body}.{signature}", f"Bearer {head}. {body}.{signature}",
        f'Bearer "{token}"', f"Bearer '{token}'", f"Bearer <{token}>", f"Bearer {{{token}}}", f"Bearer [{token}]", f"Bearer ({token})", f"Bearer %20{token}",
        f"Bearer {token}%20", f"Bearer {token}%00", f"Bearer {token}\xe9", f"Bearer \xe9{token}", f"\xe9Bearer {token}", f"Bearer\xa0{token}", f"Bearer {token}\xa0",
        f"Bearer token={token}", f"Bearer realm=x {token}", f"JWT {token}", f"Token {token}", f"DPoP {token}", f"Negotiate {token}", f"Digest {token}", "Bearer", "Bearer ",
        "", "Basic", f"B\u0435arer {token}".encode().decode("latin-1"), f"Bearer {token.replace('.', ',')}", f"Bearer {token.replace('.', '%2e')}",
        f"Bearer {head}.{body}", f"Bearer {head}.{body}.", f"Bearer {head}", f"Bearer .{body}.{signature}", f"Bearer {head}..{signature}",
        f"Bearer {signature}.{body}.{head}", f"Bearer {token.swapcase()}", f"Bearer {token.upper()}", f"Bearer {token} {token}", f"Bearer {token}{token}",
        f"Bearer {token.replace('-', '+').replace('_', '/')}!", f"Bearer {head}.{body}.{signature}.{signature}.{signature}",
    )  # fmt: skip
    for number, value in enumerate(forms):
        yield f"form-{number}", [(name, value)]
    bad = signed(HEADER, docs.claims("alice"), "stranger")
    yield "twice-same", [(name, f"Bearer {token}"), (name, f"Bearer {token}")]
    yield "twice-good-bad", [(name, f"Bearer {token}"), (name, f"Bearer {bad}")]
    yield "twice-bad-good", [(name, f"Bearer {bad}"), (name, f"Bearer {token}")]
    yield "twice-basic", [(name, "Basic eDp5"), (name, f"Bearer {token}")]
    yield "proxy", [("Proxy-Authorization", f"Bearer {token}")]
    yield (
        "cookie",
        [("Cookie", f"access_token={token}; token={token}; Authorization=Bearer {token}")],
    )
    yield "other-header", [("X-Authorization", f"Bearer {token}"), ("X-Forwarded-Authorization", f"Bearer {token}"), ("X-Access-Token", token)]  # fmt: skip
    for number in range(40):
        at = chance.randrange(len(token))
        put = chance.choice("ABCabc019-_.=+/~ ")
        changed = token[:at] + put + token[at + 1 :]
        if _says_otherwise(token, changed):
            yield f"letter-{number}", [(name, f"Bearer {changed}")]
    for number in range(20):
        at = chance.randrange(1, len(token) - 1)
        yield f"cut-{number}", [(name, f"Bearer {token[:at]}")]


def _says_otherwise(token: str, changed: str) -> bool:
    """Not only in the bits beyond the last byte of a part, which say nothing."""
    parts, others = token.split("."), changed.split(".")
    return len(others) != 3 or any(a[:-1] != b[:-1] for a, b in zip(parts, others, strict=True))


def _tokens(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Tokens that prove nothing."""
    claims, now = docs.claims("alice"), int(time.time())
    head, body, signature = good().split(".")
    public = keys.signing_key("corp").public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = public.public_bytes(serialization.Encoding.PEM, form)
    der = public.public_bytes(serialization.Encoding.DER, form)
    jwk = json.loads(keys.jwks("corp"))["keys"][0]
    stranger = json.loads(keys.jwks("stranger"))["keys"][0]
    for number, alg in enumerate(("none", "None", "NONE", "nOnE", "", "null", "none\x00", " none")):
        yield f"none-{number}", f"{encoded(HEADER | {'alg': alg})}.{encoded(claims)}."
        yield f"none-signed-{number}", signed(HEADER | {"alg": alg}, claims)
    for number, secret in enumerate((pem, pem.strip(), der, jwk["x"].encode(), json.dumps(jwk).encode(), keys.jwks("corp").encode(), b"", b"secret", b"corp")):  # fmt: skip
        yield f"confused-{number}", hs256(secret)
        yield f"confused-no-kid-{number}", hs256(secret, kid=None)
        yield f"confused-512-{number}", hs256(secret, alg="HS512")
    algorithms: tuple[object, ...] = (
        "HS256",
        "RS256",
        "PS256",
        "ES384",
        "ES512",
        "ES256K",
        "EdDSA",
        "es256",
        "ES256 ",
        "dir",
        "RSA-OAEP",
        256,
        None,
        ["ES256"],
        {},
        True,
    )
    for number, one in enumerate(algorithms):
        yield f"alg-{number}", signed(HEADER | {"alg": one}, claims)
    critical: tuple[object, ...] = (
        ["exp"],
        ["b64"],
        ["x"],
        [],
        ["alg"],
        ["exp", "exp"],
        "exp",
        {"exp": 1},
        [1],
        None,
        True,
        [""],
        ["http://openbanking.org.uk/iat"],
    )
    for number, one in enumerate(critical):
        yield f"crit-{number}", signed(HEADER | {"crit": one, "exp": now + 100}, claims)
    for number, one in enumerate((False, True, "false", 0, None)):
        yield f"b64-{number}", signed(HEADER | {"b64": one, "crit": ["b64"]}, claims)
    unencoded = json.dumps(claims)
    text = f"{encoded(HEADER | {'b64': False, 'crit': ['b64']})}.{unencoded}"
    yield "b64-unencoded", f"{text}.{signature}"
    for number, kid in enumerate(("", "../../../dev/null", "corp\x00", "' OR 1=1 --", "*", "a" * 4000, "stranger", 1, ["corp"], {"corp": 1})):  # fmt: skip
        yield f"kid-{number}", signed(HEADER | {"kid": kid}, claims, "stranger")
    for label, more in {"jwk": {"jwk": stranger}, "jku": {"jku": "https://attacker.test/jwks"}, "x5u": {"x5u": "https://attacker.test/x"},
                        "x5c": {"x5c": ["MIIB"]}, "x5t": {"x5t": "x"}, "cty": {"cty": "JWT"}}.items():  # fmt: skip
        yield f"brings-{label}", signed(HEADER | more, claims, "stranger")
    yield "stranger", signed(HEADER, claims, "stranger")
    wrong: dict[str, tuple[object, ...]] = {
        "iss": ("https://other.test", docs.ISSUER + "/", docs.ISSUER.upper(), docs.ISSUER.replace("https", "http"), "", [docs.ISSUER], None, 1, "corp"),
        "aud": ("other", "", [], ["other"], None, 1, "gate,other", "Gate", {"gate": 1}, "ga te", "gate ", "gate\x00", [["gate"]]),
        "sub": ("", None, 1, ["alice"], {"alice": 1}, True, "mallory"),
        "exp": (now - 3600, now - 61, 0, -1, None, str(now + 3600), "never", [now + 3600], True, {"a": 1}),
        "nbf": (now + 3600, str(now), "x", [now], True),
    }  # fmt: skip
    for name, values in wrong.items():
        for number, value in enumerate(values):
            yield f"{name}-{number}", signed(HEADER, docs.claims("alice", **{name: value}))
    whole = json.dumps(claims)[:-1]
    for number, end in enumerate((', "sub": "mallory"}', ', "s\\u0075b": "mallory"}', f', "exp": {now - 3600}}}', ', "aud": "other"}', ', "iss": "https://other.test"}', ', "groups": ["x"]}', "} x", "}}")):  # fmt: skip
        yield f"double-{number}", signed(HEADER, (whole + end).encode())
    for number, payload in enumerate(([], "alice", b"{", b"", b"null", b"\xff\xfe", b"[" * 3000, b'{"a":' * 800 + b"1" + b"}" * 800, good())):  # fmt: skip
        yield f"payload-{number}", signed(HEADER, payload)
    for number, header in enumerate(([], "ES256", b"{", b"", b"\xff", {"typ": "JWT"}, b"null", {})):
        yield f"header-{number}", signed(header, claims)
    zero = keys.b64(bytes(64))
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    for number, sig in enumerate((zero, keys.b64(bytes(63) + b"\1"), keys.b64(order.to_bytes(32) * 2), keys.b64(b"\xff" * 64), keys.b64(b"\x30\x06\x02\x01\x00\x02\x01\x00"),
                                  signature[:-4], signature[::-1], signature + signature, keys.b64(b"0" * 400), "")):  # fmt: skip
        yield f"signature-{number}", f"{head}.{body}.{sig}"
    for number in range(20):
        other = docs.claims(chance.choice(("ceo", "alice", "acme")), groups=["staff", f"g{number}"])
        yield f"swapped-{number}", f"{head}.{encoded(other)}.{signature}"


def _api_keys() -> Iterator[tuple[str, list[Header]]]:
    right, name = docs.API_KEYS["acme"], "X-Api-Key"
    forms = (
        right[:-1], right + "x", right.upper(), right.title(), right.swapcase(), right[::-1], f"x{right}", f'"{right}"', f"Bearer {right}", f"{right},", f",{right}",
        f"{right}, {right}", f"{right},{docs.API_KEYS['globex']}", f"{right} x", f"x {right}", right.replace("-", "_"), right.replace("-", " "), f"{right}\xe9", f"\xe9{right}",
        f"{right}\xa0", f"{right}%00", f"{right}%20", f"{right}.", right.replace("a", "%61"), "", "*", "acme", "partners/acme", "null", "undefined", "x" * 4000, docs.API_KEYS["globex"],
        right.replace("a", "\u0430").encode().decode("latin-1"), right.replace("-", "\u2010").encode().decode("latin-1"), right[: len(right) // 2], right + right,
    )  # fmt: skip
    for number, value in enumerate(forms):
        yield f"form-{number}", [(name, value)]
    yield "twice-good-bad", [(name, right), (name, "x")]
    yield "twice-bad-good", [(name, "x"), (name, right)]
    yield "twice-two-people", [(name, right), (name, docs.API_KEYS["globex"])]
    yield "twice-empty", [(name, ""), (name, right)]
    yield "twice-case", [(name, right), ("x-API-key", "x")]
    for other in ("X-Api_Key", "X_Api_Key", "Api-Key", "X-ApiKey", "X-Api-Key-", "Apikey"):
        yield f"in-{other}", [(other, right)]
    yield "as-bearer", [("Authorization", f"Bearer {right}")]
    yield "as-basic", [("Authorization", f"Basic {keys.b64(f'acme:{right}'.encode())}")]
    yield "and-a-bad-token", [(name, right), ("Authorization", "Bearer x.y.z")]
    yield "and-basic", [(name, right), ("Authorization", "Basic eDp5, Bearer " + good()[:-6])]
