"""What a gate rejects is taken out as refusals, and every other owner stays at the newest version.

Over the real xDS protocol: the gate rejects any route configuration with a redirect at a path that
begins with `/bad`, or with any row at one that begins with `/worse`, and says nothing about which.
All hosts here are wildcards, so that they share one route configuration.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from envoy.config.core.v3 import extension_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2

from gatereeve.proxy.envoy import matches, names
from gatereeve.proxy.xds import server
from gatereeve.proxy.xds import snapshot as snap
from tests.features import documents as docs
from tests.features.folder_gate import FolderGate, code, connected, serving_folder
from tests.support import keys

pytestmark = pytest.mark.features

DEADLINE_S = 60.0
OWNERS = ("a", "b", "c", "d", "e")
GRANT = """
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: all}
spec: {namespaceSelector: {all: true}, hosts: ["*"]}
"""


def gateway(owner: str) -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: main, namespace: {owner}}}
spec:
  gatewayClassName: gatereeve
  listeners: [{{name: http, port: 8080, protocol: HTTP}}]
"""


def route(owner: str, path: str) -> str:
    """What an owner has at `path`: a redirect to /here, which needs no backend."""
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: web, namespace: {owner}}}
spec:
  parentRefs: [{{name: main}}]
  hostnames: ["*.{owner}.example"]
  rules:
    - matches: [{{path: {{type: PathPrefix, value: {path}}}}}]
      filters:
        - type: RequestRedirect
          requestRedirect: {{statusCode: 302, hostname: here.example}}
"""


def base() -> dict[str, str]:
    texts = docs.base() | {"all": GRANT}
    texts["route"] = texts["route"].replace("offers.example", '"*.shop.example"')
    for owner in OWNERS:
        texts[f"gateway-{owner}"] = gateway(owner)
    return texts


def judge(message: Any) -> str:
    if not isinstance(message, route_pb2.RouteConfiguration):
        return ""
    for host in message.virtual_hosts:
        for row in host.routes:
            path = row.match.path_separated_prefix
            if path.startswith("/worse") or (path.startswith("/bad") and row.HasField("redirect")):
                return "it is not to my taste"
    return ""


@contextlib.asynccontextmanager
async def following(gate: FolderGate) -> AsyncIterator[FolderGate]:
    gate.judge = judge
    task = asyncio.create_task(gate.follow_on())
    try:
        yield gate
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def in_step(gate: FolderGate) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not gate.is_in_step:  # noqa: ASYNC110 - several things end
            await asyncio.sleep(0.002)


def served(gate: FolderGate, owner: str) -> dict[str, str | None]:
    """Path to refusal code (None for the redirect) of the owner's rows."""
    host = gate.host(f"*.{owner}.example", "http") or {"routes": []}
    return {
        row["match"]["path_separated_prefix"]: code(row)
        for row in host["routes"]
        if "path_separated_prefix" in row["match"]
    }


def blamed(gate: FolderGate) -> set[str]:
    return {str(found.origin) for found in gate.all_findings() if found.code == "gate-rejected"}


def check(gate: FolderGate, newest: Mapping[str, str]) -> None:
    """Every owner is served the newest, or refused where that is bad; the findings name who is."""
    for owner, path in newest.items():
        wanted = {path: "configuration-rejected" if path.startswith("/bad") else None}
        assert served(gate, owner) == ({} if path.startswith("/worse") else wanted)
    bad_owners = {owner for owner, path in newest.items() if not path.startswith("/v")}
    assert blamed(gate) == {f"HTTPRoute {owner}/web" for owner in bad_owners}


async def test_one_bad_document_among_many(tmp_path: Path) -> None:
    texts = base() | {f"route-{owner}": route(owner, "/v0") for owner in OWNERS}
    async with serving_folder(tmp_path, **texts) as served_gate, following(served_gate) as gate:
        newest = dict.fromkeys(OWNERS, "/v1") | {"a": "/bad1"}
        await gate.apply(**{f"route-{owner}": route(owner, newest[owner]) for owner in OWNERS})
        await in_step(gate)
        check(gate, newest)
        # Others go on, closing first of all; and the culprit when it is mended.
        await gate.apply(policy=docs.POLICY.replace("corp/staff", "corp/other"))
        await in_step(gate)
        host = str(gate.host("*.shop.example"))
        assert "'exact': 'other'" in host
        assert "'exact': 'staff'" not in host
        check(gate, newest)
        await gate.apply(**{"route-a": route("a", "/v2")})
        await in_step(gate)
        check(gate, newest | {"a": "/v2"})


async def test_a_cold_start_with_several_bad_owners(tmp_path: Path) -> None:
    newest = {"a": "/bad1", "b": "/v1", "c": "/bad2", "d": "/v1", "e": "/v1"}
    texts = base() | {f"route-{owner}": route(owner, newest[owner]) for owner in OWNERS}
    async with connected(tmp_path) as new_gate, following(new_gate) as gate:
        await gate.apply(**texts)
        await in_step(gate)
        check(gate, newest)


@pytest.mark.parametrize("seed", range(10))
async def test_whatever_one_owner_writes_the_others_are_at_their_newest(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    newest: dict[str, str] = {}

    def write(owners: int) -> dict[str, str]:
        for owner in rng.sample(OWNERS, owners):
            bad = rng.random() < (0.8 if owner == "a" else 0.15)
            word = rng.choice(("bad", "bad", "worse")) if bad else "v"
            newest[owner] = f"/{word}{rng.randrange(10**6)}"
        return {f"route-{owner}": route(owner, path) for owner, path in newest.items()}

    async with connected(tmp_path) as new_gate, following(new_gate) as gate:
        await gate.apply(**base(), **write(len(OWNERS)))
        for _ in range(12):
            if rng.random() < 0.5:
                await in_step(gate)
                check(gate, newest)
            await gate.apply(**write(rng.randint(1, 3)))
        await in_step(gate)
        check(gate, newest)


async def test_what_cannot_be_made_or_sent_is_no_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_path = matches._set_path

    def defective(made: Any, path: Any) -> None:
        if path.value.startswith("/bad1"):
            raise OverflowError(path.value)
        set_path(made, path)
        if path.value.startswith("/bad2"):
            made.path_separated_prefix = "/" + "x" * 40_000

    monkeypatch.setattr(matches, "_set_path", defective)
    monkeypatch.setattr(server, "MAX_MESSAGE_BYTES", 100_000)
    many = {f"*.h{n}.b.example" for n in range(4)}
    large = route("b", "/bad2").replace('["*.b.example"]', str(sorted(many)).replace("'", '"'))
    good = {"a": "/v0", "c": "/v0", "d": "/v0", "e": "/v0"}
    texts = base() | {f"route-{owner}": route(owner, path) for owner, path in good.items()}
    async with connected(tmp_path) as new_gate, following(new_gate) as gate:
        await gate.apply(**texts, **{"route-b": large})
        await in_step(gate)
        assert blamed(gate) == {"HTTPRoute b/web"}
        assert all(served(gate, owner) == {path: None} for owner, path in good.items())
        await gate.apply(
            **{"route-a": route("a", "/bad1"), "route-c": route("c", "/v1")},
            policy=docs.POLICY.replace("corp/staff", "corp/other"),
        )
        await in_step(gate)
        assert blamed(gate) == {"HTTPRoute a/web", "HTTPRoute b/web"}
        assert served(gate, "c") == {"/v1": None}
        assert "'exact': 'other'" in str(gate.host("*.shop.example"))
        assert not gate.plane.unpublished


def rejecting(kind: type[Any], text: bytes) -> Callable[[Any], str]:
    """A gate that rejects messages of a kind that hold this text."""
    return lambda message: (
        "it is not to my taste"
        if isinstance(message, kind) and text in message.SerializeToString()
        else ""
    )


async def test_a_gates_own_document_holds_no_closing_change_back(tmp_path: Path) -> None:
    """Listeners are the Gate's: its older form stands in, and every route is at its newest."""
    async with serving_folder(tmp_path, **base()) as served_gate, following(served_gate) as gate:
        before = dict(gate.messages[snap.LDS])
        gate.judge = lambda message: (
            "no"
            if isinstance(message, listener_pb2.Listener) and message != before[message.name]
            else ""
        )
        await gate.apply(
            gate=docs.gate().replace("region: de", "region: de\n  trustedHops: 3"),
            policy=docs.POLICY.replace("corp/staff", "corp/other"),
        )
        await in_step(gate)
        assert gate.messages[snap.LDS] == before
        assert "'exact': 'other'" in str(gate.host("*.shop.example"))
        assert blamed(gate) == {"Gate public"}
        await gate.apply(policy=docs.POLICY.replace("corp/staff", "corp/third"))
        await in_step(gate)
        assert "'exact': 'third'" in str(gate.host("*.shop.example"))
        await gate.apply(gate=docs.gate())
        await in_step(gate)
        assert not blamed(gate)


async def test_a_listener_that_was_never_accepted_is_nobodys_fault_but_the_gates(
    tmp_path: Path,
) -> None:
    async with connected(tmp_path) as new_gate, following(new_gate) as gate:
        gate.judge = lambda message: (
            "cannot bind" if isinstance(message, listener_pb2.Listener) else ""
        )
        await gate.apply(**base())
        both = {"Gate public spec.https", "Gate public spec.http"}
        async with asyncio.timeout(DEADLINE_S):
            while blamed(gate) != both or gate.plane.is_searching:  # noqa: ASYNC110
                await asyncio.sleep(0.002)


async def test_a_rejected_key_set_admits_nobody_and_holds_no_other_back(tmp_path: Path) -> None:
    second = """
      - name: other
        issuer: https://other.example
        audiences: [gate]
        jwks: {source: {secret: {namespace: shop, name: other}, key: jwks}}
    apiKeys:"""
    texts = base() | {
        "gate": docs.gate().replace("\n    apiKeys:", second, 1),
        "other": docs.secret("other", keys.jwks("other-1"), key="jwks"),
    }
    async with serving_folder(tmp_path, **texts) as served_gate, following(served_gate) as gate:
        assert "other-1" in filters(gate)
        gate.judge = rejecting(extension_pb2.TypedExtensionConfig, b"corp-bad")
        await gate.apply(
            corp=docs.secret("corp", keys.jwks("corp-bad"), key="jwks"),
            other=docs.secret("other", keys.jwks("other-2"), key="jwks"),
        )
        await in_step(gate)
        assert "other-2" in filters(gate)
        assert "other-1" not in filters(gate)
        assert "nobody" in filters(gate)
        assert '"kid": "corp' not in filters(gate)
        assert blamed(gate) == {"Gate public spec.identity.jwt[0]"}


def filters(gate: FolderGate) -> str:
    """The filter that verifies tokens."""
    return str(gate.messages[snap.ECDS][names.JWT].typed_config.value)
