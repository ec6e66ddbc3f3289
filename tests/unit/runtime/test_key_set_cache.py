"""Key sets over restarts: what was saved is loaded; what is damaged counts as nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatereeve.runtime.key_set_cache import KeySetCache
from gatereeve.sources.jwks import CachedKeySet

AT = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
KEPT = {"https://a.test/k": CachedKeySet(text='{"keys": []}', at=AT, trust="public public")}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    memory = KeySetCache(tmp_path / "keys.json")
    assert memory.load() == {}
    memory.save(KEPT)
    assert KeySetCache(tmp_path / "keys.json").load() == KEPT
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    memory.save({})
    assert memory.load() == {}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{", b"\xff", b'{"u": 1}', b'{"u": {}}', b'{"u": {"text": 1, "at": "2026-11-01T00:00:00+00:00", "trust": "x"}}',
        b'{"u": {"text": "x", "at": "2026-11-01T00:00:00", "trust": "x"}}', b'{"u": {"text": "x", "at": "never", "trust": "x"}}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_damaged_counts_as_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys.json").write_bytes(content)
    assert KeySetCache(tmp_path / "keys.json").load() == {}


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    memory = KeySetCache(tmp_path / "gone" / "keys.json")
    memory.save(KEPT)
    assert memory.load() == {}
