"""What happens to an admitted request: the version that answers it, or the redirect.

The split is sticky: the first sticky key with a value decides, and equal values select the same share
on every gate. The health of servers is not considered.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatereeve.decide import sticky_hash
from gatereeve.decide.canonical_request import CanonicalRequest
from gatereeve.decide.principals import Principal
from gatereeve.ir.gates import Gate, Listener
from gatereeve.ir.routes import (
    Forward,
    PathMatch,
    PathRewrite,
    Redirect,
    Share,
    StickyHeader,
    StickyKey,
    StickyPrincipal,
)

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenVersion:
    """One share of a `Forward`. key: the 64-bit hash that selected it, None without a hash.

    sticky: the name of the sticky key. possible: the clusters that may answer if the gate draws at random.
    """

    share: Share
    key: int | None
    sticky: str
    possible: tuple[str, ...]


def choose_share(
    forward: Forward, entry: CanonicalRequest, principal: Principal | None
) -> ChosenVersion:
    """Return the share that answers. Without a sticky value the gate draws one at random; the first
    share with weight is then returned as an example."""
    if len(forward.shares) == 1:
        only = forward.shares[0]
        return ChosenVersion(share=only, key=None, sticky="", possible=(only.cluster,))
    for sticky in forward.sticky:
        values = _sticky_values(sticky, entry, principal)
        if values:
            key = sticky_hash.hash_values(values)
            share = sticky_hash.choose(forward.shares, key)
            return ChosenVersion(
                share=share, key=key, sticky=_describe(sticky), possible=(share.cluster,)
            )
    weighted = tuple(share for share in forward.shares if share.weight)
    possible = tuple(dict.fromkeys(share.cluster for share in weighted))
    return ChosenVersion(share=weighted[0], key=None, sticky="random choice", possible=possible)


def _sticky_values(
    sticky: StickyKey, entry: CanonicalRequest, principal: Principal | None
) -> tuple[str, ...]:
    if isinstance(sticky, StickyHeader):
        return entry.values(sticky.name)
    if isinstance(sticky, StickyPrincipal):
        return () if principal is None else (principal.id,)
    return (entry.client,)


def _describe(sticky: StickyKey) -> str:
    if isinstance(sticky, StickyHeader):
        return f"header {sticky.name}"
    return "principal" if isinstance(sticky, StickyPrincipal) else "client address"


def make_tls_location(gate: Gate, listener: Listener, entry: CanonicalRequest) -> str:
    """Return the URL of the same request over TLS."""
    return _url("https", entry.host, gate.tls_port(listener), entry.path, entry.query)


def make_location(
    redirect: Redirect, matched: PathMatch, listener: Listener, entry: CanonicalRequest
) -> str:
    """Return the Location of a redirect: the request's URL with parts replaced."""
    scheme = redirect.scheme or entry.scheme
    port = redirect.port
    if port is None:
        port = listener.public_port if redirect.scheme is None else _DEFAULT_PORTS[scheme]
    path = entry.path if redirect.path is None else rewrite_path(redirect.path, matched, entry.path)
    return _url(scheme, redirect.host or entry.host, port, path, entry.query)


def rewrite_path(rewrite: PathRewrite, matched: PathMatch, path: str) -> str:
    """Return `path` with the matched prefix, or all of it, replaced."""
    if rewrite.kind == "full":
        return rewrite.value
    prefix_size = 0 if matched.value == "/" else len(matched.value)
    rest = path[prefix_size:]
    joined = rewrite.value.rstrip("/") + ("/" + rest.lstrip("/") if rest.strip("/") else rest)
    return joined or "/"


def _url(scheme: str, host: str, port: int, path: str, query: str | None) -> str:
    authority = host if port == _DEFAULT_PORTS.get(scheme) else f"{host}:{port}"
    return f"{scheme}://{authority}{path}" + ("" if query is None else f"?{query}")
