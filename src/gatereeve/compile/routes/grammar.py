"""What a route may say: paths, hosts, patterns, header names and values, durations.

Allow-lists over the whole text (`fullmatch`, never `$`), so that nothing that a document says can
mean one thing here and another in a proxy. A path is canonical when every proxy reads it alike: no
empty, `.` or `..` segment, no `;`, no backslash, no escape of a character that could stand itself
or that a server might decode into a separator. Patterns have their own module, `patterns`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

MAX_PATH = 1024

_SEGMENT_TEXT = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-F]{2})*")
_ESCAPE = re.compile(r"%([0-9A-F]{2})")
_ESCAPABLE = frozenset(b' "<>[]^`{|}')
_PATTERN_CHARACTERS = frozenset("*()$!+")
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_HEADER_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]{0,127}")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,4094}[\x21-\x7e])?")
_QUERY_NAME = re.compile(r"[A-Za-z0-9._~!$'()*,:@/?-]{1,256}")
_DURATION = re.compile(r"(?:[0-9]{1,5}(?:h|ms|m|s)){1,4}")
_DURATION_PART = re.compile(r"([0-9]{1,5})(h|ms|m|s)")
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

_FORBIDDEN_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "proxy-connection",
        "proxy-authorization",
        "proxy-authenticate",
        "expect",
        "http2-settings",
    }
)
_FORBIDDEN_HEADER_PREFIXES = ("x-envoy-", "x-gatereeve-")


def canonical_path(text: str, kind: Literal["exact", "prefix"]) -> str | None:
    """The canonical form of a literal path, or None when it has none.

    A prefix loses its trailing slash ("/" stays); an exact path keeps it.
    """
    if not text.startswith("/") or len(text) > MAX_PATH:
        return None
    segments = text[1:].split("/")
    if segments[-1] == "":
        segments.pop()
    for segment in segments:
        if segment in ("", ".", "..") or _SEGMENT_TEXT.fullmatch(segment) is None:
            return None
        if any(not _may_be_escaped(int(m[1], 16)) for m in _ESCAPE.finditer(segment)):
            return None
    if not segments:
        return "/"
    joined = "/" + "/".join(segments)
    return joined + "/" if kind == "exact" and text.endswith("/") else joined


def _may_be_escaped(byte: int) -> bool:
    return byte >= 0x80 or byte in _ESCAPABLE


def looks_like_pattern(path: str) -> bool:
    """Whether another controller would read this ImplementationSpecific path as a pattern."""
    return not _PATTERN_CHARACTERS.isdisjoint(path)


def is_under(path: str, prefix: str) -> bool:
    """Whether `path` is `prefix` or beneath it, by whole segments; both canonical."""
    return prefix in ("/", path) or path.startswith(prefix + "/")


def is_host(text: str) -> bool:
    """A DNS name in lower case, or `*.` and one. No address, no port, no trailing dot."""
    if len(text) > 253 or _HOST.fullmatch(text) is None:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return not text.rsplit(".", 1)[-1].isdigit()
    return False


def is_exact_host(text: str) -> bool:
    """A DNS name without wildcard."""
    return is_host(text) and not text.startswith("*")


def header_name(text: str) -> str | None:
    """A header that a route may match, in lower case; None for what is refused.

    Underscores are refused: `x_user` and `x-user` must not be confused.
    """
    lower = text.lower()
    return lower if _HEADER_NAME.fullmatch(lower) and lower != "host" else None


def editable_header(text: str) -> str | None:
    """A header that a route may set or remove, in lower case; None for what is refused.

    Framing, connection and the gate's own headers are not the route's business.
    """
    lower = header_name(text)
    if lower is None or lower in _FORBIDDEN_HEADERS:
        return None
    return None if lower.startswith(_FORBIDDEN_HEADER_PREFIXES) else lower


def is_value(text: str) -> bool:
    """A header value or query value: visible ASCII and inner spaces, at most 4096 characters."""
    return text == "" or _VALUE.fullmatch(text) is not None


def is_query_name(text: str) -> bool:
    return _QUERY_NAME.fullmatch(text) is not None


def seconds(text: str) -> float | None:
    """A Gateway API duration (GEP-2257) in seconds; None when it is none."""
    if _DURATION.fullmatch(text) is None:
        return None
    return sum(float(m[1]) * _UNIT_S[m[2]] for m in _DURATION_PART.finditer(text))
