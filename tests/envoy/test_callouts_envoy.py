"""The real Envoy calls our call-out server: ext_authz (unary) and ext_proc (streaming).

One Envoy with two filters and a static configuration. Handlers parse protobuf as the product's will.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from envoy.service.auth.v3 import external_auth_pb2 as auth
from envoy.service.ext_proc.v3 import external_processor_pb2 as proc

from gatereeve.intake.callout import server, service
from gatereeve.proxy.local import envoy_process
from gatereeve.runtime.supervise import SystemClock
from tests.support import gate
from tests.support.ports import free_port

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

_EXTENSION = "type.googleapis.com/envoy.extensions"
_OK = auth.CheckResponse().SerializeToString()
_DENIED = auth.CheckResponse()
_DENIED.status.code = 7
_DENIED.denied_response.status.code = 403


@dataclass(slots=True)
class Authorizer:
    """Refuses what has `x-deny`; notes the sizes of batches. is_broken: fails on purpose."""

    batches: list[int] = field(default_factory=list)
    is_broken: bool = False

    def answer(self, requests: Sequence[bytes]) -> list[service.Answer]:
        if self.is_broken:
            raise RuntimeError("on purpose")
        self.batches.append(len(requests))
        return [self._answer(auth.CheckRequest.FromString(request)) for request in requests]

    @staticmethod
    def _answer(request: auth.CheckRequest) -> bytes:
        denied = "x-deny" in request.attributes.request.http.headers
        return _DENIED.SerializeToString() if denied else _OK


@dataclass(slots=True)
class Processor:
    """A session of ext_proc: a request header of ours, and the whole bodies in upper case."""

    stream: service.CallStream
    sessions: list[Processor]
    body: bytes = b""
    ended: bool = False
    cancelled: bool = False

    def __post_init__(self) -> None:
        self.sessions.append(self)

    def receive(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            self.stream.send(
                self._answer(proc.ProcessingRequest.FromString(message)).SerializeToString()
            )

    def _answer(self, request: proc.ProcessingRequest) -> proc.ProcessingResponse:
        answer = proc.ProcessingResponse()
        if request.HasField("request_headers"):
            added = answer.request_headers.response.header_mutation.set_headers.add()
            added.header.key, added.header.raw_value = "x-processed", b"yes"
        else:
            part = request.request_body
            self.body += part.body
            streamed = answer.request_body.response.body_mutation.streamed_response
            streamed.body, streamed.end_of_stream = part.body.upper(), part.end_of_stream
        return answer

    def end(self) -> None:
        self.ended = True
        self.stream.finish()

    def cancel(self) -> None:
        self.cancelled = True


@dataclass(slots=True)
class Watcher:
    """A session of ext_proc in observability mode: it joins both bodies, and answers nothing."""

    stream: service.CallStream
    sessions: list[Watcher]
    request: bytes = b""
    response: bytes = b""
    has_ended: bool = False

    def __post_init__(self) -> None:
        self.sessions.append(self)

    def receive(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            part = proc.ProcessingRequest.FromString(message)
            self.request += part.request_body.body
            self.response += part.response_body.body

    def end(self) -> None:
        self.has_ended = True
        self.stream.finish()

    def cancel(self) -> None:
        self.has_ended = True


def _cluster(name: str, socket: Path) -> dict[str, object]:
    address: dict[str, object] = {"pipe": {"path": str(socket)}}
    protocol = {
        "@type": f"{_EXTENSION}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    return {
        "name": name,
        "connect_timeout": "5s",
        "load_assignment": _endpoints(name, address),
        "typed_extension_protocol_options": {f"{_EXTENSION[20:]}.upstreams.http.v3.HttpProtocolOptions": protocol},
    }  # fmt: skip


def _endpoints(name: str, address: dict[str, object]) -> dict[str, object]:
    return {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
    }


def _bootstrap(root: Path, port: int, upstream: int) -> str:
    def grpc(cluster: str) -> dict[str, object]:
        return {"envoy_grpc": {"cluster_name": cluster}, "timeout": "30s"}

    filters = [
        {"name": "authz", "typed_config": {
            "@type": f"{_EXTENSION}.filters.http.ext_authz.v3.ExtAuthz",
            "transport_api_version": "V3", "grpc_service": grpc("authz"),
            "status_on_error": {"code": "ServiceUnavailable"},
        }},
        {"name": "proc", "typed_config": {
            "@type": f"{_EXTENSION}.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": grpc("proc"), "message_timeout": "30s",
            "processing_mode": {
                "request_header_mode": "SEND", "response_header_mode": "SKIP",
                "request_body_mode": "FULL_DUPLEX_STREAMED", "request_trailer_mode": "SEND",
            },
        }},
        {"name": "observe", "typed_config": {
            "@type": f"{_EXTENSION}.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": grpc("observe"), "observability_mode": True,
            "failure_mode_allow": True, "deferred_close_timeout": "0.05s",
            "processing_mode": {
                "request_header_mode": "SEND", "response_header_mode": "SKIP",
                "request_body_mode": "STREAMED", "response_body_mode": "STREAMED",
            },
        }},
        {"name": "router", "typed_config": {"@type": f"{_EXTENSION}.filters.http.router.v3.Router"}},
    ]  # fmt: skip
    manager = {
        "@type": f"{_EXTENSION}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "t", "http_filters": filters,
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}],
        }]},
    }  # fmt: skip

    def local(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    return json.dumps({
        "admin": {"address": {"pipe": {"path": str(root / "admin.sock")}}},
        "static_resources": {
            "listeners": [{
                "name": "l", "address": local(port),
                "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
            }],
            "clusters": [
                _cluster("authz", root / "authz" / "s"),
                _cluster("proc", root / "proc" / "s"),
                _cluster("observe", root / "observe" / "s"),
                {"name": "web", "load_assignment": _endpoints("web", local(upstream))},
            ],
        },
    })  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Scene:
    port: int
    web: gate.Server
    authorizer: Authorizer
    sessions: list[Processor]
    watchers: list[Watcher]
    authz: server.CalloutServer
    proc: server.CalloutServer
    on_purpose: int = 0
    """Failures of the handler that tests made."""

    async def ask(self, *headers: str, body: bytes = b"a body") -> gate.Answer:
        lines = ["POST /x HTTP/1.1", "host: t", f"content-length: {len(body)}", *headers, "", ""]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write("\r\n".join(lines).encode() + body)
            async with asyncio.timeout(gate.DEADLINE_S):
                return await gate.read_answer(reader)
        finally:
            writer.close()
            await writer.wait_closed()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with contextlib.AsyncExitStack() as stack:
        root = tmp_path_factory.mktemp("co")
        web = await stack.enter_async_context(gate.serving("web"))
        authorizer, sessions, port = Authorizer(), list[Processor](), free_port()
        check = service.Service(
            name="envoy.service.auth.v3.Authorization",
            methods={"Check": service.Unary(authorizer.answer)},
        )
        process = service.Service(
            name="envoy.service.ext_proc.v3.ExternalProcessor",
            methods={"Process": service.Streaming(lambda stream: Processor(stream, sessions))},
        )
        authz = await stack.enter_async_context(server.serving(root / "authz" / "s", check))
        watchers: list[Watcher] = []
        watch = service.Service(
            name="envoy.service.ext_proc.v3.ExternalProcessor",
            methods={"Process": service.Streaming(lambda stream: Watcher(stream, watchers))},
        )
        watching = await stack.enter_async_context(server.serving(root / "observe" / "s", watch))
        processing = await stack.enter_async_context(server.serving(root / "proc" / "s", process))
        settings = envoy_process.LocalSettings(
            binary=(await envoy_process.find_envoy()).path,
            bootstrap=_bootstrap(root, port, web.port),
            run_dir=root,
            admin=root / "admin.sock",
            concurrency=1,
        )
        envoy = await stack.enter_async_context(
            envoy_process.LocalEnvoy(settings, clock=SystemClock(), observer=lambda _event: None)
        )
        await envoy.wait_ready()
        made = Scene(
            port=port, web=web, authorizer=authorizer, sessions=sessions, authz=authz,
            proc=processing, watchers=watchers,
        )  # fmt: skip
        yield made
        for side in (authz, processing, watching):
            assert not side.counts.faults
        assert authz.counts.handler_errors == made.on_purpose


async def test_a_request_passes_both(scene: Scene) -> None:
    answer = await scene.ask()
    assert answer.server == "web"
    (seen,) = scene.web.take()
    assert seen.values("x-processed") == ["yes"]
    assert seen.body == b"A BODY"


async def test_a_refusal_reaches_the_caller_and_not_the_server(scene: Scene) -> None:
    scene.sessions.clear()
    answer = await scene.ask("x-deny: 1")
    assert (answer.status, answer.server) == (403, None)
    assert scene.web.take() == []
    assert scene.sessions == []


async def test_a_large_body_comes_whole_and_in_order(scene: Scene) -> None:
    scene.sessions.clear()
    body = b"".join(b"%07d\n" % n for n in range(200_000))
    assert (await scene.ask(body=body)).status == 200
    (session,) = scene.sessions
    assert session.body == body
    (seen,) = scene.web.take()
    assert seen.body == body.upper()


async def test_many_at_once_are_answered_in_batches(scene: Scene) -> None:
    scene.authorizer.batches.clear()
    answers = await asyncio.gather(*(scene.ask(body=b"%d" % n) for n in range(100)))
    assert {answer.status for answer in answers} == {200}
    assert sorted(seen.body for seen in scene.web.take()) == sorted(b"%d" % n for n in range(100))
    assert sum(scene.authorizer.batches) == 100


async def test_streams_end_when_the_gate_has_ended_them(scene: Scene) -> None:
    scene.sessions.clear()
    await scene.ask()
    async with asyncio.timeout(gate.DEADLINE_S):
        while scene.proc.open_calls:  # noqa: ASYNC110  # Envoy does not say when it ends a stream
            await asyncio.sleep(0.01)
    (session,) = scene.sessions
    assert session.ended != session.cancelled


async def test_a_handler_that_fails_closes_the_gate(scene: Scene) -> None:
    scene.on_purpose += 1
    scene.web.take()
    scene.authorizer.is_broken = True
    try:
        answer = await scene.ask()
    finally:
        scene.authorizer.is_broken = False
    assert answer.status == 503
    assert scene.web.take() == []
    assert (await scene.ask()).status == 200
    scene.web.take()


async def test_bodies_are_observed_whole(scene: Scene) -> None:
    """Envoy resets these streams itself; what came before is kept."""
    scene.watchers.clear()
    bodies = [b"%05d" % n * 20_000 for n in range(20)]
    answers = await asyncio.gather(*(scene.ask(body=body) for body in bodies))
    assert {answer.status for answer in answers} == {200}
    async with asyncio.timeout(gate.DEADLINE_S):
        while len(scene.watchers) < 20 or not all(w.has_ended for w in scene.watchers):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert sorted(watcher.request for watcher in scene.watchers) == [
        body.upper() for body in bodies
    ]
    assert {watcher.response for watcher in scene.watchers} == {b"web"}
    scene.web.take()


async def test_a_server_that_drains_closes_the_gate(scene: Scene) -> None:
    await scene.authz.drain(gate.DEADLINE_S)
    assert scene.authz.open_connections == 0
    assert (await scene.ask()).status == 503
    assert scene.web.take() == []
    assert not scene.authz.counts.faults
