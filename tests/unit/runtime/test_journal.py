"""A journal keeps whole saves through cuts, damage, full disks and being made anew."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatereeve.runtime.journal import Journal

Saves = list[dict[str, bytes | None]]

SAVES: Saves = [
    {"a": b"1", "b": b"2"}, {"a": b"3"}, {"b": None, "c": b""}, {"c": b"\xff" * 40},
]  # fmt: skip


def states(saves: Saves) -> list[dict[str, bytes]]:
    """What is kept after each save, first after none."""
    found: list[dict[str, bytes]] = [{}]
    for changed in saves:
        after = {**found[-1], **{k: v for k, v in changed.items() if v is not None}}
        found.append({k: v for k, v in after.items() if changed.get(k, b"") is not None})
    return found


def write(journal: Journal, saves: Saves) -> None:
    for changed, after in zip(saves, states(saves)[1:], strict=True):
        journal.save(changed, lambda after=after: after.items())  # type: ignore[misc]


def test_a_cut_at_any_byte_leaves_a_whole_save_and_may_be_followed(tmp_path: Path) -> None:
    path = tmp_path / "j"
    write(Journal(path), SAVES)
    content = path.read_bytes()
    seen = []
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        journal = Journal(path)
        found = journal.load()
        assert found in states(SAVES)
        seen.append(found)
        journal.save({"z": b"new"}, lambda found=found: {**found, "z": b"new"}.items())  # type: ignore[misc]
        assert Journal(path).load() == {**found, "z": b"new"}
    assert [seen[0], seen[-1]] == [{}, states(SAVES)[-1]]


def test_a_flipped_bit_anywhere_loses_what_follows_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "j"
    write(Journal(path), SAVES)
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
        assert Journal(path).load() in states(SAVES)[:-1]


@given(
    st.lists(
        st.lists(
            st.dictionaries(st.sampled_from("abcd"), st.none() | st.binary(max_size=5), min_size=1),
            max_size=4,
        ),
        max_size=4,
    )
)
def test_processes_after_one_another_keep_what_was_saved_last(
    tmp_path_factory: pytest.TempPathFactory, lives: list[Saves]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    kept: dict[str, bytes] = {}
    for saves in lives:
        journal = Journal(path)
        assert journal.load() == kept
        for changed in saves:
            kept = {**kept, **{k: v for k, v in changed.items() if v is not None}}
            kept = {k: v for k, v in kept.items() if changed.get(k, b"") is not None}
            journal.save(changed, lambda kept=kept: kept.items())  # type: ignore[misc]
    assert Journal(path).load() == kept


def test_it_is_made_anew_when_most_of_it_is_old(tmp_path: Path) -> None:
    path, journal = tmp_path / "j", Journal(tmp_path / "j")
    largest = 0
    for number in range(60):
        value = bytes([number]) * 100_000
        journal.save({"a": value}, lambda value=value: {"a": value}.items())  # type: ignore[misc]
        largest = max(largest, path.stat().st_size)
    assert Journal(path).load() == {"a": bytes([59]) * 100_000}
    assert 500_000 < largest < 1_500_000


def test_a_full_disk_is_told_and_what_was_saved_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, journal = tmp_path / "j", Journal(tmp_path / "j")
    journal.save({"a": b"1"}, {"a": b"1"}.items)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            journal.save({"b": b"2"}, {"a": b"1", "b": b"2"}.items)
    assert Journal(path).load()["a"] == b"1"
    journal.save({"c": b"3"}, {"a": b"1", "b": b"2", "c": b"3"}.items)
    assert Journal(path).load() == {"a": b"1", "b": b"2", "c": b"3"}


def test_a_file_that_somebody_took_away_is_made_anew_after_an_error(tmp_path: Path) -> None:
    path, journal = tmp_path / "j", Journal(tmp_path / "j")
    journal.save({"a": b"1"}, {"a": b"1"}.items)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        journal.save({"b": b"2"}, {"a": b"1", "b": b"2"}.items)
    journal.save({}, {"a": b"1", "b": b"2"}.items)
    assert Journal(path).load() == {"a": b"1", "b": b"2"}


def test_it_is_private(tmp_path: Path) -> None:
    Journal(tmp_path / "made" / "j").save({}, list)
    assert (tmp_path / "made" / "j").stat().st_mode & 0o077 == 0


def test_another_file_counts_as_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "j").write_bytes(b"something else")
    assert Journal(tmp_path / "j").load() == {}
    assert "damaged" in caplog.text
