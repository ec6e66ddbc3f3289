"""One guarded HTTPS GET of a small document whose address stands in a Gate.

The name is resolved here, every address is judged, and the connection goes to a judged address, so
a name cannot lead elsewhere after it was looked at. No redirects, no proxies of the environment, no
compression; bounded in bytes and time. Source: knowledge of ISTIO-SECURITY-2026-006 (JWKS as SSRF).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache

import certifi
import httpx2

from gatereeve.core import addresses
from gatereeve.core.addresses import Ip
from gatereeve.sources import tls_handshake

MAX_BYTES = 256 * 1024
TIMEOUT_S = 10.0
_MAX_ADDRESSES = 4

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to addresses, as text. Raises OSError when there are none."""


class FetchRefusedError(Exception):
    """The address may not be retrieved from; trying again does not help."""


class UnavailableError(Exception):
    """It did not work this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchTarget:
    """What to get. ca: PEM of the only authorities that count, None for the public ones."""

    uri: str
    allow_private: bool = False
    ca: bytes | None = None


async def system_resolve(host: str, port: int) -> list[str]:
    """The addresses of `host` as this machine resolves it, in its order of preference."""
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


async def fetch(target: FetchTarget, resolve: Resolve = system_resolve) -> bytes:
    """The body of a 200 answer, at most MAX_BYTES, within TIMEOUT_S.

    Raises RefusedError for a URI or address that is not allowed, UnavailableError for the rest.
    """
    url = _allowed_url(target)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            judged = await _addresses(url, target, resolve)
            return await _first(url, target, judged)
    except TimeoutError as error:
        raise UnavailableError(f"no complete answer within {TIMEOUT_S:.0f} s") from error


def is_public(address: Ip) -> bool:
    """Whether everybody may reach it: global unicast, and no service of a cloud's platform."""
    return is_reachable(address) and all(
        a.is_global and not a.is_reserved for a in addresses.meanings(address)
    )


def is_reachable(address: Ip) -> bool:
    """What may be reached when private addresses are allowed: never link-local or metadata."""
    return not addresses.is_forbidden(address)


def _allowed_url(target: FetchTarget) -> httpx2.URL:
    try:
        url = httpx2.URL(target.uri)
    except httpx2.InvalidURL as error:
        raise FetchRefusedError(f"it is no URL: {error}") from error
    if url.scheme != "https" and not (url.scheme == "http" and target.allow_private):
        raise FetchRefusedError("it is not https")
    if url.userinfo:
        raise FetchRefusedError("it holds a credential")
    if not url.host:
        raise FetchRefusedError("it names no host")
    return url


async def _addresses(url: httpx2.URL, target: FetchTarget, resolve: Resolve) -> list[Ip]:
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        texts = await resolve(url.raw_host.decode("ascii").strip("[]"), port)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{url.host} has no address") from error
    found = [address for text in texts if (address := addresses.parse(text)) is not None]
    judge = is_reachable if target.allow_private else is_public
    allowed = [address for address in found if judge(address)]
    if not allowed:
        kind = "an address that is never allowed" if target.allow_private else "a private address"
        raise FetchRefusedError(f"{url.host} leads to {kind}")
    return allowed[:_MAX_ADDRESSES]


async def _first(url: httpx2.URL, target: FetchTarget, judged: list[Ip]) -> bytes:
    """The answer of the first address that can be connected to."""
    verify = _trust(target.ca)
    problem = "it has no address"
    for address in judged:
        async with httpx2.AsyncClient(
            verify=verify,
            trust_env=False,
            follow_redirects=False,
            timeout=TIMEOUT_S,
            event_hooks=tls_handshake.EVENT_HOOKS,
        ) as client:
            try:
                return await _get(client, url, address)
            except httpx2.ConnectError as error:
                problem = f"no connection: {error}"
            except (httpx2.HTTPError, ssl.SSLError, OSError) as error:
                raise UnavailableError(f"{type(error).__name__}: {error}") from error
    raise UnavailableError(problem)


async def _get(client: httpx2.AsyncClient, url: httpx2.URL, address: Ip) -> bytes:
    name = url.raw_host.decode("ascii").strip("[]")
    request = client.build_request(
        "GET",
        url.copy_with(host=str(address), fragment=None),
        headers={
            "host": url.netloc.decode("ascii"),
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "gatereeve",
        },
        extensions={"sni_hostname": name},
    )
    answer = await client.send(request, stream=True)
    try:
        if answer.is_redirect:
            raise UnavailableError("it redirects, which is not followed")
        if answer.status_code != httpx2.codes.OK:
            raise UnavailableError(f"it answered {answer.status_code}")
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise UnavailableError("it answered compressed")
        body = bytearray()
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > MAX_BYTES:
                raise UnavailableError(f"it is larger than {MAX_BYTES // 1024} KiB")
        return bytes(body)
    finally:
        await answer.aclose()


def _trust(ca: bytes | None) -> ssl.SSLContext:
    return _public_trust() if ca is None else _own_trust(ca)


@lru_cache(maxsize=1)
def _public_trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


def _own_trust(ca: bytes) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=ca.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise UnavailableError("its certificate authority cannot be read") from error
