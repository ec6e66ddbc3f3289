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

    def sweep(self) -> None:
        """End of a compilation: what it did not use is forgotten."""
        self._kept, self._used = self._used, {}
