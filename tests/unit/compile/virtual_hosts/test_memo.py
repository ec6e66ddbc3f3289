"""One changed document costs what it touches: everything else is the very same object as before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gatereeve.api.world import World
from gatereeve.compile import compiler
from tests.support.clocks import AT
from tests.support.routes import (
    EVERYTHING,
    GATE,
    at,
    ingress,
    model,
    service,
    tls_secret,
    to_model,
    to_service,
    version,
    vhost,
)
from tests.support.worlds import world_of

VALID_UNTIL = AT + timedelta(days=30)


def world() -> World:
    return world_of(
        GATE, EVERYTHING, tls_secret(end=VALID_UNTIL),
        model(ns="shop"), version("credit", "1", at("10.1.0.1"), ns="shop"),
        service("web", "10.0.0.1"), service("other", "10.0.0.2"),
        ingress("a", f"Prefix / {to_service('web')}", host="a.example"),
        ingress("b", f"Prefix / {to_model()}", host="b.example"),
        ingress("c", f"Prefix / {to_service('other')}", host="c.example"),
    )  # fmt: skip


def test_the_hosts_of_unchanged_documents_are_the_same_objects() -> None:
    compiling = compiler.Compiler()
    before = world()
    first = compiling.compile(before)
    key = ("shop", "other-1")
    changed = {**before.endpoint_slices, key: replace(before.endpoint_slices[key])}
    second = compiling.compile(replace(before, endpoint_slices=changed))
    for host in ("a.example", "b.example"):
        assert vhost(first, host) is vhost(second, host)
    assert first.ir.gates[0].hash == second.ir.gates[0].hash


def test_what_expires_is_not_remembered_as_valid() -> None:
    compiling = compiler.Compiler()
    before = world()
    first = compiling.compile(before)
    late = compiling.compile(replace(before, at=VALID_UNTIL))
    assert vhost(first, "b.example") is not None
    assert vhost(late, "b.example") is None
    assert first.ir.gates[0].hash != late.ir.gates[0].hash


def test_a_model_that_appears_behind_a_service_governs_it_at_once() -> None:
    compiling = compiler.Compiler()
    before = world()
    compiling.compile(before)
    sneaky = world_of(version("credit", "2", "backend: {service: web, port: http}", ns="shop"))
    versions = dict(sorted({**before.model_versions, **sneaky.model_versions}.items()))
    after = compiling.compile(replace(before, model_versions=versions))
    served = vhost(after, "a.example")
    assert served is not None
    assert all(
        r.governance is not None or r.action.__class__.__name__ == "Refuse" for r in served.routes
    )
    assert after == compiler.compile(replace(before, model_versions=versions))
