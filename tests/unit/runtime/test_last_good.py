"""The last good configuration survives a restart, and a damaged file does not stop one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatereeve.core.refs import ConfigHash
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.runtime import last_good

SNAPSHOT = snap.Snapshot(
    version=ConfigHash("sha256:1"),
    resources={
        snap.CDS: {
            "a": snap.Resource(name="a", version="1", body=b"\x00\xff", needs=((snap.EDS, "a"),))
        },
        snap.EDS: {"a": snap.Resource(name="a", version="2", body=b"")},
    },
)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "gates" / "g.msgpack"
    last_good.save(path, SNAPSHOT)
    assert last_good.load(path) == SNAPSHOT
    assert path.stat().st_mode & 0o077 == 0


def test_nothing_saved_is_nothing(tmp_path: Path) -> None:
    assert last_good.load(tmp_path / "none") is None


def test_a_damaged_file_is_said_and_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "g.msgpack"
    last_good.save(path, SNAPSHOT)
    path.write_bytes(path.read_bytes()[:-3])
    assert last_good.load(path) is None
    assert "cannot be used as last good" in caplog.text


def test_a_failed_write_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "g.msgpack"
    last_good.save(path, SNAPSHOT)
    (tmp_path / "g.new").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - any of them
        last_good.save(path, snap.Snapshot(version=ConfigHash("x"), resources={}))
    assert last_good.load(path) == SNAPSHOT
