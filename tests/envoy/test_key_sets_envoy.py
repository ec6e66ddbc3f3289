"""Key sets against the real Envoy: what the compiler uses, Envoy takes; what is replaced, is gone."""

from __future__ import annotations

import asyncio
import json
from itertools import islice
from pathlib import Path
from random import Random

import pytest
import yaml
from google.protobuf import json_format

from gatereeve.compile.governance import key_sets
from gatereeve.proxy.envoy.filters import jwt
from gatereeve.proxy.local import envoy_process
from tests.envoy import protected
from tests.envoy.protected import INFER, Scene, bearer, post
from tests.support import ir_builders as ir
from tests.support import jwks, keys

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

_TYPES = "type.googleapis.com/envoy.extensions.filters"


def bootstrap(sets: list[str]) -> str:
    """An Envoy with one provider for each set, as the gate's filter has it."""
    issuer = ir.Issuer()
    providers = {
        f"p{number}": json_format.MessageToDict(
            jwt.build_provider(issuer.provider(name=f"p{number}", jwks=text)),
            preserving_proto_field_name=True,
        )
        for number, text in enumerate(sets)
    }
    filters = [
        {"name": "jwt", "typed_config": {"@type": f"{_TYPES}.http.jwt_authn.v3.JwtAuthentication", "providers": providers}},
        {"name": "router", "typed_config": {"@type": f"{_TYPES}.http.router.v3.Router"}},
    ]  # fmt: skip
    manager = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "x", "route_config": {}, "http_filters": filters,
    }  # fmt: skip
    listener = {
        "name": "l",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
    }
    return json.dumps({"static_resources": {"listeners": [listener]}})


async def takes(sets: list[str], where: Path) -> str:
    """What Envoy says against a configuration with these key sets; "" when it takes all of them."""
    await asyncio.to_thread(where.write_text, bootstrap(sets))
    binary = (await envoy_process.find_envoy()).path
    arguments = ("--mode", "validate", "-c", str(where), "--use-dynamic-base-id", "-l", "error")
    process = await asyncio.create_subprocess_exec(
        str(binary), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return "" if process.returncode == 0 else said.decode()[-500:]


async def test_envoy_takes_each_key_that_the_compiler_uses(tmp_path: Path) -> None:
    """Each alone, so that no other key of its set stands in for it."""
    generated = islice(jwks.mutated(Random(2)), 4000)
    given = [*jwks.good(), *(key for _, key in jwks.bad()), *generated]
    read = [key_sets.read_key_set(json.dumps({"keys": [key]})) for key in given]
    sets = list(dict.fromkeys(found.text for found in read if found.problem is None))
    assert len(sets) > 50
    assert await takes(sets, tmp_path / "envoy.json") == ""


async def test_envoy_takes_a_set_without_a_usable_key(tmp_path: Path) -> None:
    assert await takes([key_sets.EMPTY], tmp_path / "envoy.json") == ""


async def test_this_would_notice(tmp_path: Path) -> None:
    """The exponents that are refused here are refused there: the bound is Envoy's own."""
    for exponent in (1, 5, 65539):
        key = jwks.rsa_key(e=jwks.number(exponent))
        assert await takes([json.dumps({"keys": [key]})], tmp_path / "envoy.json")


REPLACEMENTS: tuple[list[object], ...] = (
    [], [jwks.rsa_key(e="AQ")], [jwks.rsa_key(e="Ag")], [jwks.rsa_key(n=jwks.number(2**2048 + 2))], [jwks.ec_key(y=jwks.ec_key()["x"])],
    [json.loads(keys.jwks("corp"))["keys"][0] | {"use": "enc"}], [{"kty": "oct", "k": "c2VjcmV0"}], [None], [jwks.rsa_key()],
)  # fmt: skip


@pytest.mark.parametrize("replacement", REPLACEMENTS, ids=range(len(REPLACEMENTS)))
async def test_a_replaced_key_is_gone(scene: Scene, replacement: list[object]) -> None:
    """Whatever takes its place: the gate runs it, and proves so (`publish` waits for the proof)."""
    good = post(INFER, f"Authorization: {bearer()}")
    await scene.gate.publish(scene.documents())
    assert (await scene.ask(good)).status == 200
    docs = list(yaml.safe_load_all(scene.documents()))
    (gate,) = (doc for doc in docs if doc["kind"] == "Gate")
    gate["spec"]["identity"]["jwt"][0]["jwks"]["inline"] = json.dumps({"keys": replacement})
    made = await scene.gate.publish(yaml.safe_dump_all(docs))
    found = {str(finding.code) for finding in made.findings}
    assert bool(found & {"jwks-invalid", "jwks-key-refused"}) == (replacement != REPLACEMENTS[-1])
    scene.reached()
    assert (await scene.ask(good)).status == 401
    assert not scene.reached()
    key = post(INFER, f"X-Api-Key: {protected.API_KEY}")
    assert (await scene.ask(key)).status == 200
    scene.reached()
