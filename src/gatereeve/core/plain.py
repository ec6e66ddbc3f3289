r"""The forms in which a request may say what a rule reads: one meaning for every parser.

A value that two parsers may read differently decides nothing: the gate refuses it. The expressions
here are read by the reference decision (Python `re`, whole match, ASCII) and by Envoy (RE2, whole
match), so that both refuse the same requests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

VALUE: Final = r"[!-+\--~](?:[ -+\--~]*[!-+\--~])?"
"""One header value: visible ASCII (RFC 9110 section 5.5, VCHAR) without a comma, with spaces only
inside. A comma may stand for a repeated header (RFC 9110 section 5.3)."""

VALUE_OR_NOTHING: Final = rf"^({VALUE})$|^\C*$"
r"""For RE2 only, to be replaced by its first group: a plain value stays, any other bytes become
nothing (`\C` is one byte, also of what is not UTF-8)."""

MAX_VALUE_BYTES: Final = 8191
"""Envoy copies longer values of a header (all of them, joined) into no metadata."""

_VALUE: Final = re.compile(VALUE, re.ASCII)


def is_plain_value(values: Sequence[str]) -> bool:
    """Whether a header is not there, or there once with one plain value.

    values: those of the header, in order, as received, each byte one character.
    """
    if not values:
        return True
    joined = ",".join(values)
    return len(joined) <= MAX_VALUE_BYTES and _VALUE.fullmatch(joined) is not None
