"""Keys of callers rotate, come and go, over the real xDS wire: no route changes, only filters do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatereeve.proxy.xds.snapshot import ECDS, SDS
from tests.features import documents as docs
from tests.features.folder_gate import FolderGate, plain, serving_folder
from tests.support import keys

pytestmark = pytest.mark.features

JWT, API_KEYS = "envoy.filters.http.jwt_authn", "gatereeve.apikey"


def config(gate: FolderGate, name: str) -> Any:
    return plain(gate.messages[ECDS][name])["typed_config"]


def key_ids(gate: FolderGate) -> list[str]:
    text = config(gate, JWT)["providers"]["corp"]["local_jwks"]["inline_string"]
    return [key["kid"] for key in json.loads(text)["keys"]]


def api_keys(gate: FolderGate) -> dict[str, str]:
    """Who is known by which key: key → id."""
    by_key = config(gate, API_KEYS)["xds_matcher"]["matcher_tree"]["exact_match_map"]["map"]
    return {key: _id(entry) for key, entry in by_key.items()}


def _id(entry: Any) -> str:
    write = entry["action"]["typed_config"]["typed_config"]["typed_config"]
    found: str = write["metadata"][0]["value"]["id"]
    return found


async def test_signing_keys_rotate(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        assert key_ids(gate) == ["corp"]
        change = await gate.write(corp=docs.signing_keys("next"))
        assert change.names == {"ECDS": {JWT}}
        assert key_ids(gate) == ["next"]


async def test_signing_keys_that_cannot_be_used_admit_nobody(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        change = await gate.write(corp=docs.secret("corp", "no key set", key="jwks"))
        assert change.names == {"ECDS": {JWT}}
        assert "jwks-invalid" in gate.findings()
        assert "corp" in config(gate, JWT)["providers"]  # its tokens are refused, not ignored
        assert "corp" not in key_ids(gate)
        change = await gate.write(corp=docs.signing_keys("corp"))
        assert key_ids(gate) == ["corp"]


async def test_api_keys(tmp_path: Path) -> None:
    acme, globex = "acme-0123456789abcdef", "globex-0123456789abcdef0"
    async with serving_folder(tmp_path, **docs.base()) as gate:
        assert api_keys(gate) == {f"{acme}0": "acme"}

        change = await gate.write(acme=docs.api_key("acme", 1))
        assert change.names == {"ECDS": {API_KEYS}}
        assert api_keys(gate) == {f"{acme}1": "acme"}

        both = docs.gate(keys_of_partners=("acme", "globex"))
        await gate.write(globex=docs.api_key("globex"), gate=both)
        assert api_keys(gate) == {f"{acme}1": "acme", globex: "globex"}

        await gate.remove("globex")
        assert "api-key-invalid" in gate.findings()
        assert api_keys(gate) == {f"{acme}1": "acme"}


async def test_the_authority_of_client_certificates(tmp_path: Path) -> None:
    mtls = """\
    mtls:
      name: mesh
      ca: {secret: {namespace: shop, name: mesh}}
      identities: [{id: batch, uri: "spiffe://mesh/batch", groups: [batch]}]
"""
    one, other = (keys.Authority(name).certificate for name in ("one", "other"))

    def mesh(certificate: str) -> str:
        quoted = json.dumps(certificate)
        return docs.secret("mesh", "", key="ca.crt").replace("''", quoted)

    async with serving_folder(tmp_path, **docs.base()) as gate:
        before = set(gate.messages[SDS])
        change = await gate.write(gate=docs.gate(more=mtls), mesh=mesh(one))
        assert {"SDS", "LDS"} <= change.types
        (name,) = set(gate.messages[SDS]) - before

        change = await gate.write(mesh=mesh(other))
        # Connections that the former authority vouched for are sent away with their filter chains.
        assert change.names == {"SDS": {name}, "LDS": {"https"}}
        trusted = gate.messages[SDS][name].validation_context.trusted_ca
        assert other.strip() in plain(trusted)["inline_string"]

        await gate.write(gate=docs.gate())
        assert set(gate.messages[SDS]) == before
