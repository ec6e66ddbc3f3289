"""Certificates rotate while a real Envoy is served over them: no stream is refused, no request fails.

The issuer's clock runs through two years; the certificates it makes are valid now as well, so that
Envoy, whose clock is real, takes them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gatereeve.core import errors
from gatereeve.pki import certificate_plan
from gatereeve.pki.issuer import Alone, Issuer
from gatereeve.pki.mounted import MountedCertificates
from gatereeve.pki.stores import DirectoryStore
from gatereeve.proxy import activation, agent, bootstrap
from gatereeve.proxy.admin import Admin
from gatereeve.proxy.xds import server as ads
from gatereeve.proxy.xds import session
from tests.envoy.test_xds_envoy import served
from tests.envoy.xds_gate import DEADLINE_S, Load, backend, running
from tests.features.xds_serving import RealClock, Seen, short_directory
from tests.support.ports import free_port

pytestmark = pytest.mark.envoy

POLICY = certificate_plan.CertificatePolicy(
    authority_life=timedelta(days=730), leaf_life=timedelta(days=700)
)
SDS = "cluster.gatereeve-xds.client_ssl_socket_factory.ssl_context_update_by_sds"
FAILED = r"^cluster\.gatereeve-xds\.ssl\.(connection_error|fail_verify.*)$"


class Clock(RealClock):
    def __init__(self) -> None:
        self.behind = timedelta(days=490)

    def now(self) -> datetime:
        return datetime.now(UTC) - self.behind


class Proves:
    """A gate that runs whatever it is asked for."""

    async def wait_active(self, _expected: activation.Expected, *, timeout_s: float) -> None:
        assert timeout_s > 0


@contextlib.asynccontextmanager
async def serving(port: int, issuer: Issuer) -> AsyncIterator[tuple[ads.AdsServer, Seen]]:
    seen = Seen()
    tcp = ads.TcpListener(address=f"localhost:{port}", tls=issuer.tls)
    server = ads.AdsServer(
        ads.AdsSettings(tcp=tcp, discipline=session.Discipline(grace_s=0)),
        clock=RealClock(),
        observer=seen,
    )
    async with server:
        yield server, seen


async def test_no_stream_is_refused_and_no_request_fails() -> None:
    clock, port = Clock(), free_port()
    with short_directory() as directory:
        issuer = Issuer(
            DirectoryStore(directory / "keys"), clock=clock, leadership=Alone(), policy=POLICY,
            own=[certificate_plan.of_controller(["localhost"])],
        )  # fmt: skip
        issuer.want(["public"])
        await issuer.step()
        files = bootstrap.TlsFiles(
            certificates=directory / "keys" / "gate-public", secrets=directory, name="localhost"
        )
        for path, text in bootstrap.secret_files(files).items():
            path.write_text(text)
        remote = bootstrap.Upstream(hosts=(("localhost", port),), tls=files)
        async with (
            backend() as target,
            running(directory, remote) as (envoy, _),
            Admin(directory / "admin.sock") as admin,
        ):
            listener = free_port()
            snapshot = served("v1", listener, {"a": target.port}, x="a")
            expected = activation.expected_of(snapshot)
            async with serving(port, issuer) as (server, _):
                server.set_snapshot("public", snapshot)
                await envoy.wait_ready()
                await activation.wait_active(admin, expected)
            async with Load(f"http://127.0.0.1:{listener}", "/x") as load:
                await load.until("/x", 200, more=10)
                for behind in (
                    timedelta(days=20),  # leaves are renewed
                    timedelta(days=3),  # another authority is trusted, and signs nothing
                    timedelta(days=3) - POLICY.spread,  # it signs
                ):
                    before = dict(issuer.expiries()), await _rereads(admin)
                    clock.behind = behind
                    async with serving(port, issuer) as (server, seen):
                        server.set_snapshot("public", snapshot)
                        await seen.settled("v1")  # over the old certificates
                        await issuer.step()
                        await _until_reread(admin, before[1])
                        await _agent_answers(issuer, directory / "keys" / "gate-public", expected)
                        assert server.counters.streams_refused == 0
                        assert [one.connected for one in server.status()] == [True]
                    # Whoever connects now meets the new ones.
                    async with serving(port, issuer) as (server, seen):
                        server.set_snapshot("public", snapshot)
                        await seen.settled("v1")
                        assert server.counters.streams_refused == 0
                    await load.until("/x", 200, more=10)
            assert set(load.answers["/x"]) == {200}
            assert not any((await admin.numbers(FAILED)).values()), await admin.numbers(FAILED)
            assert {"authority-a", "authority-b"} <= set(issuer.expiries())


async def _rereads(admin: Admin) -> int:
    return (await admin.numbers(f"^{SDS}$"))[SDS]


async def _until_reread(admin: Admin, before: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while await _rereads(admin) == before:  # noqa: ASYNC110  # it cannot tell us
            await asyncio.sleep(0.02)


async def _agent_answers(issuer: Issuer, files: Path, expected: activation.Expected) -> None:
    async with agent.serve("127.0.0.1:0", MountedCertificates(files).tls, Proves()) as port:
        prover = agent.AgentVerifier("public", f"127.0.0.1:{port}", issuer.tls)
        await prover.wait_active(expected, timeout_s=5)
        other = agent.AgentVerifier("private", f"127.0.0.1:{port}", issuer.tls)
        with pytest.raises(errors.ProxyTimeoutError):
            await other.wait_active(expected, timeout_s=5)
