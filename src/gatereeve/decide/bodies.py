"""What an OpenAI body says about itself: the model, and whether the answer is to be streamed.

Read as Envoy's json_to_metadata reads it (measured against Envoy 1.40), since the route is chosen by
it: only `application/json` (a UTF-8 charset may be named), strict JSON in UTF-8, the last of two
equal keys. Whatever is not plain says nothing, and then the host's refusing row decides.
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
    """model: None when the body names none that is text. stream: True; False when absent, null,
    false, a list or an object; None for a number or a text, which some servers take for true."""

    model: str | None = None
    stream: bool | None = None


def read_body(entry: CanonicalRequest) -> Body:
    """What the body of `entry` says; `Body()` when it cannot be read."""
    content_type = entry.joined("content-type")
    if content_type is None or _CONTENT_TYPE.fullmatch(content_type) is None:
        return Body()
    if (entry.joined("content-encoding") or "identity").lower() != "identity":
        return Body()
    value = _parse(entry.body)
    if not isinstance(value, dict):
        return Body()
    model, stream = value.get("model"), value.get("stream")
    is_odd = isinstance(stream, int | float | str) and not isinstance(stream, bool)
    return Body(
        model=model if isinstance(model, str) else None,
        stream=None if is_odd else stream is True,
    )


def _parse(body: bytes) -> object:
    """The JSON value, None for what the gate does not take for JSON. A NUL ends it, as in Envoy."""
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
    """Integers that need the 64th bit: Envoy takes larger ones for floats, and refuses these."""
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
