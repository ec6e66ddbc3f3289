"""The memo keeps what the last round used, and what made the results that it still has."""

from __future__ import annotations

from gatereeve.core.memo import Memo


class Kitchen:
    """Results made of parts, as the compiler makes them; notes what it had to make."""

    def __init__(self) -> None:
        self.memo = Memo()
        self.made: list[str] = []

    def round(self, **results: str) -> None:
        """One compilation: each result is made of the letters of its input."""
        for name, letters in results.items():
            part = self.memo.part(name)
            self.memo.get((name, letters), lambda: self._result(letters, part))  # noqa: B023
        self.memo.sweep()

    def _result(self, letters: str, part: Memo) -> str:
        return "".join(part.get(letter, lambda: self._make(letter)) for letter in letters)  # noqa: B023

    def _make(self, letter: str) -> str:
        self.made.append(letter)
        return letter


def test_what_is_not_used_is_forgotten() -> None:
    memo = Memo()
    memo.get("a", lambda: 1)
    memo.sweep()
    assert memo.get("a", lambda: 2) == 1
    memo.sweep()
    memo.sweep()
    assert memo.get("a", lambda: 3) == 3


def test_what_made_a_result_outlives_rounds_that_only_took_the_result() -> None:
    kitchen = Kitchen()
    kitchen.round(one="abc", two="xyz")
    for _ in range(3):
        kitchen.round(one="abc", two="xyz")
    kitchen.made.clear()
    kitchen.round(one="abd", two="xyz")
    assert kitchen.made == ["d"]
    kitchen.round(one="abd", two="xyw")
    assert kitchen.made == ["d", "w"]


def test_a_part_forgets_what_its_last_result_did_not_use() -> None:
    kitchen = Kitchen()
    kitchen.round(one="abc")
    kitchen.round(one="abd")
    kitchen.round(one="abe")
    kitchen.made.clear()
    kitchen.round(one="abc")
    assert kitchen.made == ["c"]
