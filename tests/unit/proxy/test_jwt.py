"""A provider without keys keeps its place in the filter: Envoy would reject the filter without one."""

import base64
import dataclasses
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric import ec

from gatereeve.proxy.envoy.filters import jwt
from tests.support import ir_builders as ir


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="))


def test_nobodys_key_is_a_point_made_from_a_sentence() -> None:
    (key,) = json.loads(jwt.NOBODYS_KEYS)["keys"]
    x, y = _number(key["x"]), _number(key["y"])
    ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()  # raises off the curve
    said = hashlib.sha256(b"gatereeve.dev: nobody holds this key 1").digest()
    assert x == int.from_bytes(said)


def test_a_provider_without_keys_gets_it() -> None:
    with_keys = ir.Issuer().provider()
    without = dataclasses.replace(with_keys, jwks='{"keys":[]}')
    assert jwt.build_provider(with_keys).local_jwks.inline_string == with_keys.jwks
    assert jwt.build_provider(without).local_jwks.inline_string == jwt.NOBODYS_KEYS
