"""What a route may say: paths, hosts, patterns, header names and values, durations.

Allow-lists over the whole text (`fullmatch`, never `$`), so that nothing that a document says can
mean one thing here and another in a proxy. A path is canonical when every proxy reads it alike: no
empty, `.` or `..` segment, no `;`, no backslash, no escape of a character that could stand itself
or that a server might decode into a separator. Patterns are the part of RE2 that Python's `re`
reads in the same way, bounded in length and repetition.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

MAX_PATH = 1024
MAX_PATTERN = 256
MAX_REPEAT = 100
_MAX_STEPS = 2000

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


def bounded_pattern(text: str) -> str | None:
    """A pattern over the whole text, or None when it is refused.

    A leading `^` and a trailing `$` say nothing new and are taken off. Literals, `.`, classes,
    groups without names, alternatives, and repetitions up to 100 remain; look-around, references,
    flags, lazy and possessive repetition, word boundaries and anything beyond ASCII do not.
    """
    if len(text) > MAX_PATTERN:
        return None
    text = text.removeprefix("^")
    if text.endswith("$") and not text.endswith("\\$"):
        text = text[:-1]
    return text if text and _Reader(text).accepts() else None


_LITERAL = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 /_-~!&',=:@%<>\"#`"
)
_CLASSES = frozenset("dDwW")
_PUNCTUATION = frozenset("./-+*?()[]{}|^$\\:=@!&,~%")
_SIGNS = frozenset(".+*?(){}|$")
"""Mean themselves in a class. A set: the end of the text, "", would be in any text."""
_REPEAT = re.compile(r"\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}")


class _Reader:
    """A recursive-descent reader of the accepted patterns that counts the steps of a match.

    `_steps_…` return the size of what they read (repetition multiplies), or -1 for a refusal.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def accepts(self) -> bool:
        steps = self._steps_alternatives()
        return 0 <= steps <= _MAX_STEPS and self._at == len(self._text)

    def _peek(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else ""

    def _steps_alternatives(self) -> int:
        self._depth += 1
        if self._depth > 8:
            return -1
        total = 0
        while True:
            while self._peek() not in ("", "|", ")"):
                steps = self._steps_repeated()
                if steps < 0 or (total := total + steps) > _MAX_STEPS:
                    return -1
            if self._peek() != "|":
                self._depth -= 1
                return total
            self._at += 1
            total += 1

    def _steps_repeated(self) -> int:
        steps = self._steps_one()
        if steps < 0:
            return -1
        following = self._peek()
        if following in ("*", "+", "?"):
            self._at += 1
            times = 1
        elif following == "{":
            match = _REPEAT.match(self._text, self._at)
            if match is None:
                return -1
            low = int(match[1])
            high = int(match[3]) if match[3] else low
            if high > MAX_REPEAT or low > high:
                return -1
            self._at = match.end()
            times = max(high, 1)
        else:
            return steps
        if self._peek() in ("*", "+", "?", "{"):
            return -1
        return steps * times + 1

    def _steps_one(self) -> int:
        character = self._peek()
        self._at += 1
        if character == "." or character in _LITERAL:
            return 1
        if character == "\\":
            return self._steps_escape()
        if character == "[":
            return self._steps_class()
        if character != "(":
            return -1
        if self._peek() == "?":
            if not self._text.startswith("?:", self._at):
                return -1
            self._at += 2
        steps = self._steps_alternatives()
        if steps < 0 or self._peek() != ")":
            return -1
        self._at += 1
        return steps + 1

    def _steps_escape(self) -> int:
        character = self._peek()
        self._at += 1
        return 1 if character and character in _CLASSES | _PUNCTUATION else -1

    def _steps_class(self) -> int:
        if self._peek() == "^":
            self._at += 1
        before: str | None = None
        members = 0
        while (character := self._peek()) != "]":
            self._at += 1
            if character == "\\":
                escaped = self._peek()
                if self._steps_escape() < 0:
                    return -1
                before = None if escaped in _CLASSES else escaped
            elif character == "-" and members and self._peek() not in ("]", ""):
                end = self._peek()
                if before is None or not end.isalnum() or not end.isascii() or end < before:
                    return -1
                self._at += 1
                before = None
            elif character in _LITERAL and (character != "-" or self._peek() in ("]", "")):
                before = character if character.isalnum() else None
            elif character in _SIGNS:
                before = None
            else:
                return -1
            if self._text.startswith(("--", "&&", "~~", "||"), self._at - 1):
                return -1
            members += 1
        self._at += 1
        return 1 if members else -1
