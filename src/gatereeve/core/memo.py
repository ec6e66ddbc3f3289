"""A bounded cache for pure functions of immutable inputs.

Documents and plans compare by identity and never change, so a key made of them stands for their
content. Only what the last compilation used is kept. Never invalidated by hand: a changed input is
another key. A test compares cached with cold compilation.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

T = TypeVar("T")


class Same:
    """A memo key that compares by identity what compares by value, and keeps it alive."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


class Memo:
    """Owned by whoever compiles repeatedly; an empty one gives the same results, slower."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, object] = {}
        self._used: dict[Hashable, object] = {}
        self._parts: dict[Hashable, Memo] = {}
        self._asked: set[Hashable] = set()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made now if the last two rounds did not need it.

        key: starts with the name of the function, then every input it reads.
        """
        try:
            return cast("T", self._used[key])
        except KeyError:
            pass
        value = self._kept[key] if key in self._kept else make()
        self._used[key] = value
        return cast("T", value)

    def part(self, name: Hashable) -> Memo:
        """The memo of one part of the work, whose whole result is kept here as well.

        It is swept only after rounds that made something in it, so that what made a result is still
        there when one of the result's inputs changes. Names come from a small fixed set.
        """
        found = self._parts.get(name)
        if found is None:
            found = self._parts[name] = Memo()
        self._asked.add(name)
        return found

    def sweep(self) -> None:
        """End of a compilation: what it did not use is forgotten."""
        self._kept, self._used = self._used, {}
        for name in self._asked:
            part = self._parts[name]
            if part.is_used():
                part.sweep()
        self._asked.clear()

    def is_used(self) -> bool:
        """Whether anything was asked of it, or of its parts, since the last sweep."""
        return bool(self._used) or any(self._parts[name].is_used() for name in self._asked)
