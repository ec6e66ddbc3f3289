"""The memo keeps what the last round used."""

from __future__ import annotations

from gatereeve.core.memo import Memo


def test_what_is_not_used_is_forgotten() -> None:
    memo = Memo()
    memo.get("a", lambda: 1)
    memo.sweep()
    assert memo.get("a", lambda: 2) == 1
    memo.sweep()
    memo.sweep()
    assert memo.get("a", lambda: 3) == 3
