"""API keys in Secrets: what a client can send is a key, everything else is a finding."""

from __future__ import annotations

import base64

import pytest

from gatereeve.compile import compiler
from tests.support.worlds import world_of

GATE = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec:
  region: de
  https: {port: 8443}
  identity:
    apiKeys:
      name: partners
      keys: [{id: acme, secret: {namespace: shop, name: acme}}]
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: acme, namespace: shop}
data: {key: %s}
"""
GOOD = b"acme-0123456789abcdef"


def read(value: bytes) -> tuple[list[str], list[str]]:
    """The keys, and the messages of what was found."""
    made = compiler.compile(world_of(GATE, SECRET % base64.b64encode(value).decode()))
    (gate,) = made.ir.gates
    assert gate.identity.api_keys is not None
    keys = [key.secret for key in gate.identity.api_keys.keys]
    return keys, [f.message for f in made.findings if f.code == "api-key-invalid"]


def test_visible_ascii_is_a_key() -> None:
    everything = bytes(code for code in range(0x21, 0x7F) if chr(code) != ",")
    assert read(GOOD) == ([GOOD.decode()], [])
    assert read(everything) == ([everything.decode()], [])


@pytest.mark.parametrize(
    "value",
    [
        *(GOOD + bytes([code]) for code in (*range(0x21), *range(0x7F, 0x100))),
        *(bytes([code]) + GOOD for code in (*range(0x21), 0x7F, 0xEF)),
        GOOD + b",", b"," + GOOD, GOOD + b"," + GOOD, GOOD + b"\r\n", GOOD + b"\n\n", GOOD[:10] + b"\n" + GOOD[10:], "schlüssel-0123456789".encode(), b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"), b"", b" " * 20, b"x" * 15, b"x" * 513,
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_no_key(value: bytes) -> None:
    keys, (message,) = read(value)
    assert keys == []
    assert GOOD.decode()[:12] not in message


def test_a_line_break_at_the_end_is_said() -> None:
    _, (message,) = read(GOOD + b"\n")
    assert "line break" in message
