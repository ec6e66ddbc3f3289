"""A gate without some of its documents, on the real Envoy: it takes each form, and only closes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatereeve.core.refs import Origin
from gatereeve.ir.gates import Gate
from gatereeve.proxy import quarantine
from gatereeve.proxy.activation import expected_of, wait_active
from gatereeve.proxy.quarantine import ExcludedDocuments, Unit
from tests.envoy import protected
from tests.envoy.protected import Scene

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

GOOD = protected.post(protected.INFER, f"Authorization: {protected.bearer()}")
PARTNER = protected.post(protected.INFER, f"X-Api-Key: {protected.API_KEY}")
OPEN = protected.post("/", host="other.test")


def compiled(scene: Scene) -> Gate:
    (gate,) = scene.gate.compile(scene.documents()).ir.gates
    return gate


async def serve(scene: Scene, gate: Gate) -> None:
    snapshot = scene.gate._builder.build(gate)
    scene.gate.controller.set_snapshot(scene.gate.name, snapshot)
    await wait_active(scene.gate.admin, expected_of(snapshot), timeout_s=20)


async def answers(scene: Scene) -> tuple[tuple[int, str | None], ...]:
    """Status and our code: to staff, to a partner, and to anybody at the model of another team."""
    found = [
        await scene.ask(GOOD),
        await scene.ask(PARTNER),
        await scene.ask(OPEN, sni="other.test"),
    ]
    return tuple((answer.status, answer.code) for answer in found)


SERVED = (200, None)
TAKEN_OUT = (503, "configuration-rejected")
INVALID = (401, "invalid-credential")


async def test_each_document_and_provider_by_itself(scene: Scene) -> None:
    gate = compiled(scene)
    await serve(scene, gate)
    assert await answers(scene) == (SERVED, SERVED, SERVED)
    jwt, keys, mtls = gate.identity.jwt[0], gate.identity.api_keys, gate.identity.mtls
    assert keys is not None
    assert mtls is not None
    (route,) = {
        Unit(row.origin.ref)
        for host in gate.listeners[0].hosts
        for row in host.routes
        if row.origin.ref.kind == "Ingress" and row.origin.ref.name == "credit"
    }
    (cluster,) = (c for c in gate.clusters if c.name == "model/team/credit/1")
    expected: dict[Origin, tuple[tuple[int, str | None], ...]] = {
        route: (TAKEN_OUT, TAKEN_OUT, SERVED),
        Unit(cluster.origin.ref): (TAKEN_OUT, TAKEN_OUT, SERVED),
        jwt.origin: (INVALID, SERVED, SERVED),
        keys.origin: (SERVED, INVALID, SERVED),
        mtls.origin: (SERVED, SERVED, SERVED),
    }
    for unit, wanted in expected.items():
        for out in (ExcludedDocuments(units=frozenset({unit})), ExcludedDocuments(units=frozenset({unit}), deep=frozenset({unit}))):  # fmt: skip
            await serve(scene, quarantine.without(gate, out))
            found = await answers(scene)
            if out.deep and unit == route:
                assert [status for status, _ in found] == [404, 404, 200]
            else:
                assert found == wanted, unit


async def test_everything_at_once(scene: Scene) -> None:
    gate = compiled(scene)
    units = {Unit(row.origin.ref) for x in gate.listeners for h in x.hosts for row in h.routes}
    units |= {Unit(cluster.origin.ref) for cluster in gate.clusters}
    units |= {provider.origin for provider in gate.identity.jwt}
    await serve(scene, quarantine.without(gate, ExcludedDocuments(units=frozenset(units))))
    assert {status for status, _ in await answers(scene)} == {503}


async def test_an_older_form_of_the_gates_own_document(scene: Scene) -> None:
    old = compiled(scene)
    await serve(scene, old)
    new = replace(old, trusted_hops=2, identity=replace(old.identity, jwt=(), api_keys=None))
    out = ExcludedDocuments(units=frozenset({old.origin}), frame=old)
    await serve(scene, quarantine.without(new, out))
    assert await answers(scene) == (INVALID, INVALID, SERVED)
    new = replace(old, max_body_bytes=2048)
    await serve(scene, quarantine.without(new, out))
    assert await answers(scene) == (SERVED, SERVED, SERVED)
