"""The canonical form of a request, or its refusal.

Does what Envoy's connection manager does before it selects a route (measured with Envoy 1.40): it
normalizes the path and the host, finds the client address behind trusted hops, and removes headers that
only the gate may set. Framing (lengths, chunks, line ends) is not part of a `Request`.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from dataclasses import dataclass

from gatereeve.core.trusted_headers import DASH
from gatereeve.decide.request import ClientCertificate, Request, Scheme

MAX_HEADERS = 100
"""Header fields, including Host."""

MAX_HEADER_BYTES = 60 * 1024

_METHODS = frozenset({
    "DELETE", "GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE", "COPY", "LOCK", "MKCOL",
    "MOVE", "PROPFIND", "PROPPATCH", "SEARCH", "UNLOCK", "BIND", "REBIND", "UNBIND", "ACL",
    "REPORT", "MKACTIVITY", "CHECKOUT", "MERGE", "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE",
    "PATCH", "PURGE", "MKCALENDAR", "LINK", "UNLINK", "SOURCE",
})  # fmt: skip
"""The methods that Envoy's HTTP/1 parser accepts."""

_JOINED = frozenset({
    "accept", "accept-encoding", "access-control-request-headers",
    "access-control-request-method", "access-control-request-private-network",
    "authorization", "cache-control", "content-encoding", "content-type", "expect",
    "grpc-accept-encoding", "grpc-timeout", "if-match", "if-modified-since",
    "if-none-match", "if-range", "origin", "pragma", "referer", "user-agent", "via",
    "x-client-trace-id", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port",
})  # fmt: skip
"""Headers whose values Envoy joins with commas; the values of all others stay separate."""

_GATE_ONLY = re.compile(f"x{DASH}gatereeve{DASH}|x-envoy-")
_FORWARDED_FOR = "x-forwarded-for"
_REMOVED = frozenset({"x-original-url", "x-rewrite-url", "x-forwarded-client-cert"})

_CONNECTION_OPTIONS = frozenset(
    {"close", "connection", "http2-settings", "keep-alive", "te", "upgrade"}
)
"""Members of `Connection` that do not remove a header."""

_MAX_CONNECTION_OPTIONS = 9

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^`|~-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_AUTHORITY = re.compile(r"[A-Za-z0-9!$%&'()*+,.:;=@\[\]_~-]+")
_PORT = re.compile(r":[0-9]+$")
_USER = r"(?:[A-Za-z0-9!$%&'()*+,.:;=_~-]*@)?"
"""Precedes the host (RFC 3986 section 3.2.1); Envoy ignores it."""
_ABSOLUTE = re.compile(rf"(https?)://{_USER}([^/?#]+)(/.*)?", re.IGNORECASE | re.DOTALL)
_TARGET = re.compile(r"[\x21-\x7e]+")
_SLASH_ESCAPE = re.compile(r"%(?:2f|5c)", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NEW_ESCAPE = re.compile(r"\x00(?=[0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_ESCAPED = re.compile(r'["<>^`{|}]')
_DOT_PARAMETERS = re.compile(r"(?:(?<=/)|^)(\.\.?);[^/]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRequest:
    """code: of `core.refusals`. why: for `explain` only."""

    code: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalRequest:
    """A request in canonical form.

    host: in lower case, without port and trailing dot. path: without query. query: None without `?`.
    headers: lower-case names, trimmed values, without headers that only the gate may set.
    peer: the address of the connection. client: the address behind the trusted hops. Both normalized.
    """

    scheme: Scheme
    host: str
    method: str
    path: str
    query: str | None
    headers: tuple[tuple[str, str], ...]
    body: bytes
    peer: str
    client: str
    sni: str | None
    certificate: ClientCertificate | None

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of a header (lower-case name), as the gate compares them."""
        return tuple(value for header, value in self.headers if header == name)

    def joined(self, name: str) -> str | None:
        """Return the values of a header joined by commas, or None without the header."""
        values = self.values(name)
        return ",".join(values) if values else None


def canonicalize(request: Request, *, trusted_hops: int) -> CanonicalRequest | RefusedRequest:  # noqa: C901 - one check a reason, in the order of the gate
    """Return the canonical form of `request`, or its refusal.

    trusted_hops: the number of proxies in front of the gate whose X-Forwarded-For is trusted.
    """
    refusal = _check_syntax(request)
    if refusal is not None:
        return refusal
    hop_headers = _find_hop_headers(request)
    if isinstance(hop_headers, RefusedRequest):
        return hop_headers
    target, host = request.path, "" if "host" in hop_headers else request.host
    if request.method == "CONNECT":
        if target.startswith("/"):
            return _malformed("the target of CONNECT is a path and not an authority")
        return RefusedRequest(code="upgrade-refused", why="CONNECT is not supported")
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        if absolute[1].lower() == "https" and request.scheme == "http":
            return RefusedRequest(
                code="upgrade-refused", why="the target is https and the connection is plain HTTP"
            )
        host, target = absolute[2], absolute[3] or "/"
    if _AUTHORITY.fullmatch(host) is None:
        return _malformed(f"the host {host!r} has an invalid character")
    path, mark, query = target.partition("?")
    canonical = canonical_path(path)
    if canonical is None or "#" in query:
        return _malformed(f"the path {path!r} has no canonical form")
    name = canonical_host(host)
    if name is None and canonical_host(host.lower()) is None:
        return _malformed(f"{host!r} is not a host")
    if _asks_upgrade(request):
        return RefusedRequest(code="upgrade-refused", why="protocol upgrades are not supported")
    if name is None:
        return _malformed(f"the host {host!r} is not in lower case")
    peer = normalize_address(request.peer) or request.peer
    headers = tuple(pair for pair in _read_headers(request) if pair[0] not in hop_headers)
    client = _find_client(peer, headers, trusted_hops)
    return CanonicalRequest(
        scheme=request.scheme,
        host=name,
        method=request.method,
        path=canonical,
        query=query if mark else None,
        headers=_append_forwarded_for(headers, peer, trusted_hops),
        body=request.body,
        peer=peer,
        client=client,
        sni=None if request.sni is None else request.sni.lower(),
        certificate=request.certificate,
    )


def _malformed(why: str) -> RefusedRequest:
    return RefusedRequest(code="malformed-request", why=why)


def _find_hop_headers(request: Request) -> frozenset[str] | RefusedRequest:
    """Return the headers that `Connection` names; they are removed (RFC 9110 section 7.6.1)."""
    if _asks_upgrade(request):  # refused later; Envoy does not read the other members
        return frozenset()
    values = [value for name, value in request.headers if name.lower() == "connection"]
    options = [part.strip().lower() for value in values for part in value.split(",") if part]
    if len(options) > _MAX_CONNECTION_OPTIONS:
        return _malformed(f"Connection names {len(options)} headers")
    hop_headers = frozenset(options) - _CONNECTION_OPTIONS
    for name in sorted(hop_headers):
        if name.startswith(":") or name in ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"):  # fmt: skip
            return _malformed(f"Connection names {name}")
    return hop_headers


def _check_syntax(request: Request) -> RefusedRequest | None:
    """Return the refusal of a request that is not valid HTTP or whose headers are too large."""
    size = sum(len(name) + len(value.encode()) for name, value in request.headers)
    size += len(request.path) + len(request.host)
    if len(request.headers) + 1 > MAX_HEADERS or size > MAX_HEADER_BYTES:
        return RefusedRequest(
            code="headers-too-large", why=f"{len(request.headers)} fields, {size} bytes"
        )
    why = None
    if request.method not in _METHODS and request.method != "CONNECT":
        why = f"{request.method!r} is not a known method"
    elif _TARGET.fullmatch(request.path) is None:
        why = "the path has a space, a control character or a non-ASCII byte"
    elif not request.host:
        why = "the Host header is missing"
    else:
        for name, value in request.headers:
            if name.lower() in ("host", ":authority"):
                why = "the Host header is repeated"
            elif _HEADER_NAME.fullmatch(name) is None:
                why = f"{name!r} is not a valid header name; underscores are refused"
            elif _CONTROL.search(value) is not None:
                why = f"the header {name} has a control character"
    return None if why is None else _malformed(why)


def canonical_path(path: str) -> str | None:
    """Return the canonical spelling of a path without query, or None if the path is refused.

    Escaped slashes, NUL and `#` are refused. A backslash becomes `/`. Escapes of unreserved characters
    are decoded once (the result never forms a new escape). Dot segments, including `..;x`, are resolved
    and repeated slashes merged.
    """
    if not path.startswith("/") or "#" in path or _SLASH_ESCAPE.search(path) is not None:
        return None
    path = _DOT_PARAMETERS.sub(r"\1", path).replace("\\", "/")
    if "%00" in path:
        return None
    path = _ESCAPE.sub(_unescape, _LONE_PERCENT.sub("\0", path))
    path = _NEW_ESCAPE.sub("%25", path).replace("\0", "%")
    path = _ESCAPED.sub(lambda m: f"%{ord(m[0]):02X}", path)
    return _merge_slashes(_resolve_dots(path))


def _unescape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if _UNRESERVED.fullmatch(character) else match[0]


def _resolve_dots(path: str) -> str:
    """RFC 3986 section 5.2.4; empty segments count as segments."""
    segments = path.split("/")[1:]
    resolved: list[str] = []
    for segment in segments:
        if segment == "..":
            if resolved:
                resolved.pop()
        elif segment != ".":
            resolved.append(segment)
    if segments[-1] in (".", ".."):
        resolved.append("")
    return "/" + "/".join(resolved)


def _merge_slashes(path: str) -> str:
    """Merge repeated slashes. A path of slashes only becomes `//`, as in Envoy."""
    if "//" not in path:
        return path
    ending = "/" if path.endswith("/") else ""
    return "/" + "/".join(part for part in path.split("/") if part) + ending


def canonical_host(host: str) -> str | None:
    """Return the host without port and trailing dot; None if it is invalid or not in lower case. The gate
    matches hosts by exact text, so another spelling could match a wildcard instead."""
    name = _PORT.sub("", host).removesuffix(".")
    return name if _HOST.fullmatch(name) else None


def _asks_upgrade(request: Request) -> bool:
    """`Connection: upgrade` with an Upgrade. `h2c` is ignored (RFC 9113)."""
    values: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in request.headers:
        values[name.lower()].append(value)
    tokens = {t.strip().lower() for value in values["connection"] for t in value.split(",")}
    wanted = ",".join(values["upgrade"]).strip().lower()
    return "upgrade" in tokens and bool(wanted) and wanted != "h2c"


def _read_headers(request: Request) -> tuple[tuple[str, str], ...]:
    """Return lower-case names with trimmed values, joined as Envoy joins, without gate-only headers."""
    headers: list[tuple[str, str]] = []
    position: dict[str, int] = {}
    for name, raw in request.headers:
        lower, value = name.lower(), raw.strip(" \t")
        if _GATE_ONLY.match(lower) is not None or lower in _REMOVED:
            continue
        if lower in position:
            before = headers[position[lower]][1]
            headers[position[lower]] = (lower, ",".join(part for part in (before, value) if part))
            continue
        if lower in _JOINED:
            position[lower] = len(headers)
        headers.append((lower, value))
    return tuple(headers)


def _find_client(peer: str, headers: tuple[tuple[str, str], ...], hops: int) -> str:
    """Return the address in X-Forwarded-For that the outermost trusted hop wrote."""
    if not hops:
        return peer
    entries = next((value for name, value in headers if name == _FORWARDED_FOR), "").split(",")
    if len(entries) < hops:
        return peer
    return normalize_address(entries[-hops].strip()) or peer


def _append_forwarded_for(
    headers: tuple[tuple[str, str], ...], peer: str, hops: int
) -> tuple[tuple[str, str], ...]:
    """Append the peer to X-Forwarded-For. The value sent by an untrusted peer is removed."""
    sent = [value for name, value in headers if name == _FORWARDED_FOR and value and hops]
    others = tuple(pair for pair in headers if pair[0] != _FORWARDED_FOR)
    return (*others, (_FORWARDED_FOR, ",".join((*sent, peer))))


def normalize_address(text: str) -> str | None:
    """Return an address in the spelling of Envoy (inet_ntop), or None if it is invalid."""
    if "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        high, low = int(address) >> 32, int(address) & 0xFFFFFFFF
        if high == 0xFFFF or (high == 0 and low > 0xFFFF):
            dotted = ipaddress.IPv4Address(low)
            return f"::{'ffff:' if high else ''}{dotted}"
    return str(address)
