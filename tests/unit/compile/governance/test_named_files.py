"""What a Gate takes from files beside the documents counts exactly as what it takes from Secrets."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from gatereeve.compile import compiler
from gatereeve.pki.trial import trial_certificate
from tests.support.worlds import world_of

GATE = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec:
  region: de
  https: {port: 8443}
  identity:
    mtls:
      name: mesh
      ca: {file: keys/ca.pem}
      identities: [{id: pricing, uri: "spiffe://shop.example/pricing"}]
"""
CA = trial_certificate(("shop.example",), name="tls", namespace="shop", now=datetime.now(UTC))[
    1
].encode()


def read(files: dict[str, bytes]) -> tuple[bool, list[str]]:
    """Whether the gate asks for client certificates, and what is said about their authority."""
    made = compiler.compile(dataclasses.replace(world_of(GATE), files=files))
    (gate,) = made.ir.gates
    messages = [f.message for f in made.findings if f.code == "client-ca-invalid"]
    return gate.identity.mtls is not None, messages


def test_a_client_ca_from_a_file_counts() -> None:
    assert read({"keys/ca.pem": CA}) == (True, [])


def test_a_client_ca_that_is_not_there_or_no_certificate_is_a_finding() -> None:
    assert read({}) == (False, ["provider mesh: file keys/ca.pem cannot be read"])
    assert read({"keys/ca.pem": b"none"}) == (False, ["provider mesh: is not a PEM certificate"])
