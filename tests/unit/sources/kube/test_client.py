"""The door: every error is ours and says what to do; nothing of the libraries beneath gets out."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
from lightkube.core.exceptions import ConfigError

from gatereeve.core import errors
from gatereeve.sources.kube import resources
from gatereeve.sources.kube.access import InCluster, Kubeconfig
from gatereeve.sources.kube.client import ApiClient, ClientLimits, ListScope
from gatereeve.sources.kube.connection import Connection
from tests.support import keys
from tests.support.apiserver import Fault, serving
from tests.unit.sources.kube.harness import INGRESS, LIST, MODEL, client_of, ingress

INGRESSES = resources.of_kind(INGRESS)
SCOPE = ListScope(resource=INGRESSES)


async def drain(client: ApiClient) -> None:
    async with client.watch(SCOPE, version="1", timeout_s=300) as stream:
        async for _ in stream:
            pass


CALLS: dict[str, Callable[[ApiClient], Awaitable[object]]] = {
    "page": lambda c: c.page(SCOPE, limit=1),
    "watch": drain,
    "get": lambda c: c.get(INGRESSES, "web", "a"),
    "create": lambda c: c.create(INGRESSES, "web", ingress("b")),
    "update": lambda c: c.update(INGRESSES, "web", "a", ingress("a")),
    "apply": lambda c: c.apply(INGRESSES, "web", "a", ingress("a"), sub="status"),
    "merge": lambda c: c.merge(INGRESSES, "web", "a", {}),
    "delete": lambda c: c.delete(INGRESSES, "web", "a"),
    "is_allowed": lambda c: c.is_allowed("list", INGRESSES),
    "find": lambda c: c.find(MODEL),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("status", "kind", "retry"),
    [
        (400, errors.ApiError, False),
        (401, errors.ApiRefusedError, True),
        (403, errors.ApiRefusedError, True),
        (409, errors.ApiConflictError, False),
        (410, errors.ApiExpiredError, True),
        (422, errors.ApiError, False),
        (429, errors.ApiUnavailableError, True),
        (500, errors.ApiUnavailableError, True),
        (503, errors.ApiUnavailableError, True),
    ],
)
async def test_every_answer_is_one_of_our_errors(
    tmp_path: Path, call: str, status: int, kind: type[errors.ApiError], retry: bool
) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put(ingress("a"))
        server.faults.append(Fault(status=status, times=5))
        with pytest.raises(errors.ApiError) as caught:
            await CALLS[call](client)
        assert type(caught.value) is kind
        assert caught.value.status == status
        assert caught.value.retry is retry


TRANSPORT = [
    httpx2.ConnectError("x"), httpx2.ConnectTimeout("x"), httpx2.ReadError("x"),
    httpx2.ReadTimeout("x"), httpx2.WriteError("x"), httpx2.PoolTimeout("x"),
    httpx2.RemoteProtocolError("x"), httpx2.DecodingError("x"), httpx2.TooManyRedirects("x"),
    httpx2.UnsupportedProtocol("x"), httpx2.StreamError("x"), httpx2.InvalidURL("x"),
    ConfigError("x"), OSError("x"), ssl.SSLError("x"), TimeoutError("x"), KeyError("token"),
    ValueError("x"),
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
async def test_no_error_of_the_libraries_leaks(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        for error in TRANSPORT:

            async def fail(*_: object, error: Exception = error, **__: object) -> object:
                raise error

            monkeypatch.setattr(httpx2.AsyncClient, "send", fail)
            with pytest.raises(errors.ApiUnavailableError) as caught:
                await CALLS[call](client)
            assert caught.value.__cause__ is error
            assert caught.value.hint


@pytest.mark.parametrize("call", sorted(CALLS.keys() - {"watch"}))
@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"\xff\xfe", b"[" * 100_000])
async def test_an_answer_that_is_none_is_an_error(tmp_path: Path, call: str, body: bytes) -> None:
    if call == "get":  # bytes are its answer; who asked decodes them
        return
    async with serving() as server, client_of(server, tmp_path) as client:
        server.faults.append(Fault(status=200, body=body))
        with pytest.raises(errors.ApiUnavailableError):
            await CALLS[call](client)


async def test_a_server_that_says_nothing_is_left(tmp_path: Path) -> None:
    limits = ClientLimits(request_s=0.05, page_s=0.05, inactivity_s=0.05)
    never = asyncio.Event()
    async with serving() as server, client_of(server, tmp_path, limits=limits) as client:
        server.faults.append(Fault(delay=never, times=100))
        for call in CALLS.values():
            with pytest.raises(errors.ApiUnavailableError):
                await call(client)


async def test_a_cut_connection_is_an_error(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.faults.append(Fault(cut=True, times=100))
        for call in CALLS.values():
            with pytest.raises(errors.ApiUnavailableError):
                await call(client)


async def test_what_we_may_do_can_be_asked(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        assert await client.is_allowed("list", INGRESSES)
        server.denied.add(("list", "ingresses"))
        assert not await client.is_allowed("list", INGRESSES)


async def test_an_apply_that_is_refused_has_a_reason(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.faults.append(
            Fault(
                status=429,
                reason="TooManyRequests",
                message="slow down",
                headers={"Retry-After": "7"},
            )
        )
        with pytest.raises(
            errors.ApiUnavailableError, match=r"list ingresses.*slow down"
        ) as caught:
            await client.page(SCOPE, limit=1)
        assert (caught.value.reason, caught.value.retry_after_s) == ("TooManyRequests", 7.0)


# configuration


def test_a_missing_configuration_is_a_setting(tmp_path: Path) -> None:
    for access in (
        Kubeconfig(path=tmp_path / "nowhere"),
        InCluster(host="10.0.0.1", port=443, directory=tmp_path),
    ):
        with pytest.raises(errors.SettingsError) as caught:
            ApiClient(access)
        assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    ["", "a: [", "[]", "{}", "clusters: []\ncontexts: []\ncurrent-context: x", "clusters: 1"],
)
def test_a_bad_kubeconfig_is_a_setting(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(errors.SettingsError):
        ApiClient(Kubeconfig(path=tmp_path / "config"))


async def test_a_context_is_chosen_by_name(tmp_path: Path) -> None:
    async with serving() as server:
        path = server.kubeconfig(tmp_path / "config")
        client = ApiClient(Kubeconfig(path=path, context="test"))
        assert client.server == f"http://127.0.0.1:{server.port}"
        await client.aclose()
        with pytest.raises(errors.SettingsError, match="other"):
            ApiClient(Kubeconfig(path=path, context="other"))


async def test_a_changed_kubeconfig_is_read_again(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put(ingress("a"))
        await client.get(INGRESSES, "web", "a")
        server.tokens = {"another"}
        with pytest.raises(errors.ApiRefusedError):
            await client.get(INGRESSES, "web", "a")
        (tmp_path / "kubeconfig").write_text("half writ")
        with pytest.raises(errors.ApiRefusedError):
            await client.get(INGRESSES, "web", "a")
        server.kubeconfig(tmp_path / "kubeconfig", token="another")
        await client.get(INGRESSES, "web", "a")


async def test_what_is_under_way_outlives_a_changed_configuration(tmp_path: Path) -> None:
    async with (
        serving() as server,
        client_of(server, tmp_path) as client,
        client.watch(SCOPE, version=str(server.version), timeout_s=300) as stream,
    ):
        server.kubeconfig(tmp_path / "kubeconfig", token="another")
        server.tokens.add("another")
        await client.page(SCOPE, limit=1)
        assert server.requests[-1].headers["authorization"] == "Bearer another"
        server.put(ingress("a"))
        async with asyncio.timeout(10):
            (event,) = await anext(stream)
        assert event.item is not None
        assert event.item.key == ("web", "a")


async def test_a_changed_authority_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one")
    (tmp_path / "ca.crt").write_text(keys.Authority("one").certificate)
    connection = Connection(InCluster(host="fd00::1", port=443, directory=tmp_path))
    assert connection.server == "https://[fd00::1]"
    async with connection.http() as first:
        pass
    async with connection.http() as same:
        assert same is first
        (tmp_path / "ca.crt").write_text("half writ")
        async with connection.http() as kept:
            assert kept is first
        (tmp_path / "ca.crt").write_text(keys.Authority("two").certificate)
        async with connection.http() as second:
            assert second is not first
        assert not first.is_closed
    assert first.is_closed
    await connection.aclose()


async def test_a_refused_token_is_read_again_at_once(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    async with serving() as server, client_of(server, tmp_path, token_file=token) as client:
        server.tokens = {"one"}
        server.put(ingress("a"))
        await client.get(INGRESSES, "web", "a")
        token.write_text("two")
        server.tokens = {"two"}
        await client.get(INGRESSES, "web", "a")
        token.unlink()
        await client.get(INGRESSES, "web", "a")
        assert len(server.asked("GET", f"{LIST.replace('/ingresses', '')}/namespaces/web/ingresses/a")) == 3  # fmt: skip


async def test_names_are_quoted(tmp_path: Path) -> None:
    assert INGRESSES.path("a/b", "../c").endswith("/namespaces/a%2Fb/ingresses/..%2Fc")
    assert INGRESSES.path() == "/apis/networking.k8s.io/v1/ingresses"
