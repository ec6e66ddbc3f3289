"""One stage by itself: the identity providers and attributes of a Gate."""

from __future__ import annotations

import pytest

from gatereeve.api.world import World
from gatereeve.compile.governance import key_sets
from gatereeve.compile.governance.identity import compile_attributes, compile_identity
from gatereeve.core.findings import Finding
from gatereeve.ir import identity as ir
from tests.support import keys
from tests.support.worlds import world_of

GATE = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec:
  region: de
  https: {port: 8443}
  SPEC
"""
JWT = """identity:
    jwt:
      - name: corp
        issuer: https://issuer.example
        audiences: [second, first]
        claims: {id: user.name, groups: roles}
        jwks: {source: {secret: {namespace: shop, name: corp}, key: jwks}}
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: NAME, namespace: shop}
stringData: {KEY: 'VALUE'}
"""
KEY = "0123456789abcdef0123"


def secret(name: str, key: str, value: str) -> str:
    return SECRET.replace("NAME", name).replace("KEY", key).replace("VALUE", value)


def world(spec: str, *texts: str) -> World:
    made = world_of(GATE.replace("SPEC", spec), *texts)
    assert not made.findings, made.findings
    return made


def identity(spec: str, *texts: str) -> tuple[ir.Identity, list[tuple[str, str]]]:
    made = world(spec, *texts)
    (gate,) = made.gates.values()
    compiled, findings = compile_identity(made, gate)
    return compiled, places(findings)


def attributes(spec: str) -> tuple[ir.Attributes, list[tuple[str, str]]]:
    made = world(spec)
    (gate,) = made.gates.values()
    compiled, findings = compile_attributes(made, gate)
    return compiled, places(findings)


def places(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(f.code, f.origin.path if f.origin else "") for f in findings]


def test_without_providers_there_is_no_identity() -> None:
    assert identity("") == (ir.Identity(), [])


def test_a_jwt_provider() -> None:
    compiled, findings = identity(JWT, secret("corp", "jwks", keys.jwks("one")))
    (provider,) = compiled.jwt
    assert findings == []
    assert (provider.name, provider.issuer) == ("corp", "https://issuer.example")
    assert provider.audiences == ("first", "second")
    assert (provider.id_claim, provider.groups_claim) == (("user", "name"), ("roles",))
    assert '"one"' in provider.jwks


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ((), "missing-file"),
        ((secret("corp", "other", "{}"),), "missing-file"),
        ((secret("corp", "jwks", "no JSON"),), "jwks-invalid"),
        ((secret("corp", "jwks", '{"keys": []}'),), "jwks-invalid"),
    ],
)
def test_a_provider_without_keys_stays_and_admits_no_token(
    texts: tuple[str, ...], code: str
) -> None:
    compiled, findings = identity(JWT, *texts)
    assert [provider.jwks for provider in compiled.jwt] == [key_sets.EMPTY]
    assert findings == [(code, "spec.identity.jwt[0].jwks")]


def test_api_keys_are_by_id_and_a_key_of_two_callers_is_the_first_ones() -> None:
    listed = ", ".join(
        f"{{id: {name}, secret: {{namespace: shop, name: {at}}}, groups: [z, a]}}"
        for name, at in (("beta", "k"), ("alpha", "l"), ("again", "k"), ("gone", "m"))
    )
    compiled, findings = identity(
        f"identity: {{apiKeys: {{name: keys, header: X-Key, keys: [{listed}]}}}}",
        secret("k", "key", KEY), secret("l", "key", KEY[::-1]),
    )  # fmt: skip
    assert compiled.api_keys is not None
    assert compiled.api_keys.header == "x-key"
    assert [(key.id, key.groups) for key in compiled.api_keys.keys] == [
        ("alpha", ("a", "z")), ("beta", ("a", "z")),
    ]  # fmt: skip
    assert findings == [
        ("api-key-invalid", f"spec.identity.apiKeys.keys[{index}]") for index in (2, 3)
    ]


def test_client_certificates_without_an_authority_are_no_provider() -> None:
    mtls = """identity:
    mtls:
      name: mesh
      ca: {secret: {namespace: shop, name: ca}}
      identities: [{id: a, dns: A.Example}]
"""
    compiled, findings = identity(mtls, secret("ca", "ca.crt", "no PEM"))
    assert compiled.mtls is None
    assert findings == [("client-ca-invalid", "spec.identity.mtls.ca")]


CIDRS = "{cidrs: [{region: de, cidrs: [10.1.2.3/8]}, {region: fr, cidrs: [11.0.0.0/8]}]}"


@pytest.mark.parametrize(
    ("spec", "expected", "findings"),
    [
        ("", ir.Attributes(), []),
        (f"attributes: {{region: [{CIDRS}]}}",
         ir.Attributes(region=(ir.CidrSource(entries=(("10.0.0.0/8", "de"), ("11.0.0.0/8", "fr"))),)), []),
        ("attributes: {purpose: [{header: {name: X-Purpose, from: [10.0.0.0/8]}}]}",
         ir.Attributes(purpose=(ir.HeaderSource(name="x-purpose", trusted=("10.0.0.0/8",)),)), []),
        ("attributes: {purpose: [{header: {name: x-purpose, from: [0.0.0.0/0]}}]}",
         ir.Attributes(purpose=(ir.HeaderSource(name="x-purpose", trusted=("0.0.0.0/0",)),)),
         [("header-trusted-everywhere", "spec.attributes.purpose[0].header.from")]),
        ("attributes: {region: [{claim: {provider: gone, claim: geo.region}}]}",
         ir.Attributes(), [("provider-unknown", "spec.attributes.region[0].claim")]),
        ("attributes: {region: [{geoip: {database: gone.mmdb}}]}",
         ir.Attributes(), [("geoip-invalid", "spec.attributes.region[0].geoip")]),
    ],
)  # fmt: skip
def test_attributes(spec: str, expected: ir.Attributes, findings: list[tuple[str, str]]) -> None:
    assert attributes(spec) == (expected, findings)
