"""The edge: one canonical form for every request, or a refusal.

Does what the gate's connection manager does before any rule is read (`knowledge/envoy.md` 7 and 9),
measured against Envoy 1.40: path normalisation, one spelling of a host, the client's address behind
trusted hops, headers that only the gate may set. What has no canonical form is refused.
Framing (lengths, chunks, line ends) is not here: a `Request` has none.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from dataclasses import dataclass

from gatereeve.core.trusted_headers import DASH
from gatereeve.decide.request import ClientCertificate, Request, Scheme

MAX_HEADERS = 100
"""Fields, Host among them."""

MAX_HEADER_BYTES = 60 * 1024

_METHODS = frozenset(
    [
        "DELETE",
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "OPTIONS",
        "TRACE",
        "COPY",
        "LOCK",
        "MKCOL",
        "MOVE",
        "PROPFIND",
        "PROPPATCH",
        "SEARCH",
        "UNLOCK",
        "BIND",
        "REBIND",
        "UNBIND",
        "ACL",
        "REPORT",
        "MKACTIVITY",
        "CHECKOUT",
        "MERGE",
        "NOTIFY",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "PATCH",
        "PURGE",
        "MKCALENDAR",
        "LINK",
        "UNLINK",
        "SOURCE",
    ]
)
"""What Envoy's HTTP/1 parser knows; anything else does not parse."""

_JOINED = frozenset(
    [
        "accept",
        "accept-encoding",
        "access-control-request-headers",
        "access-control-request-method",
        "access-control-request-private-network",
        "authorization",
        "cache-control",
        "content-encoding",
        "content-type",
        "expect",
        "grpc-accept-encoding",
        "grpc-timeout",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "origin",
        "pragma",
        "referer",
        "user-agent",
        "via",
        "x-client-trace-id",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
    ]
)
"""Headers that Envoy keeps as one value joined by commas; of all others each value stands alone."""

_GATE_ONLY = re.compile(f"x{DASH}gatereeve{DASH}|x-envoy-")
_FORWARDED_FOR = "x-forwarded-for"
_REMOVED = frozenset({"x-original-url", "x-rewrite-url", "x-forwarded-client-cert"})

_CONNECTION_OPTIONS = frozenset(
    {"close", "connection", "http2-settings", "keep-alive", "te", "upgrade"}
)
"""Members of `Connection` that name no header to be taken off."""

_MAX_CONNECTION_OPTIONS = 9

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^`|~-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_AUTHORITY = re.compile(r"[A-Za-z0-9!$%&'()*+,.:;=@\[\]_~-]+")
_PORT = re.compile(r":[0-9]+$")
_USER = r"(?:[A-Za-z0-9!$%&'()*+,.:;=_~-]*@)?"
"""Before the host (RFC 3986 section 3.2.1); Envoy leaves it out."""
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
    """A refusal: its code (`core.refusals`) and, for explaining only, why."""

    code: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalRequest:
    """A request in canonical form.

    host: in lower case, without port and trailing dot. path: canonical, without query; query: None for none.
    headers: lower-case names, values trimmed, without what only the gate may set.
    peer: the connection's address; client: that behind the trusted hops; both normalised.
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
        """The values of a header (lower-case name), each as the gate compares it."""
        return tuple(value for given, value in self.headers if given == name)

    def joined(self, name: str) -> str | None:
        """The values of a header joined by commas; None when it is not there."""
        values = self.values(name)
        return ",".join(values) if values else None


def enter(request: Request, *, trusted_hops: int) -> CanonicalRequest | RefusedRequest:  # noqa: C901 - one guard a reason, in the gate's order
    """The canonical form of `request`, or why there is none.

    trusted_hops: proxies in front of the gate whose X-Forwarded-For is believed.
    """
    problem = _syntax(request)
    if problem is not None:
        return problem
    named = _named_by_connection(request)
    if isinstance(named, RefusedRequest):
        return named
    target, host = request.path, "" if "host" in named else request.host
    if request.method == "CONNECT":
        if target.startswith("/"):
            return RefusedRequest(
                code="malformed-request", why="CONNECT names an authority, not a path"
            )
        return RefusedRequest(code="upgrade-refused", why="CONNECT would leave the governed path")
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        if absolute[1].lower() == "https" and request.scheme == "http":
            return RefusedRequest(
                code="upgrade-refused", why="an https target on a plain connection"
            )
        host, target = absolute[2], absolute[3] or "/"
    if _AUTHORITY.fullmatch(host) is None:
        return RefusedRequest(code="malformed-request", why=f"{host!r} holds what no host can hold")
    path, mark, query = target.partition("?")
    canonical = canonical_path(path)
    if canonical is None or "#" in query:
        return RefusedRequest(
            code="malformed-request", why=f"the path {path!r} has no canonical form"
        )
    name = canonical_host(host)
    if name is None and canonical_host(host.lower()) is None:
        return RefusedRequest(code="malformed-request", why=f"{host!r} is no host")
    if _asks_upgrade(request):
        return RefusedRequest(
            code="upgrade-refused", why="no route here asks for a protocol upgrade"
        )
    if name is None:
        return RefusedRequest(code="malformed-request", why=f"{host!r} is not in lower case")
    peer = normal_address(request.peer) or request.peer
    headers = tuple(pair for pair in _headers(request) if pair[0] not in named)
    client = _client(peer, headers, trusted_hops)
    return CanonicalRequest(
        scheme=request.scheme,
        host=name,
        method=request.method,
        path=canonical,
        query=query if mark else None,
        headers=_forwarded_for(headers, peer, trusted_hops),
        body=request.body,
        peer=peer,
        client=client,
        sni=None if request.sni is None else request.sni.lower(),
        certificate=request.certificate,
    )


def _named_by_connection(request: Request) -> frozenset[str] | RefusedRequest:
    """Headers that `Connection` says are for this hop only: they are as if not sent (RFC 9110 section 7.6.1)."""
    if _asks_upgrade(request):  # refused later: Envoy does not look at the other members then
        return frozenset()
    values = [value for name, value in request.headers if name.lower() == "connection"]
    options = [one.strip().lower() for value in values for one in value.split(",") if one]
    if len(options) > _MAX_CONNECTION_OPTIONS:
        return RefusedRequest(
            code="malformed-request", why=f"Connection names {len(options)} headers"
        )
    named = frozenset(options) - _CONNECTION_OPTIONS
    for name in sorted(named):
        if name.startswith(":") or name in ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"):  # fmt: skip
            return RefusedRequest(code="malformed-request", why=f"Connection names {name}")
    return named


def _syntax(request: Request) -> RefusedRequest | None:
    """What does not parse as HTTP, or is beyond the bounds of a header section."""
    size = sum(len(name) + len(value.encode()) for name, value in request.headers)
    size += len(request.path) + len(request.host)
    if len(request.headers) + 1 > MAX_HEADERS or size > MAX_HEADER_BYTES:
        return RefusedRequest(
            code="headers-too-large", why=f"{len(request.headers)} fields, {size} bytes"
        )
    why = None
    if request.method not in _METHODS and request.method != "CONNECT":
        why = f"{request.method!r} is no method"
    elif _TARGET.fullmatch(request.path) is None:
        why = "the path holds a space, a control character or a byte beyond ASCII"
    elif not request.host:
        why = "there is no Host"
    else:
        for name, value in request.headers:
            if name.lower() in ("host", ":authority"):
                why = "Host is sent twice"
            elif _HEADER_NAME.fullmatch(name) is None:
                why = f"{name!r} is no header name; underscores are refused"
            elif _CONTROL.search(value) is not None:
                why = f"header {name} holds a control character"
    return None if why is None else RefusedRequest(code="malformed-request", why=why)


def canonical_path(path: str) -> str | None:
    """The one spelling of a path, without query; None when it is refused.

    Escaped slashes and NUL are refused, `#` too. A backslash is read as `/`. Escapes of unreserved characters
    are undone (a `%` that was none before never becomes one), dot segments (`..;x` among them)
    resolved, runs of slashes made one.
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
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _merge_slashes(path: str) -> str:
    """Runs of slashes as one. A path of slashes only keeps two: that is what Envoy makes of it."""
    if "//" not in path:
        return path
    ending = "/" if path.endswith("/") else ""
    return "/" + "/".join(part for part in path.split("/") if part) + ending


def canonical_host(host: str) -> str | None:
    """Without port and trailing dot; None for what is no host, or not in lower case: the gate finds
    exact hosts by their one spelling, and no other spelling may fall to a wildcard."""
    name = _PORT.sub("", host).removesuffix(".")
    return name if _HOST.fullmatch(name) else None


def _asks_upgrade(request: Request) -> bool:
    """`Connection: upgrade` with an Upgrade. `h2c` is ignored, as RFC 9113 allows."""
    values: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in request.headers:
        values[name.lower()].append(value)
    tokens = {t.strip().lower() for value in values["connection"] for t in value.split(",")}
    wanted = ",".join(values["upgrade"]).strip().lower()
    return "upgrade" in tokens and bool(wanted) and wanted != "h2c"


def _headers(request: Request) -> tuple[tuple[str, str], ...]:
    """Lower-case names, trimmed values; joined where Envoy joins; without the gate's own."""
    found: list[tuple[str, str]] = []
    place: dict[str, int] = {}
    for name, given in request.headers:
        lower, value = name.lower(), given.strip(" \t")
        if _GATE_ONLY.match(lower) is not None or lower in _REMOVED:
            continue
        if lower in place:
            before = found[place[lower]][1]
            found[place[lower]] = (lower, ",".join(part for part in (before, value) if part))
            continue
        if lower in _JOINED:
            place[lower] = len(found)
        found.append((lower, value))
    return tuple(found)


def _client(peer: str, headers: tuple[tuple[str, str], ...], hops: int) -> str:
    """The client's address: the entry of X-Forwarded-For that the last trusted hop wrote."""
    if not hops:
        return peer
    entries = next((value for name, value in headers if name == _FORWARDED_FOR), "").split(",")
    if len(entries) < hops:
        return peer
    return normal_address(entries[-hops].strip()) or peer


def _forwarded_for(
    headers: tuple[tuple[str, str], ...], peer: str, hops: int
) -> tuple[tuple[str, str], ...]:
    """The peer is appended to X-Forwarded-For, to what trusted hops wrote or else to nothing."""
    sent = [value for name, value in headers if name == _FORWARDED_FOR and value and hops]
    others = tuple(pair for pair in headers if pair[0] != _FORWARDED_FOR)
    return (*others, (_FORWARDED_FOR, ",".join((*sent, peer))))


def normal_address(text: str) -> str | None:
    """An address in the spelling that Envoy uses (inet_ntop); None for what is none."""
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
