"""The model and the streaming flag in the body of an OpenAI request.

The rules are those of Envoy's json_to_metadata (measured with Envoy 1.40), because Envoy selects the
route by these values: `application/json` with an optional UTF-8 charset, strict JSON in UTF-8, the last
of two equal keys. A body that breaks a rule has no values; the host's refusing route then answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from gatereeve.decide.canonical_request import CanonicalRequest

_CONTENT_TYPE = re.compile(r"application/json(;\s*charset=[uU][tT][fF]-8)?")
_MAX_DEPTH = 1000
_BOM = b"\xef\xbb\xbf"
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """model: None without a string value. stream: True for true; False for absent, null, false, list
    and object; None for a number or a string, which some servers read as true."""

    model: str | None = None
    stream: bool | None = None


def read_body(entry: CanonicalRequest) -> Body:
    """Return the values in the body of `entry`, or `Body()` if it cannot be read."""
    content_type = entry.joined("content-type")
    if content_type is None or _CONTENT_TYPE.fullmatch(content_type) is None:
        return Body()
    if (entry.joined("content-encoding") or "identity").lower() != "identity":
        return Body()
    value = _parse(entry.body)
    if not isinstance(value, dict):
        return Body()
    model, stream = value.get("model"), value.get("stream")
    is_ambiguous = isinstance(stream, int | float | str) and not isinstance(stream, bool)
    return Body(
        model=model if isinstance(model, str) else None,
        stream=None if is_ambiguous else stream is True,
    )


def _parse(body: bytes) -> object:
    """Return the JSON value, or None. A NUL ends the text, as in Envoy."""
    body = body.removeprefix(_BOM).partition(b"\0")[0]
    if _depth(body) > _MAX_DEPTH:
        return None
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return None if _has_wide_integer(value) else value


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for match in _BRACKETS.finditer(body):
        if match[0] in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif match[0] in (b"]", b"}"):
            depth -= 1
    return deepest


def _has_wide_integer(value: object) -> bool:
    """Whether an integer needs the 64th bit. Envoy refuses these and reads larger ones as floats."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, int) and 2**63 <= item < 2**64:
            return True
    return False
