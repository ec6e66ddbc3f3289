"""The last good configuration survives a restart, and a damaged file does not stop one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gatereeve.core.refs import ConfigHash
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.runtime.last_good import LastGood

SNAPSHOT = snap.Snapshot(
    version=ConfigHash("sha256:1"),
    resources={
        snap.CDS: {
            "a": snap.Resource(name="a", version="1", body=b"\x00\xff", needs=((snap.EDS, "a"),))
        },
        snap.EDS: {"a": snap.Resource(name="a", version="2", body=b"")},
    },
)
OTHER = snap.Snapshot(
    version=ConfigHash("sha256:2"),
    resources={
        snap.CDS: {"a": replace(SNAPSHOT.of(snap.CDS)["a"], version="3", body=b"new")},
        snap.RDS: {"r": snap.Resource(name="r", version="4", body=b"route")},
    },
)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "gates" / "g.journal"
    LastGood(path).save(SNAPSHOT)
    assert LastGood(path).load() == SNAPSHOT
    assert path.stat().st_mode & 0o077 == 0


def test_the_newest_is_loaded_and_only_what_differs_is_written(tmp_path: Path) -> None:
    path = tmp_path / "g.journal"
    large = snap.Resource(name="l", version="9", body=bytes(200_000))
    kept = LastGood(path)
    kept.save(replace(SNAPSHOT, resources={**SNAPSHOT.resources, snap.LDS: {"l": large}}))
    before = path.stat().st_size
    newest = replace(OTHER, resources={**OTHER.resources, snap.LDS: {"l": large}})
    kept.save(newest)
    assert path.stat().st_size - before < 1_000
    after = LastGood(path)
    assert after.load() == newest
    after.save(SNAPSHOT)
    assert LastGood(path).load() == SNAPSHOT


def test_nothing_saved_is_nothing(tmp_path: Path) -> None:
    assert LastGood(tmp_path / "none").load() is None


def test_what_a_kill_cut_off_leaves_what_was_kept_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "g.journal"
    kept = LastGood(path)
    kept.save(SNAPSHOT)
    kept.save(OTHER)
    path.write_bytes(path.read_bytes()[:-3])
    assert LastGood(path).load() == SNAPSHOT
    assert "file_damaged" in caplog.text


def test_a_damaged_file_is_said_and_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "g.journal"
    LastGood(path).save(SNAPSHOT)
    path.write_bytes(path.read_bytes()[:-3])
    damaged = LastGood(path)
    assert damaged.load() is None
    assert "file_damaged" in caplog.text
    damaged.save(OTHER)
    assert LastGood(path).load() == OTHER


def test_a_failed_write_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "g.journal"
    LastGood(path).save(SNAPSHOT)
    (tmp_path / "g.new").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - any of them
        LastGood(path).save(OTHER)
    assert LastGood(path).load() == SNAPSHOT
