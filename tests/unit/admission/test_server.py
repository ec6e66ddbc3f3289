"""The HTTPS edge: who may ask, bounds, deadlines, renewal; every oddity gets 4xx or a refusal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from gatereeve.admission import admission_review, world_subset
from gatereeve.admission import server as edge
from gatereeve.admission.server import AdmissionServer, Tls
from gatereeve.core.errors import SettingsError
from gatereeve.core.refs import Ref
from gatereeve.runtime.supervise import SystemClock
from tests.cluster.certificates import Authority
from tests.support.reviews import body
from tests.support.worlds import world_of
from tests.unit.admission.test_review import ALL, MODEL, approval

JSON = {"content-type": "application/json"}


class Heard:
    """A witness that remembers."""

    def __init__(self) -> None:
        self.deletions: list[tuple[Ref, str]] = []

    def deleted(self, ref: Ref, by: str) -> None:
        self.deletions.append((ref, by))


@pytest.fixture
def seen() -> world_subset.WorldIndex:
    return world_subset.index_world(world_of(*ALL))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "ca")
    made.create()
    return made


def certificate(
    authority: Authority,
    name: str = "webhook",
    *,
    clients: bool = False,
    names: tuple[str, ...] = (),
) -> Tls:
    crt, key = authority.issue(name, user=name, dns=("localhost",), addresses=("127.0.0.1",))
    trust = authority.certificate.read_bytes() if clients else b""
    return Tls(
        certificate=crt.read_bytes(), key=key.read_bytes(), clients=trust, names=frozenset(names)
    )


@asynccontextmanager
async def serving(server: AdmissionServer) -> AsyncIterator[str]:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        place.listen()
        task = asyncio.create_task(server.serve(place))
        try:
            yield f"https://127.0.0.1:{place.getsockname()[1]}"
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


def client(authority: Authority, shown: tuple[Path, Path] | None = None) -> httpx2.AsyncClient:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if shown is not None:
        context.load_cert_chain(*shown)
    return httpx2.AsyncClient(verify=context, trust_env=False, timeout=20)


def plain_client(server: AdmissionServer) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=server.app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://review", headers=JSON)


def made(seen: world_subset.WorldIndex | None) -> AdmissionServer:
    return AdmissionServer(lambda: seen, Heard(), SystemClock())


async def test_a_review_over_tls(
    seen: world_subset.WorldIndex, authority: Authority, tmp_path: Path
) -> None:
    heard = Heard()
    server = AdmissionServer(lambda: seen, heard, SystemClock())
    server.renew(certificate(authority), tmp_path)
    async with serving(server) as url, client(authority) as api:
        allowed = await api.post(f"{url}/review", content=body(approval("olga")), headers=JSON)
        refused = await api.post(f"{url}/review", content=body(approval("mia")), headers=JSON)
        gone = body(None, old=MODEL, operation="DELETE", user="petra")
        await api.post(f"{url}/review", content=gone, headers=JSON)
        stamped = await api.post(f"{url}/stamp", content=body(MODEL), headers=JSON)
        health = await api.get(f"{url}/healthz")

    assert allowed.json()["response"]["allowed"] is True
    answer = refused.json()["response"]
    assert answer["allowed"] is False
    assert answer["uid"] == "705ab4f5-6393-11e8-b7cc-42010a800002"
    assert answer["status"]["details"]["causes"][0]["reason"] == "approval-self"
    assert heard.deletions == []  # anybody could have written the name
    assert stamped.json()["response"]["patchType"] == "JSONPatch"
    assert health.status_code == 200
    assert server.counts.outcomes == {"allowed": 3, "refused": 1}
    assert server.counts.codes == {"approval-self": 1}
    assert sum(server.counts.buckets) == 4
    assert server.expires is not None


async def test_only_who_shows_the_right_certificate_may_ask(
    seen: world_subset.WorldIndex, authority: Authority, tmp_path: Path
) -> None:
    heard = Heard()
    server = AdmissionServer(lambda: seen, heard, SystemClock())
    server.renew(certificate(authority, clients=True, names=("kube-apiserver",)), tmp_path)
    apiserver = authority.issue("apiserver", user="kube-apiserver")
    stranger = Authority(tmp_path / "other")
    stranger.create()
    foreign = stranger.issue("apiserver", user="kube-apiserver")
    node = authority.issue("node", user="system:node:n1", dns=("kube-apiserver.example",))
    gone = body(None, old=MODEL, operation="DELETE", user="petra")
    async with serving(server) as url:
        async with client(authority, apiserver) as api:
            answer = await api.post(f"{url}/review", content=gone, headers=JSON)
            assert answer.status_code == 200
        assert heard.deletions == [(Ref("gatereeve.dev", "Model", "shop", "offers"), "petra")]
        for shown in (None, foreign, node):
            async with client(authority, shown) as api:
                with pytest.raises(httpx2.HTTPError):
                    await api.post(f"{url}/review", content=gone, headers=JSON)
    assert len(heard.deletions) == 1
    assert server.counts.outcomes == {"allowed": 1}


async def test_another_authority_of_clients_ends_the_connections_of_the_old_one(
    seen: world_subset.WorldIndex, authority: Authority, tmp_path: Path
) -> None:
    later = Authority(tmp_path / "later")
    later.create()
    server = made(seen)
    server.renew(certificate(authority, clients=True), tmp_path)
    old, new = (one.issue("apiserver", user="kube-apiserver") for one in (authority, later))
    async with serving(server) as url, client(authority, old) as api:
        assert (
            await api.post(f"{url}/stamp", content=body(MODEL), headers=JSON)
        ).status_code == 200
        own = certificate(authority, "own")
        trust = later.certificate.read_bytes()
        server.renew(Tls(certificate=own.certificate, key=own.key, clients=trust), tmp_path)

        async def is_refused() -> bool:
            try:
                await api.post(f"{url}/stamp", content=body(MODEL), headers=JSON)
            except httpx2.HTTPError:
                return True
            return False

        async with asyncio.timeout(10):
            while not await is_refused():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
        async with client(authority, new) as other:
            answer = await other.post(f"{url}/stamp", content=body(MODEL), headers=JSON)
            assert answer.status_code == 200


HEAD = b"POST /review HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UNENDING: tuple[tuple[str, bytes, bytes, bytes], ...] = (
    ("slow chunks", CHUNKED, b"1\r\n \r\n", b"503"),
    ("slow body", HEAD + b"Content-Length: 100000\r\n\r\n", b" ", b"503"),
    ("slow head", HEAD + b"A: ", b"b", b""),
    ("large chunks", CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n", b"413"),
    ("large body", HEAD + b"Content-Length: 100000000\r\n\r\n", b" " * 65536, b"413"),
    ("elsewhere", CHUNKED.replace(b"/review", b"/other"), b"10000\r\n" + b" " * 65536 + b"\r\n", b"404"),
)  # fmt: skip


@pytest.mark.parametrize(("head", "piece", "status"), [one[1:] for one in UNENDING],
                         ids=[one[0] for one in UNENDING])  # fmt: skip
async def test_a_request_without_end_ends_with_its_connection(
    seen: world_subset.WorldIndex, authority: Authority, tmp_path: Path,
    head: bytes, piece: bytes, status: bytes,
) -> None:  # fmt: skip
    server = made(seen)
    server.renew(certificate(authority), tmp_path)
    context = ssl.create_default_context(cafile=str(authority.certificate))
    async with serving(server) as url:
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)

        async def send() -> None:
            writer.write(head)
            while True:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)

        sending = asyncio.create_task(send())
        answer = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(30):  # without the bound it never ends
                while part := await reader.read(4096):
                    answer += part
        sending.cancel()
        writer.transport.abort()
        await asyncio.gather(sending, return_exceptions=True)
    assert answer[9:12] == status


async def test_a_certificate_is_renewed_without_a_restart(
    seen: world_subset.WorldIndex, authority: Authority, tmp_path: Path
) -> None:
    server = made(seen)
    server.renew(certificate(authority), tmp_path)

    async def serial(url: str) -> int:
        port = int(url.rpartition(":")[2])
        context = ssl.create_default_context(cafile=str(authority.certificate))
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        shown = writer.get_extra_info("ssl_object").getpeercert()
        writer.close()
        await writer.wait_closed()
        return int(shown["serialNumber"], 16)

    async with serving(server) as url:
        first = await serial(url)
        server.renew(certificate(authority, "renewed"), tmp_path)
        second = await serial(url)
        torn = Tls(
            certificate=certificate(authority, "a").certificate,
            key=certificate(authority, "b").key,
        )
        with pytest.raises(SettingsError):
            server.renew(torn, tmp_path)
        with pytest.raises(SettingsError):
            server.renew(Tls(certificate=b"no", key=b"pem"), tmp_path)
        third = await serial(url)

    assert first != second == third
    assert not leftovers(tmp_path)


def leftovers(folder: Path) -> list[Path]:
    """Keys that were written to be read once."""
    return list(folder.glob("tmp*"))


def deep(levels: int) -> bytes:
    return body(MODEL).replace(
        b'"oldObject": null', b'"oldObject": ' + b"[" * levels + b"]" * levels
    )


BAD: tuple[tuple[bytes, int], ...] = (
    (b"", 400),
    (b"null", 400),
    (b"[]", 400),
    (b"{", 400),
    (b'"AdmissionReview"', 400),
    (b"\xff\xfe\x00", 400),
    (b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}', 400),
    (body(MODEL).replace(b"admission.k8s.io/v1", b"admission.k8s.io/v1beta1"), 400),
    (body(MODEL).replace(b"AdmissionReview", b"SubjectAccessReview"), 400),
    (body(MODEL, uid=""), 400),
    (body(MODEL, uid=7), 400),
    (body(MODEL, uid="u" * 1000), 400),
    (body(MODEL, kind="Model"), 400),
    (body(MODEL, userInfo=None), 400),
    (body(MODEL, userInfo={"username": ["x"]}), 400),
    (body(MODEL, object="text"), 400),
    (body(MODEL, object=[1]), 400),
    (body(MODEL, dryRun="perhaps"), 400),
    (deep(100), 400),
    (deep(100_000), 400),
    (deep(1_500_000), 400),
    (body(MODEL, object={"a": [0] * 600_000}), 400),
    (b"{" + b" " * admission_review.MAX_BYTES, 413),
)


@pytest.mark.parametrize(("sent", "status"), BAD, ids=range(len(BAD)))
async def test_what_is_no_review_is_refused(
    seen: world_subset.WorldIndex, sent: bytes, status: int
) -> None:
    server = made(seen)
    async with plain_client(server) as api:
        for path in ("/review", "/stamp"):
            answer = await api.post(path, content=sent)
            assert answer.status_code == status, answer.text
            assert len(answer.content) < 200
    assert server.counts.outcomes["malformed"] == 2
    assert server.counts.outcomes["failed"] == 0


async def test_other_media_methods_and_places(seen: world_subset.WorldIndex) -> None:
    async with plain_client(made(seen)) as api:
        text = {"content-type": "text/plain"}
        assert (await api.post("/review", content=body(MODEL), headers=text)).status_code == 415
        assert (await api.get("/review")).status_code == 405
        assert (await api.post("/elsewhere", content=body(MODEL))).status_code == 404


async def test_a_body_without_end_is_cut_off(seen: world_subset.WorldIndex) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 1024 * 1024

    async with plain_client(made(seen)) as api:
        answer = await api.post("/review", content=endless())
    assert answer.status_code == 413
    assert sent <= admission_review.MAX_BYTES // 1024 // 1024 + 2


async def test_bytes_bent_at_random_never_crash_it(seen: world_subset.WorldIndex) -> None:
    draw = random.Random("reviews")
    server = made(seen)
    whole = body(approval("mia"), old=approval("olga"))
    async with plain_client(server) as api:
        for _ in range(400):
            bent = bytearray(whole)
            for _ in range(draw.randint(1, 6)):
                at = draw.randrange(len(bent))
                bent[at : at + draw.choice((0, 1, 1, 20))] = draw.choice(
                    (b"", b"}", b"null", b'"', b"\\ud800", b"-1e999", bytes([draw.randrange(256)]))
                )
            answer = await api.post("/review", content=bytes(bent))
            assert answer.status_code in (200, 400), answer.status_code
            if answer.status_code == 200:
                assert isinstance(answer.json()["response"]["allowed"], bool)
    assert server.counts.outcomes["failed"] == 0


async def test_values_bent_at_random_never_crash_it(seen: world_subset.WorldIndex) -> None:
    """Well-formed reviews of objects whose every value may be of any type."""
    draw = random.Random("values")
    server = made(seen)
    pool: list[object] = [
        None,
        True,
        -1,
        2**70,
        1.5,
        "",
        "x" * 5000,
        "\u0000",
        [],
        {},
        [[]],
        {"a": {}},
    ]

    def bend(value: object) -> object:
        if draw.random() < 0.06:
            return draw.choice(pool)
        if isinstance(value, dict):
            return {k: bend(v) for k, v in value.items()}
        return [bend(v) for v in value] if isinstance(value, list) else value

    from tests.support.reviews import plain  # noqa: PLC0415 - only here
    from tests.unit.admission.test_review import ingress  # noqa: PLC0415

    documents = [plain(text) for text in (MODEL, approval(), ingress("offers"), ingress("hidden"))]
    async with plain_client(server) as api:
        for _ in range(400):
            document = draw.choice(documents)
            bent = bend({**document})
            kind = {"group": document["apiVersion"].rpartition("/")[0],
                    "version": document["apiVersion"].rpartition("/")[2], "kind": document["kind"]}  # fmt: skip
            sent = json.dumps(
                {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                 "request": {"uid": "u", "kind": kind, "operation": "CREATE",
                             "userInfo": {"username": "mia"}, "object": bent}}
            )  # fmt: skip
            answer = await api.post("/review", content=sent)
            assert answer.status_code in (200, 400), (answer.status_code, bent)
    assert server.counts.outcomes["failed"] == 0


async def test_too_many_at_once_are_turned_away(seen: world_subset.WorldIndex) -> None:
    held = threading.Event()

    def slow() -> world_subset.WorldIndex:
        held.wait(10)
        return seen

    server = AdmissionServer(slow, Heard(), SystemClock())
    async with plain_client(server) as api:
        first = [
            asyncio.create_task(api.post("/review", content=body(MODEL)))
            for _ in range(edge.MAX_WAITING)
        ]
        await _until(lambda: server._waiting == edge.MAX_WAITING)
        turned_away = await api.post("/review", content=body(MODEL))
        held.set()
        answers = await asyncio.gather(*first)

    assert turned_away.status_code == 503
    assert {answer.status_code for answer in answers} == {200}
    assert server.counts.outcomes["busy"] == 1


async def test_what_takes_too_long_is_refused_before_the_api_server_gives_up(
    seen: world_subset.WorldIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "DEADLINE_S", 0.05)
    held = threading.Event()

    def stuck() -> world_subset.WorldIndex:
        held.wait(10)
        return seen

    server = AdmissionServer(stuck, Heard(), SystemClock())
    async with plain_client(server) as api:
        answer = await api.post("/review", content=body(MODEL))
        held.set()
    assert answer.status_code == 503
    assert server.counts.outcomes["late"] == 1


async def test_a_defect_of_ours_is_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> world_subset.WorldIndex:
        raise ZeroDivisionError

    server = AdmissionServer(broken, Heard(), SystemClock())
    async with plain_client(server) as api:
        answer = await api.post("/review", content=body(MODEL))
    assert answer.status_code == 500
    assert server.counts.outcomes["failed"] == 1
    assert "ZeroDivisionError" in caplog.text


async def test_without_a_certificate_it_does_not_serve(seen: world_subset.WorldIndex) -> None:
    with socket.socket() as place, pytest.raises(RuntimeError):
        await made(seen).serve(place)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - a number, which sets no event
            await asyncio.sleep(0)
