"""The HTTPS edge of the review: who may ask, how much, how long; and what it counted.

A webhook is reachable by whoever reaches its port, so: the API server's client certificate where the
cluster offers one, bounds on body, waiting and time, nothing rendered, nothing executed. Without a
client certificate anybody can write any name into a review, so no name from it reaches the witness. One thread judges, one question at a time; the loop stays free. Whatever goes wrong is a
refusal (`failurePolicy: Fail` makes one of every other answer). The edge of one call is one of the
three places that catch everything.
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
from typing import Final

import uvicorn
from cryptography import x509
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatereeve.admission import admission_review
from gatereeve.admission.guards.webhook import REVIEW_PATH, STAMP_PATH, TIMEOUT_S
from gatereeve.admission.review import ReviewVerdict, review, stamp
from gatereeve.admission.webhook_connections import protocol
from gatereeve.admission.world_subset import WorldIndex
from gatereeve.core.errors import SettingsError
from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock, Witness

_LOG = EventLog(__name__)

DEADLINE_S: Final = TIMEOUT_S - 0.5
"""Of one review, from its first byte: ours is told before the API server gives up."""
REQUEST_S: Final = TIMEOUT_S - 0.25
"""Of one request, head and body: later its connection ends, whatever the client still sends."""
MAX_WAITING: Final = 64
BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 2.5)

OUTCOMES: Final = ("allowed", "refused", "malformed", "busy", "late", "failed")
"""Of a review. failed: a defect of ours, refused."""


@dataclass(slots=True)
class Counts:
    """What the edge counted since it started. buckets: seconds, cumulative only when told."""

    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    seconds: float = 0.0

    def took(self, outcome: str, seconds: float) -> None:
        self.outcomes[outcome] += 1
        self.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self.seconds += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM of the serving certificate and its key.

    clients: PEM of the authority of the API server's client certificate; b"" when the cluster offers
    none, and then none is asked for. names: of which the client's certificate must have one, as its
    common name, a DNS name or a URI; () for any certificate of that authority.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    clients: bytes = b""
    names: frozenset[str] = frozenset()


class AdmissionServer:
    """Answers reviews against the newest `WorldIndex`.

    seen: what the replica last read, None before the first World. witness: hears of deletions, from
    clients that showed the API server's certificate and from no others.
    """

    def __init__(
        self, seen: Callable[[], WorldIndex | None], witness: Witness, clock: Clock
    ) -> None:
        self._seen = seen
        self._witness = witness
        self._clock = clock
        self._thread = _one_thread()
        self._waiting = 0
        self._context: ssl.SSLContext | None = None
        self._shown = Tls(certificate=b"", key=b"")
        self._reopen = asyncio.Event()
        self.counts = Counts()
        self.expires: datetime | None = None

    @property
    def app(self) -> Starlette:
        """The routes; for serving without TLS only in tests."""
        return Starlette(
            routes=[
                Route(REVIEW_PATH, self._review, methods=["POST"]),
                Route(STAMP_PATH, self._stamp, methods=["POST"]),
                Route("/healthz", _healthy, methods=["GET"]),
            ]
        )

    def renew(self, tls: Tls, scratch: Path) -> None:
        """Show this certificate from the next handshake on. scratch: a private directory.

        What cannot be used changes nothing and raises SettingsError. When it changes which clients
        may ask, all connections end and the port opens again for the new ones.
        """
        fresh = _loaded(tls, scratch)  # in a context of its own first: half a change would be none
        asks = (tls.clients, tls.names) != (self._shown.clients, self._shown.names)
        if self._context is None or asks:
            self._context = fresh
            self._reopen.set()
        else:
            _load(self._context, tls, scratch)
        self._shown = tls
        leaf = x509.load_pem_x509_certificate(tls.certificate)
        self.expires = leaf.not_valid_after_utc

    async def serve(self, place: socket.socket) -> None:
        """Serve on a bound socket, and close it when cancelled. `renew` first: RuntimeError without."""
        # asyncio does this only for sockets that were made with their protocol; without it the end
        # of an answer waits some 40 ms for the other side to acknowledge its beginning.
        place.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                self._reopen.clear()
                await self._serve_until_reopened(place)
        finally:
            place.close()
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = _one_thread()  # it may be served again

    async def _serve_until_reopened(self, place: socket.socket) -> None:
        server = uvicorn.Server(self._config())
        # Not `serve`, which would take over the signals: ours are in `runtime`. It closes its socket.
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
            http=protocol(self._shown.names, REQUEST_S),
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
        return await self._answered(request, self._judge)

    async def _stamp(self, request: Request) -> Response:
        return await self._answered(request, lambda asked: ReviewVerdict(answer=stamp(asked)))

    async def _answered(
        self, request: Request, judge: Callable[[admission_review.ReviewRequest], ReviewVerdict]
    ) -> Response:
        began = self._clock.monotonic()
        outcome, response = "failed", Response(status_code=500)
        if self._waiting >= MAX_WAITING:
            self.counts.took("busy", 0.0)
            return PlainTextResponse("too many reviews at once; try again\n", status_code=503)
        self._waiting += 1
        try:
            async with asyncio.timeout(DEADLINE_S):
                outcome, response = await self._once(request, judge)
        except TimeoutError:
            outcome = "late"
            response = PlainTextResponse("the review took too long; try again\n", status_code=503)
        except ClientDisconnect:
            outcome = "malformed"
        except Exception:  # noqa: BLE001 - the edge of one call is one of the three catch-alls
            _LOG.exception("review_failed", consequence="the change is refused")
            response = PlainTextResponse("the review failed\n", status_code=500)
        finally:
            self._waiting -= 1
            self.counts.took(outcome, self._clock.monotonic() - began)
        return response

    async def _once(
        self, request: Request, judge: Callable[[admission_review.ReviewRequest], ReviewVerdict]
    ) -> tuple[str, Response]:
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/json":
            return "malformed", PlainTextResponse("only JSON is read\n", status_code=415)
        body = await _body(request)
        if body is None:
            return "malformed", PlainTextResponse("the review is too large\n", status_code=413)
        loop = asyncio.get_running_loop()
        try:
            asked, verdict = await loop.run_in_executor(self._thread, _judged, body, judge)
        except admission_review.NotAReviewError as error:
            return "malformed", PlainTextResponse(f"{error}\n", status_code=400)
        if verdict.deleted is not None and self._shown.clients:
            self._witness.deleted(verdict.deleted, asked.user.username)
        self.counts.codes.update(cause.code for cause in verdict.answer.causes)
        return (
            "allowed" if verdict.answer.allowed else "refused",
            Response(admission_review.answer(verdict.answer), media_type="application/json"),
        )

    def _judge(self, asked: admission_review.ReviewRequest) -> ReviewVerdict:
        return review(asked, self._seen())


def _one_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="review")


def _judged(
    body: bytes, judge: Callable[[admission_review.ReviewRequest], ReviewVerdict]
) -> tuple[admission_review.ReviewRequest, ReviewVerdict]:
    """In the thread: reading a hostile body costs as much as judging a good one."""
    asked = admission_review.question(body)
    return asked, judge(asked)


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _body(request: Request) -> bytes | None:
    """At most MAX_BYTES; None for more, without reading it."""
    told = request.headers.get("content-length", "0")
    if not told.isdecimal() or int(told[:12]) > admission_review.MAX_BYTES:
        return None
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > admission_review.MAX_BYTES:
            return None
    return bytes(found)


def _loaded(tls: Tls, scratch: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _load(context, tls, scratch)
    if tls.clients:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load(context: ssl.SSLContext, tls: Tls, scratch: Path) -> None:
    """Python's ssl reads certificates from files only; these are gone when this returns."""
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
            "the webhook's certificate, or the authority of its clients, cannot be used",
            hint="look at its Secret, and at the file of --webhook-clients",
        ) from error
