"""The xDS server, the bootstrap and the supervision against the real Envoy."""

import asyncio
import os
import signal
import sys
from typing import Any

import httpx2
import pytest
from envoy.config.core.v3 import extension_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2, tls_pb2

from gatereeve.core import errors
from gatereeve.pki import stores
from gatereeve.pki.certificate_plan import Bundle
from gatereeve.proxy import activation, admin, bootstrap
from gatereeve.proxy.local import envoy_process
from gatereeve.proxy.xds import events, server, session
from gatereeve.proxy.xds import snapshot as snap
from tests.envoy.xds_gate import DEADLINE_S, Gate, Load, backend, gate, running
from tests.features import xds_messages as msg
from tests.features.xds_authority import Authority
from tests.features.xds_serving import RealClock, serving, short_directory
from tests.support.ports import free_port

pytestmark = pytest.mark.envoy


def served(
    version: str, port: int, clusters: dict[str, int], *, connect_ms: int = 500, **targets: Any
) -> snap.Snapshot:
    """One listener; clusters by name and backend port; routes by path."""
    return msg.snapshot(
        version,
        *(msg.cluster(name, connect_ms=connect_ms) for name in clusters),
        *(msg.endpoints(name, backend_port) for name, backend_port in clusters.items()),
        msg.listener("web", port),
        msg.routes(**targets),
    )


async def publish(at: Gate, snapshot: snap.Snapshot) -> None:
    """Publish, and wait until the gate runs it."""
    at.xds.server.set_snapshot("public", snapshot)
    await activation.wait_active(at.admin, activation.expected_of(snapshot))


async def status_of(url: str) -> int:
    async with httpx2.AsyncClient() as client:
        return (await client.get(url)).status_code


async def test_cold_start_with_empty_types_becomes_ready() -> None:
    async with gate() as at:
        at.xds.server.set_snapshot("public", msg.snapshot("v1"))
        await at.envoy.wait_ready()
        await publish(at, msg.snapshot("v2"))
        await at.xds.seen.settled("v2")


async def test_a_gate_without_controller_is_not_ready_and_takes_no_traffic() -> None:
    with short_directory() as directory:
        nowhere = bootstrap.Upstream(socket=directory / "nobody.sock")
        async with running(directory, nowhere) as (envoy, _):
            with pytest.raises(errors.ProxyTimeoutError):
                await envoy.wait_ready(0.7)
            async with admin.Admin(directory / "admin.sock") as talk:
                assert b"web" not in await talk.get("/listeners")


async def test_change_of_a_cluster_under_load_never_answers_5xx() -> None:
    async with backend() as target, gate() as at:
        await publish(at, served("v0", at.port, {"a": target.port}, x="a"))
        async with Load(at.url, "/x", "/x?again") as load:
            await load.until("/x", 200, more=20)
            for number in range(1, 6):
                changed = served(
                    f"v{number}", at.port, {"a": target.port}, connect_ms=500 + number, x="a"
                )
                await publish(at, changed)
                await load.until("/x", 200, more=10)
        assert {status for answers in load.answers.values() for status in answers} == {200}


async def test_new_route_to_a_new_cluster_and_its_removal_under_load() -> None:
    async with backend() as target, gate() as at:
        await publish(at, served("v0", at.port, {"a": target.port}, x="a"))
        async with Load(at.url, "/x", "/new") as load:
            await load.until("/new", 404, more=10)
            for number in range(5):
                both = {"a": target.port, f"b{number}": target.port}
                at.xds.server.set_snapshot(
                    "public", served(f"with-{number}", at.port, both, x="a", new=f"b{number}")
                )
                await load.until("/new", 200, more=10)
                at.xds.server.set_snapshot(
                    "public", served(f"without-{number}", at.port, {"a": target.port}, x="a")
                )
                await load.until("/new", 404, more=10)
        assert set(load.answers["/x"]) == {200}
        assert set(load.answers["/new"]) == {404, 200}
        await at.xds.seen.settled("without-4")


async def test_a_new_route_waits_until_its_health_checked_cluster_is_warm() -> None:
    """Envoy acknowledges clusters when they are warm; routes that need them wait for that."""

    def checked(name: str) -> Any:
        found = msg.cluster(name)
        check = found.health_checks.add()
        check.timeout.seconds = check.interval.seconds = 5
        check.unhealthy_threshold.value = check.healthy_threshold.value = 1
        check.http_health_check.path = "/health"
        return found

    async with backend() as target, gate() as at:
        await publish(at, served("v0", at.port, {}, x=200))
        async with Load(at.url, "/new") as load:
            await load.until("/new", 404)
            target.arrived.clear()
            target.open.clear()
            messages = [msg.endpoints("b", target.port), msg.listener("web", at.port)]
            at.xds.server.set_snapshot(
                "public", msg.snapshot("v1", checked("b"), *messages, msg.routes(new="b"))
            )
            await target.arrived.wait()  # the check is under way, the cluster warms
            await load.until("/new", 404, more=20)
            target.open.set()
            await load.until("/new", 200, more=5)
        assert set(load.answers["/new"]) == {404, 200}


async def test_moving_all_traffic_to_another_cluster_under_load() -> None:
    async with backend() as target, gate() as at:
        await publish(at, served("v0", at.port, {"c0": target.port}, x="c0"))
        async with Load(at.url, "/x", "/x?again") as load:
            for number in range(1, 10):
                moved = served(f"v{number}", at.port, {f"c{number}": target.port}, x=f"c{number}")
                at.xds.server.set_snapshot("public", moved)
                await load.until("/x", 200, more=5)
            await at.xds.seen.settled("v9")
        assert {status for answers in load.answers.values() for status in answers} == {200}


async def test_one_rejected_route_configuration_among_many_and_a_restart() -> None:
    """The others take effect, it keeps its last good form, and so does a gate that restarts."""
    names = [f"routes-{number}" for number in range(8)]

    def config(version: str, status: int, *, broken: str = "") -> snap.Snapshot:
        tables = {name: msg.routes(name, x=status) for name in names}
        if broken:
            tables[broken].virtual_hosts[0].routes[0].match.safe_regex.regex = "(("
        listeners = [
            msg.listener(name, port, routes=name) for name, port in zip(names, ports, strict=True)
        ]
        return msg.snapshot(version, *listeners, *tables.values())

    async with gate() as at:
        ports = [free_port() for _ in names]
        await publish(at, config("v1", 201))
        at.xds.server.set_snapshot("public", config("v2", 202, broken="routes-3"))
        nack = await at.xds.seen.wait(events.Nacked, lambda event: bool(event.names))
        assert (nack.type_url, nack.names) == (snap.RDS, ("routes-3",))
        others = [port for name, port in zip(names, ports, strict=True) if name != "routes-3"]
        await at.xds.seen.wait(
            events.Acked, lambda e: e.type_url == snap.RDS, after=at.xds.seen.all.index(nack)
        )
        await _until_all_answer(others, 202)
        assert await status_of(f"http://127.0.0.1:{ports[3]}/x") == 201
        counted = sum(at.xds.server.counters.nacks.values())
        broken = activation.expected_of(config("v2", 202, broken="routes-3"))
        with pytest.raises(errors.ProxyTimeoutError):
            await activation.wait_active(at.admin, broken, timeout_s=0.1)
        await _kill(at)
        await _until_all_answer(others, 202)
        assert await status_of(f"http://127.0.0.1:{ports[3]}/x") == 201
        assert sum(at.xds.server.counters.nacks.values()) == counted
        await publish(at, config("v3", 203))
        await _until_all_answer(ports, 203)
        assert at.xds.server.status()[0].last_nack is None


async def test_a_rejected_cluster_and_a_rejected_listener_touch_nobody_else() -> None:
    async with backend() as target, gate() as at:
        good = served("v1", at.port, {"a": target.port}, x="a", y=201)
        await publish(at, good)
        bad_cluster = msg.cluster("bad")
        bad_cluster.connect_timeout.seconds = -5
        bad_listener = msg.listener("bad", at.port, routes="other")
        bad_listener.filter_chains[0].filters[
            0
        ].typed_config.type_url = "type.googleapis.com/no.Such"
        messages = [
            msg.cluster("a", connect_ms=400),
            msg.endpoints("a", target.port),
            bad_cluster,
            msg.endpoints("bad", target.port),
            msg.listener("web", at.port),
            bad_listener,
            msg.routes(x="a", y=202),
            msg.routes("other", x=200),
        ]
        at.xds.server.set_snapshot("public", msg.snapshot("v2", *messages))
        async with Load(at.url, "/x", "/y") as load:
            await load.until("/y", 202, more=5)
        assert set(load.answers["/x"]) == {200}
        assert set(load.answers["/y"]) <= {201, 202}
        suppressed = set(at.xds.server.status()[0].suppressed)
        assert {(snap.CDS, "bad"), (snap.LDS, "bad")} <= suppressed


async def test_a_new_controller_sends_nothing_to_a_gate_that_has_it_all() -> None:
    async with backend() as target, gate() as at:
        snapshot = served("v1", at.port, {"a": target.port}, x="a")
        await publish(at, snapshot)
        await at.xds.server.stop()
        assert await status_of(f"{at.url}/x") == 200
        async with serving(socket=at.xds.socket) as successor:
            successor.server.set_snapshot("public", snapshot)
            await successor.seen.settled("v1")
            assert successor.server.counters.resources == 0
            changed = served("v2", at.port, {"a": target.port}, x=204)
            successor.server.set_snapshot("public", changed)
            await activation.wait_active(at.admin, activation.expected_of(changed))
            assert await status_of(f"{at.url}/x") == 204


@pytest.mark.parametrize("step", range(5))
async def test_a_controller_that_goes_at_any_step_of_a_change_leaves_no_gap(step: int) -> None:
    """All traffic moves to another cluster; the controller goes after `step` accepted responses."""
    async with backend() as target, gate() as at:
        await publish(at, served("v1", at.port, {"a": target.port}, x="a", y=201))
        before = len(at.xds.seen.of(events.Acked))
        async with Load(at.url, "/x", "/y") as load:
            await load.until("/x", 200)
            moved = served("v2", at.port, {"b": target.port}, x="b", y=202)
            at.xds.server.set_snapshot("public", moved)
            await at.xds.seen.wait(
                events.Acked, lambda _: len(at.xds.seen.of(events.Acked)) >= before + step
            )
            await at.xds.server.stop()
            await load.until("/x", 200, more=5)
            async with serving(
                socket=at.xds.socket, discipline=session.Discipline(grace_s=0)
            ) as successor:
                successor.server.set_snapshot("public", moved)
                await load.until("/y", 202, more=5)
                await activation.wait_active(at.admin, activation.expected_of(moved))
                await load.until("/x", 200, more=5)
        assert set(load.answers["/x"]) == {200}
        assert set(load.answers["/y"]) <= {201, 202}


async def test_activation_is_what_the_gate_reports() -> None:
    """Clusters, listeners, routes, filters and secrets; also when a change only removes."""
    authority = Authority()
    async with backend() as target, gate(grace_s=60) as at:

        def config(version: str, status: int, clusters: dict[str, int]) -> snap.Snapshot:
            listener = msg.listener("web", at.port)
            _discover_filter(listener, "limit")
            _discover_certificates(listener, "one", "two")
            return msg.snapshot(
                version,
                *(msg.cluster(name) for name in clusters),
                *(msg.endpoints(name, port) for name, port in clusters.items()),
                listener,
                msg.routes(x=status),
                _filter("limit", version),
                _certificate("one", authority),
                _certificate("two", authority),
            )

        first = config("v1", 201, {"a": target.port, "b": target.port})
        await publish(at, first)
        second = config("v2", 202, {"a": target.port, "b": target.port})
        assert not await activation.is_active(at.admin, activation.expected_of(second))
        await publish(at, second)
        assert not await activation.is_active(at.admin, activation.expected_of(first))
        await publish(at, config("v3", 202, {"a": target.port}))
        entries = await at.admin.config("dynamic_active_clusters", "cluster.name")
        assert {entry["cluster"]["name"] for entry in entries} == {"a", "b"}  # until its grace ends


async def test_what_was_seen_of_routes_is_not_asked_for_again() -> None:
    """Many route configurations, one of which changes: the others are known by their reports."""

    def config(version: str, port: int, status: int) -> snap.Snapshot:
        return msg.snapshot(
            version,
            msg.listener("web", port),
            msg.listener("other", 0, routes="others"),
            msg.routes(x=200),
            msg.routes("others", y=status),
        )

    async with gate() as at:
        first, second = config("v1", at.port, 201), config("v2", at.port, 202)
        await publish(at, first)
        seen = activation.ActiveState()
        assert await activation.is_active(at.admin, activation.expected_of(first), seen)
        assert set(seen.routes) == {"routes", "others"}
        assert not await activation.is_active(at.admin, activation.expected_of(second), seen)
        at.xds.server.set_snapshot("public", second)
        await activation.wait_active(at.admin, activation.expected_of(second), seen=seen)
        assert await activation.is_active(at.admin, activation.expected_of(second))
        mask = "route_config.name"
        asked = await at.admin.config("dynamic_route_configs", mask, names=["others"])
        assert [entry["route_config"]["name"] for entry in asked] == ["others"]


async def test_a_killed_envoy_is_started_again_and_serves() -> None:
    async with gate() as at:
        await publish(at, served("v1", at.port, {}, x=200))
        await _kill(at)
        await _until_all_answer([at.port], 200)
        died = at.seen.of(envoy_process.Died)
        assert [event.code for event in died] == [-signal.SIGKILL]


async def test_pauses_grow_while_it_keeps_dying() -> None:
    with short_directory() as directory:
        seen: list[Any] = []
        enough = asyncio.Event()

        def observe(event: envoy_process.EnvoyEvent) -> None:
            seen.append(event)
            if len([e for e in seen if isinstance(e, envoy_process.Died)]) == 3:
                enough.set()

        settings = envoy_process.LocalSettings(
            binary=(await envoy_process.find_envoy()).path,
            bootstrap="{ not a bootstrap",
            run_dir=directory,
            admin=directory / "admin.sock",
            restart_s=0.01,
        )
        async with envoy_process.LocalEnvoy(settings, clock=RealClock(), observer=observe) as envoy:
            async with asyncio.timeout(DEADLINE_S):
                await enough.wait()
            assert envoy.log_tail()
        pauses = [event.restart_in_s for event in seen if isinstance(event, envoy_process.Died)]
        assert pauses[:3] == [0.01, 0.02, 0.04]


async def test_stopping_lets_requests_finish_and_leaves_nothing() -> None:
    async with backend() as target:
        async with gate() as at:
            await publish(at, served("v1", at.port, {"a": target.port}, x="a"))
            pid = at.envoy.pid
            target.open.clear()
            request = asyncio.create_task(status_of(f"{at.url}/x"))
            await target.arrived.wait()
            asyncio.get_running_loop().call_later(0.2, target.open.set)
        assert await request == 200
        assert at.seen.of(envoy_process.Stopped) == [envoy_process.Stopped(forced=False)]
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)  # ended and reaped: not even a zombie


async def test_envoy_dies_with_a_parent_that_is_killed() -> None:
    with short_directory() as directory:
        script = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _PARENT,
            str(directory),
            ":".join(sys.path),
            stdout=asyncio.subprocess.PIPE,
        )
        assert script.stdout is not None
        pid = int(await script.stdout.readline())
        watch = os.pidfd_open(pid)
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(watch, gone.set)
        try:
            script.kill()
            await script.wait()
            async with asyncio.timeout(DEADLINE_S):
                await gone.wait()
        finally:
            asyncio.get_running_loop().remove_reader(watch)
            os.close(watch)


async def test_the_admin_is_private_and_cannot_stop_or_change_the_gate() -> None:
    async with gate() as at:
        await publish(at, msg.snapshot("v1"))
        assert (at.directory / "admin.sock").stat().st_mode & 0o777 == 0o600
        assert (at.directory / "bootstrap.json").stat().st_mode & 0o777 == 0o600
        for path in ("/quitquitquit", "/runtime_modify", "/logging", "/cpuprofiler"):
            with pytest.raises(errors.ProxyError, match="403"):
                await at.admin.post(path)


async def test_mutual_tls_to_a_remote_controller() -> None:
    authority = Authority()
    tcp = server.TcpListener(address="localhost:0", tls=authority.server_tls)
    with short_directory() as directory:
        key, chain = authority.for_gate("public")
        files = bootstrap.TlsFiles(
            certificates=directory / "certificates", secrets=directory, name="localhost"
        )
        stores.write_bundle(
            files.certificates, Bundle(certificate=chain, key=key, trust=authority.pem)
        )
        for path, text in bootstrap.secret_files(files).items():
            path.write_text(text)
        async with serving(tcp=tcp, discipline=session.Discipline(grace_s=0)) as xds:
            xds.server.set_snapshot("public", msg.snapshot("v1"))
            assert xds.server.tcp_port is not None
            remote = bootstrap.Upstream(hosts=(("localhost", xds.server.tcp_port),), tls=files)
            async with running(directory, remote) as (envoy, _):
                await envoy.wait_ready()
                await xds.seen.settled("v1")


async def _until_all_answer(ports: list[int], status: int) -> None:
    """Ask each port until it answers so; listeners of a new process open one after the other."""
    async with asyncio.timeout(DEADLINE_S), httpx2.AsyncClient() as client:
        for port in ports:
            answer = 0
            while answer != status:
                try:
                    answer = (await client.get(f"http://127.0.0.1:{port}/x")).status_code
                except httpx2.TransportError:
                    answer = 0


async def _kill(at: Gate) -> None:
    pid = at.envoy.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await at.seen.wait(envoy_process.Died)


def _discover_filter(listener: Any, name: str) -> None:
    packed = listener.filter_chains[0].filters[0].typed_config
    manager = hcm_pb2.HttpConnectionManager()
    packed.Unpack(manager)
    found = hcm_pb2.HttpFilter(name=name)
    found.config_discovery.config_source.CopyFrom(msg.over_ads())
    found.config_discovery.type_urls.append(snap.type_url_of(local_rate_limit_pb2.LocalRateLimit()))
    manager.http_filters.insert(0, found)
    packed.CopyFrom(msg.packed(manager))


def _filter(name: str, prefix: str) -> Any:
    limit = local_rate_limit_pb2.LocalRateLimit(stat_prefix=prefix)
    return extension_pb2.TypedExtensionConfig(name=name, typed_config=msg.packed(limit))


def _discover_certificates(listener: Any, *names: str) -> None:
    context = tls_pb2.DownstreamTlsContext()
    for name in names:
        context.common_tls_context.tls_certificate_sds_secret_configs.add(
            name=name, sds_config=msg.over_ads()
        )
    socket = listener.filter_chains[0].transport_socket
    socket.name = "envoy.transport_sockets.tls"
    socket.typed_config.CopyFrom(msg.packed(context))


def _certificate(name: str, authority: Authority) -> Any:
    key, chain = authority.for_gate(name)
    secret = secret_pb2.Secret(name=name)
    secret.tls_certificate.certificate_chain.inline_bytes = chain
    secret.tls_certificate.private_key.inline_bytes = key
    return secret


_PARENT = """
import asyncio, pathlib, sys
sys.path[:0] = sys.argv[2].split(":")
from gatereeve.proxy import bootstrap
from gatereeve.proxy.local.envoy_process import Started
from tests.envoy.xds_gate import running

async def main():
    directory = pathlib.Path(sys.argv[1])
    nowhere = bootstrap.Upstream(socket=directory / "nobody.sock")
    async with running(directory, nowhere) as (envoy, seen):
        await seen.wait(Started)
        print(envoy.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
