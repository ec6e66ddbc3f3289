"""Nobody is answered by older rules once a gate is told as current.

Hosts are withdrawn in every way there is while callers ask them over connections, HTTP/1.1 and
HTTP/2, that were made before. The last request that a model answered must have been sent before the
control plane called the gate current; all other hosts are served all the time. GATEREEVE_WITHDRAWALS
sets how many withdrawals (`make withdrawals`).
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from gatereeve.compile.compiler import Compiled
from gatereeve.core import errors, refs
from gatereeve.ir.gates import Gate
from gatereeve.proxy import activation
from gatereeve.proxy.envoy import names
from gatereeve.proxy.local import envoy_process
from gatereeve.proxy.xds import snapshot as snap
from tests.envoy import protected
from tests.envoy.withdrawing import Caller, House, house
from tests.envoy.withdrawn_documents import WAYS, Host
from tests.support import gate as gates
from tests.support import keys

pytestmark = pytest.mark.envoy

COUNT = int(os.environ.get("GATEREEVE_WITHDRAWALS", "30"))
BUILD = Path("build")
HOSTS = 15 if COUNT < 1000 else 60
RARE = ("issuer", "signing-key", "region")
"""One host of each: an issuer is asked for on every request, and a region is that of all."""


def hosts(count: int) -> tuple[Host, ...]:
    """The ways in turn."""
    ways = [*WAYS]
    common = [way for way in ways if way not in RARE]
    return tuple(
        Host(number=n, way=ways[n] if n < len(ways) else common[n % len(common)])
        for n in range(count)
    )


def late(callers: Iterable[Caller], current: float) -> list[str]:
    """Callers whom a model answered although they asked after that moment."""
    return [
        f"{one.host.way} over {one.protocol}: {one.served_at - current:.3f} s after"
        for one in callers
        if one.served_at > current
    ]


async def test_no_host_is_served_once_its_withdrawal_is_current() -> None:
    dice = random.Random(COUNT)
    done, slowest, over_old = 0, 0.0, Counter[str]()
    async with house(hosts(HOSTS)) as at:
        while done < COUNT:
            chosen = {h.number for h in at.folder.hosts if done < HOSTS or dice.random() < 0.7}
            slowest = max(slowest, await _withdraw(at, chosen))
            done += len(chosen)
            for caller in at.of(chosen):
                over_old[caller.protocol] += bool(caller.old)
            others = [one for one in at.callers if one.host.number not in chosen]
            failed = [one for one in others if set(one.statuses) - {200}]
            assert not failed, [(one.host.way, one.protocol, one.statuses) for one in failed]
            at.folder.spoiled = set()
            restored = await at.bring()
            await at.served_since(restored, at.callers)
            at.server.seen.clear()
    _write({"withdrawals": done, "answered by older rules": 0, "slowest s": round(slowest, 3),
            "asked over connections made before": dict(over_old)})  # fmt: skip
    assert all(over_old[protocol] for protocol in ("http/1.1", "h2")), over_old


async def _withdraw(at: House, chosen: set[int]) -> float:
    """Seconds until it was told as current."""
    for one in at.callers:
        one.mark()
    began = time.monotonic()
    at.folder.spoiled = chosen
    current = await at.bring()
    await at.tried_since(current, at.of(chosen))
    assert not late(at.of(chosen), current)
    return current - began


def _write(found: dict[str, object]) -> None:
    """The figure of a long run, to be read."""
    if "GATEREEVE_WITHDRAWALS" in os.environ:
        BUILD.mkdir(exist_ok=True)
        (BUILD / "withdrawals.json").write_text(json.dumps(found, indent=1) + "\n")


@pytest.mark.parametrize("way", ["authority", "gate"])
async def test_what_ends_all_at_once(way: str) -> None:
    """Another authority for client certificates; the Gate document is gone."""
    served = (Host(number=0, way="client-name"), Host(number=1, way="secret"))
    async with house(served) as at:
        for one in at.callers:
            one.mark()
        ended = at.of([0]) if way == "authority" else at.callers
        if way == "authority":
            at.folder.authority = keys.Authority("another")
        else:
            at.folder.no_gate = True
        current = await at.bring()
        if way == "gate":  # nothing is told of a Gate that is gone; its gates obey within a moment
            await at.refused(ended)
            current = time.monotonic()
        await at.tried_since(current, ended)
        assert not late(ended, current)
        others = [one for one in at.callers if one not in ended]
        await at.served_since(current, others)
        assert all(set(one.statuses) == {200} for one in others)


def _with_keys(made: Compiled, jwks: str) -> Gate:
    """As compiled, but the first issuer has these keys, which the compiler might not let pass."""
    (gate,) = made.ir.gates
    first = dataclasses.replace(gate.identity.jwt[0], jwks=jwks)
    identity = dataclasses.replace(gate.identity, jwt=(first, *gate.identity.jwt[1:]))
    return dataclasses.replace(gate, identity=identity, hash=refs.ConfigHash("sha256:other"))


def _exponent_one() -> str:
    modulus = keys.b64(b"\xc1" + bytes(254) + b"\x01")
    return json.dumps(
        {"keys": [{"kty": "RSA", "alg": "RS256", "kid": "k", "n": modulus, "e": "AQ"}]}
    )


async def test_a_replacement_that_is_rejected_is_never_told_as_active() -> None:
    """An RSA exponent of 1: the keys stay, and no proof says otherwise, also after a restart; nor does
    that of a gate that never had other keys."""
    async with protected.scene() as scene, gates.running_gate("new") as new:
        at = scene.gate
        gate = _with_keys(at.compile(scene.documents()), _exponent_one())
        snapshot = at.offer_gate(gate)
        expected = activation.expected_of(snapshot)
        for life in (1, 2):
            with pytest.raises(errors.ProxyTimeoutError, match=names.JWT):
                await activation.wait_active(at.admin, expected, timeout_s=1)
            (status,) = at.controller.status()
            assert status.suppressed == ((snap.ECDS, names.JWT),)
            assert status.settled != snapshot.version
            if life == 1:
                assert status.last_nack is not None
                assert status.last_nack.names == (names.JWT,)
                os.kill(at.events.of(envoy_process.Started)[-1].pid, signal.SIGKILL)
                await at.events.wait(envoy_process.Started, 2)
        other = protected.Scene(gate=new, servers=scene.servers).documents()
        never = activation.expected_of(
            new.offer_gate(_with_keys(new.compile(other), _exponent_one()))
        )
        with pytest.raises(errors.ProxyTimeoutError, match="it did not accept all"):
            await activation.wait_active(new.admin, never, timeout_s=2)
        await at.publish(scene.documents())
