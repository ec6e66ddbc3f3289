"""Regular expressions of routes: the part of RE2 that Python's `re` reads alike, bounded in size.

A pattern is read once, from left to right, and measured: how large RE2's program for it can become
at most, and how far nested repetitions multiply. Both have limits in RE2, and a pattern beyond them
makes Envoy reject the whole route configuration that holds it, with the routes of everybody else.
The measure is an upper bound: what is accepted here, RE2 compiles (`tests/envoy/test_patterns_envoy`).
RE2: `parse.cc` (`RepetitionWalker`, `kMaxRepeat`), `compile.cc` (`max_ninst_`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_PATTERN: Final = 256
"""Characters."""
MAX_REPEAT: Final = 100
"""The largest count of one repetition."""
MAX_NESTED_REPEAT: Final = 1000
"""The largest product of the counts of repetitions within each other: RE2's own limit."""
MAX_PROGRAM: Final = 4000
"""Instructions of RE2, as counted here. The bootstrap sets Envoy's own limit far above this."""

_MAX_DEPTH: Final = 8
_FRAME: Final = 8  # what every program has: the start, the end, the search before it

_LITERAL: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 /_-~!&',=:@%<>\"#`"
)
_CLASS_RANGES: Final = {"d": 1, "D": 2, "w": 4, "W": 5}
_PUNCTUATION: Final = frozenset("./-+*?()[]{}|^$\\:=@!&,~%")
_SIGNS: Final = frozenset(".+*?(){}|$")
"""Mean themselves in a class. A set: the end of the text, "", would be in any text."""
_REPEAT: Final = re.compile(r"\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}")


class PatternError(ValueError):
    """The pattern is refused; the text says why, for a finding."""


@dataclass(frozen=True, slots=True)
class _Part:
    """size: instructions at most. repeats: the largest product of nested repetition counts."""

    size: int
    repeats: int = 1


def bounded_pattern(text: str) -> str:
    """A pattern over the whole text. Raises PatternError when it is refused.

    A leading `^` and a trailing `$` say nothing new and are taken off. Literals, `.`, classes,
    groups without names, alternatives, and repetitions up to 100 remain; look-around, references,
    flags, lazy and possessive repetition, word boundaries and anything beyond ASCII do not.
    """
    if len(text) > MAX_PATTERN:
        raise PatternError(f"it has {len(text)} characters; {MAX_PATTERN} are accepted")
    text = text.removeprefix("^")
    if text.endswith("$") and not text.endswith("\\$"):
        text = text[:-1]
    if not text:
        raise PatternError("it is empty")
    program_size(text)
    return text


def program_size(text: str) -> int:
    """How many instructions RE2's program for an accepted pattern has at most.

    Raises PatternError as `bounded_pattern` does.
    """
    return _Reader(text).read().size + _FRAME


class _Reader:
    """A recursive-descent reader of the accepted patterns that measures what it reads."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def read(self) -> _Part:
        whole = self._alternatives()
        if self._at < len(self._text):
            raise self._unknown()
        return whole

    def _peek(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else ""

    def _unknown(self) -> PatternError:
        return PatternError(f"what stands at character {self._at + 1} is not accepted there")

    def _alternatives(self) -> _Part:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise PatternError(f"groups stand within each other more than {_MAX_DEPTH} deep")
        size, repeats = 1, 1
        while True:
            while self._peek() not in ("", "|", ")"):
                part = self._repeated()
                size, repeats = size + part.size, max(repeats, part.repeats)
                if size + _FRAME > MAX_PROGRAM:
                    raise PatternError(f"it is too large: above {MAX_PROGRAM} steps when repetitions are multiplied out")  # fmt: skip
            if self._peek() != "|":
                self._depth -= 1
                return _Part(size, repeats)
            self._at += 1
            size += 2

    def _repeated(self) -> _Part:
        part = self._atom()
        following = self._peek()
        if following == "{":
            part = self._counted(part)
        elif following and following in "*+?":
            self._at += 1
            part = _Part(part.size + 3, part.repeats)
        else:
            return part
        if self._peek() and self._peek() in "*+?{":
            raise self._unknown()
        return part

    def _counted(self, part: _Part) -> _Part:
        match = _REPEAT.match(self._text, self._at)
        if match is None:
            raise self._unknown()
        low = int(match[1])
        high = int(match[3]) if match[3] else low
        if high > MAX_REPEAT or low > high:
            raise PatternError(f"{match[0]} is no repetition from a smaller to a larger number, {MAX_REPEAT} at most")  # fmt: skip
        self._at = match.end()
        times = max(high, 1)
        repeats = times * part.repeats
        if repeats > MAX_NESTED_REPEAT:
            raise PatternError(f"repetitions within each other multiply to {repeats}; {MAX_NESTED_REPEAT} are accepted")  # fmt: skip
        return _Part((part.size + 2) * times + 3, repeats)

    def _atom(self) -> _Part:
        character = self._peek()
        if character == "\\":
            self._at += 1
            ranges = self._escaped()
            return _Part(2 * ranges if ranges else 1)
        if character == "[":
            self._at += 1
            return _Part(2 * self._class() + 2)
        if character == "(":
            return self._group()
        if character != "." and character not in _LITERAL:
            raise self._unknown()
        self._at += 1
        return _Part(4 if character == "." else 1)

    def _group(self) -> _Part:
        self._at += 1
        if self._peek() == "?":
            if not self._text.startswith("?:", self._at):
                raise self._unknown()
            self._at += 2
        inner = self._alternatives()
        if self._peek() != ")":
            raise self._unknown()
        self._at += 1
        return _Part(inner.size + 2, inner.repeats)

    def _escaped(self) -> int:
        """The ranges of a class such as digits, 0 for a character that means itself."""
        character = self._peek()
        if character in _CLASS_RANGES:
            self._at += 1
            return _CLASS_RANGES[character]
        if character not in _PUNCTUATION:
            raise self._unknown()
        self._at += 1
        return 0

    def _class(self) -> int:
        """The ranges of a class in brackets, at most."""
        ranges = 0
        if self._peek() == "^":
            self._at += 1
            ranges = 1
        before: str | None = None
        first = self._at
        while (character := self._peek()) != "]":
            if self._text.startswith(("--", "&&", "~~", "||"), self._at):
                raise self._unknown()
            if character == "-" and self._at > first and self._text[self._at + 1 : self._at + 2] not in ("]", ""):  # fmt: skip
                self._range_end(before)
                before = None
                continue
            ranges, before = self._member(ranges)
        if self._at == first:
            raise self._unknown()
        self._at += 1
        return ranges

    def _member(self, ranges: int) -> tuple[int, str | None]:
        """One member: the ranges with it, and the character a range may begin with."""
        character = self._peek()
        if character == "\\":
            self._at += 1
            class_ranges = self._escaped()
            return ranges + max(class_ranges, 1), None if class_ranges else self._text[self._at - 1]
        literal = character in _LITERAL and (
            character != "-" or self._text[self._at + 1 : self._at + 2] in ("]", "")
        )
        if not literal and character not in _SIGNS:
            raise self._unknown()
        self._at += 1
        return ranges + 1, character if character.isalnum() else None

    def _range_end(self, before: str | None) -> None:
        """`-z` after a character: no range of its own."""
        self._at += 1
        end = self._peek()
        if before is None or not end.isalnum() or not end.isascii() or end < before:
            raise self._unknown()
        self._at += 1
