"""The HTTPS server of the webhook: which clients it answers, its limits, and its counters.

Every client that reaches the port can send requests, so the server checks the client certificate of the
API server if the cluster has one, and limits body size, queue length and time. Without a client
certificate the caller's name in a review is not trusted, so no deletion is reported. One thread reviews,
one request at a time. An error refuses the change (`failurePolicy: Fail`). The handler of one request is
one of the three places that catch every exception.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import uvicorn
from cryptography import x509
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatereeve.admission import admission_review
from gatereeve.admission.guards.webhook import REVIEW_PATH, STAMP_PATH, TIMEOUT_S
from gatereeve.admission.review import ReviewVerdict, review, stamp
from gatereeve.admission.webhook_connections import make_protocol
from gatereeve.admission.world_subset import WorldIndex
from gatereeve.core.errors import SettingsError
from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock, Witness

_LOG = EventLog(__name__)

Judge: TypeAlias = Callable[[admission_review.ReviewRequest], ReviewVerdict]

DEADLINE_S: Final = TIMEOUT_S - 0.5
"""For one review, from its first byte; shorter than the time-out of the API server."""
REQUEST_S: Final = TIMEOUT_S - 0.25
"""For the head and the body of one request; then the connection is closed."""
MAX_WAITING: Final = 64
BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 2.5)

OUTCOMES: Final = ("allowed", "refused", "malformed", "busy", "late", "failed")
"""Of a review. failed: refused because of an internal error."""


@dataclass(slots=True)
class Counts:
    """Counters since the start. buckets: a histogram of seconds, not cumulative."""

    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    seconds: float = 0.0

    def add(self, outcome: str, seconds: float) -> None:
        self.outcomes[outcome] += 1
        self.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self.seconds += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM of the serving certificate and its key.

    clients: PEM of the authority of the API server's client certificate; b"" if the cluster has none, and
    then none is required. names: the client's certificate must have one of them, as its common name, a
    DNS name or a URI; () for any certificate of that authority.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    clients: bytes = b""
    names: frozenset[str] = frozenset()


class AdmissionServer:
    """Answers reviews with the newest `WorldIndex`.

    get_index: returns it; None before the first World. witness: receives deletions, only from clients
    with the certificate of the API server.
    """

    def __init__(
        self, get_index: Callable[[], WorldIndex | None], witness: Witness, clock: Clock
    ) -> None:
        self._get_index = get_index
        self._witness = witness
        self._clock = clock
        self._thread = _start_thread()
        self._waiting = 0
        self._context: ssl.SSLContext | None = None
        self._tls = Tls(certificate=b"", key=b"")
        self._reopen = asyncio.Event()
        self.counts = Counts()
        self.expires: datetime | None = None

    @property
    def app(self) -> Starlette:
        """The routes. Only tests serve them without TLS."""
        return Starlette(
            routes=[
                Route(REVIEW_PATH, self._review, methods=["POST"]),
                Route(STAMP_PATH, self._stamp, methods=["POST"]),
                Route("/healthz", _check_health, methods=["GET"]),
            ]
        )

    def renew(self, tls: Tls, scratch: Path) -> None:
        """Use this certificate from the next handshake on. scratch: a private directory.

        Raises SettingsError, without effect, if it cannot be used. If other clients are allowed, all
        connections are closed and the port is opened again.
        """
        context = _make_context(tls, scratch)  # validates everything before a change
        has_new_clients = (tls.clients, tls.names) != (self._tls.clients, self._tls.names)
        if self._context is None or has_new_clients:
            self._context = context
            self._reopen.set()
        else:
            _load_certificates(self._context, tls, scratch)
        self._tls = tls
        leaf = x509.load_pem_x509_certificate(tls.certificate)
        self.expires = leaf.not_valid_after_utc

    async def serve(self, place: socket.socket) -> None:
        """Serve on a bound socket, and close it when cancelled. Raises RuntimeError before `renew`."""
        # asyncio sets it only for sockets with an explicit protocol. Without it the end of a response
        # waits about 40 ms for an acknowledgement of its beginning.
        place.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                self._reopen.clear()
                await self._serve_until_reopened(place)
        finally:
            place.close()
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = _start_thread()  # `serve` may be called again

    async def _serve_until_reopened(self, place: socket.socket) -> None:
        server = uvicorn.Server(self._config())
        # `serve` would install signal handlers; `runtime` has its own. It closes its socket.
        serving = asyncio.create_task(server._serve([place.dup()]), name="admission")  # noqa: SLF001
        reopened = asyncio.create_task(self._reopen.wait(), name="admission reopened")
        try:
            await asyncio.wait((serving, reopened), return_when=asyncio.FIRST_COMPLETED)
        finally:
            reopened.cancel()
            server.should_exit = True
            await serving

    def _config(self) -> uvicorn.Config:
        if self._context is None:
            raise RuntimeError("no certificate: call renew first")
        config = uvicorn.Config(
            self.app,
            http=make_protocol(self._tls.names, REQUEST_S),
            log_config=None,
            lifespan="off",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            limit_concurrency=1024,
        )
        config.load()
        config.ssl = self._context
        return config

    async def _review(self, request: Request) -> Response:
        return await self._handle(
            request, lambda review_request: review(review_request, self._get_index())
        )

    async def _stamp(self, request: Request) -> Response:
        return await self._handle(
            request, lambda review_request: ReviewVerdict(response=stamp(review_request))
        )

    async def _handle(self, request: Request, judge: Judge) -> Response:
        start = self._clock.monotonic()
        outcome, response = "failed", Response(status_code=500)
        if self._waiting >= MAX_WAITING:
            self.counts.add("busy", 0.0)
            return PlainTextResponse("too many reviews at once; try again\n", status_code=503)
        self._waiting += 1
        try:
            async with asyncio.timeout(DEADLINE_S):
                outcome, response = await self._read_and_judge(request, judge)
        except TimeoutError:
            outcome = "late"
            response = PlainTextResponse("the review took too long; try again\n", status_code=503)
        except ClientDisconnect:
            outcome = "malformed"
        except Exception:  # noqa: BLE001 - the handler of one request is one of the three catch-alls
            _LOG.exception("review_failed", consequence="the change is refused")
            response = PlainTextResponse("the review failed\n", status_code=500)
        finally:
            self._waiting -= 1
            self.counts.add(outcome, self._clock.monotonic() - start)
        return response

    async def _read_and_judge(self, request: Request, judge: Judge) -> tuple[str, Response]:
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/json":
            return "malformed", PlainTextResponse(
                "the content type must be application/json\n", status_code=415
            )
        body = await _read_body(request)
        if body is None:
            return "malformed", PlainTextResponse("the review is too large\n", status_code=413)
        loop = asyncio.get_running_loop()
        try:
            review_request, verdict = await loop.run_in_executor(
                self._thread, _judge_body, body, judge
            )
        except admission_review.NotAReviewError as error:
            return "malformed", PlainTextResponse(f"{error}\n", status_code=400)
        if verdict.deleted is not None and self._tls.clients:
            self._witness.deleted(verdict.deleted, review_request.user.username)
        answer = verdict.response
        self.counts.codes.update(cause.code for cause in answer.causes)
        content = admission_review.write_review(answer)
        return (
            "allowed" if answer.allowed else "refused",
            Response(content, media_type="application/json"),
        )


def _start_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="review")


def _judge_body(body: bytes, judge: Judge) -> tuple[admission_review.ReviewRequest, ReviewVerdict]:
    """Read and review a body. Runs in the thread, because reading a hostile body is slow, too."""
    review_request = admission_review.read_review(body)
    return review_request, judge(review_request)


async def _check_health(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _read_body(request: Request) -> bytes | None:
    """Return the body, or None if it has more than MAX_BYTES."""
    size = request.headers.get("content-length", "0")
    if not size.isdecimal() or int(size[:12]) > admission_review.MAX_BYTES:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > admission_review.MAX_BYTES:
            return None
    return bytes(body)


def _make_context(tls: Tls, scratch: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _load_certificates(context, tls, scratch)
    if tls.clients:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load_certificates(context: ssl.SSLContext, tls: Tls, scratch: Path) -> None:
    """Load the certificates through temporary files, because `ssl` reads certificates only from files."""
    try:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            certificate, key = Path(folder) / "tls.crt", Path(folder) / "tls.key"
            certificate.write_bytes(tls.certificate)
            key.touch(mode=0o600)
            key.write_bytes(tls.key)
            context.load_cert_chain(certificate, key)
        if tls.clients:
            context.load_verify_locations(cadata=tls.clients.decode())
    except (OSError, ValueError) as error:
        raise SettingsError(
            "the webhook's certificate or the authority of its clients cannot be used",
            hint="check its Secret and the file of --webhook-clients",
        ) from error
