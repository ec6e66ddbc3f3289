r"""The forms in which a request may say what a rule reads: one meaning for every parser.

A value that two parsers may read differently decides nothing: the gate refuses it. The expressions
here are read by the reference decision (Python `re`, whole match, ASCII) and by Envoy (RE2, whole
match), so that both refuse the same requests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

VALUE: Final = r"[!-+\--~](?:[ -+\--~]*[!-+\--~])?"
"""One header value: visible ASCII (RFC 9110 section 5.5, VCHAR) without a comma, with spaces only
inside. A comma may stand for a repeated header (RFC 9110 section 5.3)."""

VALUE_OR_NOTHING: Final = rf"^({VALUE})$|^\C*$"
r"""For RE2 only, to be replaced by its first group: a plain value stays, any other bytes become
nothing (`\C` is one byte, also of what is not UTF-8)."""

MAX_VALUE_BYTES: Final = 8191
"""Envoy copies longer values of a header (all of them, joined) into no metadata."""

CLAIM: Final = r"[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?"
"""A text that a token says of its bearer: no control characters, spaces only inside. As a header's
value, which loses white space at its ends (RFC 9110 section 5.5), it is still the same text."""

_NAMED: Final = r"[!$&'()*+,\-0-9:=@A-Z_a-z~]"

GOVERNED_PATH: Final = rf"(?:/\.*{_NAMED}(?:{_NAMED}|\.)*)*/?"
"""A canonical path on a governed route, without query: segments of RFC 3986 `pchar` without escapes
and without `;`, none of them empty or of dots only.

Nothing is left to decode, so decoding it again, as UTF-8 or anything else, gives the same path.
"""

_HEX: Final = "[0-9A-Fa-f]"
_TAIL: Final = f"%[89ABab]{_HEX}"
_RAW: Final = r"[!-$&-\-0-\[\]-~]"
_RAW_FIRST: Final = r"[!-$&-\-0-:<-\[\]-~]"
_ESCAPE: Final = rf"%(?:2[0-46-9A-Da-d]|[346]{_HEX}|5[0-9ABDEFabdef]|7[0-9A-Ea-e])"
_UTF8: Final = "|".join(
    (
        f"%[Cc]2%[ABab]{_HEX}",
        f"%[Cc][3-9A-Fa-f]{_TAIL}",
        f"%[Dd]{_HEX}{_TAIL}",
        f"%[Ee]0%[ABab]{_HEX}{_TAIL}",
        f"%[Ee][1-9ABCabcEFef]{_TAIL}{_TAIL}",
        f"%[Ee][Dd]%[89]{_HEX}{_TAIL}",
        f"%[Ff]0%[9ABab]{_HEX}{_TAIL}{_TAIL}",
        f"%[Ff][1-3]{_TAIL}{_TAIL}{_TAIL}",
        f"%[Ff]4%8{_HEX}{_TAIL}{_TAIL}",
    )
)
"""Well-formed UTF-8 (Unicode, table 3-7) beyond the control characters, in escapes."""

_SEGMENT: Final = rf"(?:\.*(?:{_RAW_FIRST}|{_UTF8})|{_ESCAPE}|;)(?:{_RAW}|\.|{_ESCAPE}|{_UTF8})*"
ORDINARY_PATH: Final = rf"(?:/(?:{_SEGMENT}))*/?"
"""A canonical path that means the same when it is decoded again, without query: no escape of `%`,
`/`, `\\` or a control character, well-formed UTF-8, no segment that begins with dots and goes on with
an escape or a `;`. `LOOK_ALIKE` must not be in it."""

_UNSEEN: Final = (
    "%(?:[Cc]2%[Aa][Dd]|[Cc][Dd]%8[Ff]|[Ee]1%85%(?:9[Ff]|[Aa]0)|[Ee]1%[Aa]0%8[B-Fb-f]|[Ee]2%80%(?:8[B-Fb-f]|[Aa][A-Ea-e])"
    "|[Ee]2%81%[Aa][0-9A-Fa-f]|[Ee]3%85%[Aa]4|[Ee][Ff]%[Bb]8%8[0-9A-Fa-f]|[Ee][Ff]%[Bb][Bb]%[Bb][Ff]|[Ee][Ff]%[Bb][Ee]%[Aa]0)"
)
"""Characters in escapes that cannot be seen (Unicode, Default_Ignorable_Code_Point), which some
readers leave out."""

LOOK_ALIKE: Final = (
    rf"/(?:\.|{_UNSEEN})+(?:/|$)|"
    "%[Ee]2%(?:80%[Aa][4-6]|81%84|84%8[0156]|88%9[56]|[Aa]7%[Bb][589])"
    "|%[Ee][Ff]%[Bb][Cc]%(?:85|8[EFef]|9[Bb]|[Bb][Cc])"
    "|%[Ee][Ff]%[Bb]9%(?:92|94|[Aa]8|[Aa][Aa])"
    "|%[Ee][Ff]%[Bb]8%(?:94|99|[Bb]0)"
    "|%[Cc][Dd]%[Bb][Ee]"
)
"""Escaped characters that compatibility normalisation (Unicode NFKC), or the usual tables of best
fits, turn into `/`, `\\`, `%`, `;` or dots; and segments of dots and characters that cannot be seen."""

_QUERY_VALUE: Final = r"[!-$'-*,-:<-~]*"
"""A value of a query parameter without `%`, `&`, `+` and `;`: decoding does not change it."""


@lru_cache(maxsize=1024)
def query_forms(name: str) -> tuple[str, str, str]:
    """Three expressions for a whole target (path and query) that contains a parameter: in any form,
    twice, and plainly: under its own name, with a value that needs no decoding.

    Any form: also with escapes, in upper or lower case, or after a `;`, which some servers read as `&`.
    """
    other = "".join(_spellings(letter) for letter in name)
    rest = "(?:[=&;].*)?"
    any_form = rf"[^?]*\?(?:.*[&;])?{other}{rest}"
    plain = rf"[^?]*\?(?:.*&)?{re.escape(name)}(?:={_QUERY_VALUE})?(?:&.*)?"
    return any_form, rf"{any_form}[&;]{other}{rest}", plain


def _spellings(letter: str) -> str:
    escapes = (f"%{ord(char):02x}" for char in sorted({letter.lower(), letter.upper()}))
    return f"(?i:{'|'.join((re.escape(letter), *escapes))})"


def is_plain_query(name: str, target: str) -> bool:
    """Whether the target contains the parameter once and plainly, or not at all."""
    any_form, twice, plain = query_forms(name)
    if re.fullmatch(any_form, target, re.DOTALL) is None:
        return True
    return re.fullmatch(twice, target, re.DOTALL) is None and (
        re.fullmatch(plain, target, re.DOTALL) is not None
    )


_GOVERNED: Final = re.compile(GOVERNED_PATH, re.ASCII)
_ORDINARY: Final = re.compile(ORDINARY_PATH, re.ASCII)
_LOOK_ALIKE: Final = re.compile(LOOK_ALIKE, re.ASCII)
_VALUE: Final = re.compile(VALUE, re.ASCII)
_CLAIM: Final = re.compile(CLAIM)


def is_governed_path(path: str) -> bool:
    """Whether a canonical path, without query, may be that of a governed route."""
    return _GOVERNED.fullmatch(path) is not None


def is_ordinary_path(path: str) -> bool:
    """Whether a canonical path, without query, means the same when it is decoded again."""
    return _ORDINARY.fullmatch(path) is not None and _LOOK_ALIKE.search(path) is None


def is_plain_claim(text: str) -> bool:
    """Whether a token's text means the same as a header's value."""
    return _CLAIM.fullmatch(text) is not None


def is_plain_value(values: Sequence[str]) -> bool:
    """Whether a header is not there, or there once with one plain value.

    values: those of the header, in order, as received, each byte one character.
    """
    if not values:
        return True
    joined = ",".join(values)
    return len(joined) <= MAX_VALUE_BYTES and _VALUE.fullmatch(joined) is not None
