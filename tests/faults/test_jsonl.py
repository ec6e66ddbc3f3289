"""Halves of failures in the store of JSON lines.

Each call on the disk fails once, in each way: not done, done after all, torn. Then the scenario goes
on as an operator would (the same records again; opened anew when it says so), the directory is
opened anew and must hold every acknowledged record, in order, and nothing that is not a record.
A writer is killed with -9 at random points: every line it acknowledged must be there.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gatereeve.core import errors, records
from gatereeve.ledger import disk, jsonl, segments
from tests.recording import StillClock, request

CALLS = ("open_append", "lock", "write", "truncate", "sync", "sync_directory", "rename")
FAULTS = (
    *((call, mode) for call in CALLS for mode in ("not-done", "done-after-all")),
    ("write", "torn"),
    ("close", "done-after-all"),  # Linux takes the descriptor back whatever close() says
)


class FaultyDisk(disk.OsDisk):
    """The real disk, of which the `nth` use of `call` fails in the way of `mode`."""

    def __init__(self, call: str, nth: int, mode: str) -> None:
        self.fault = (call, mode)
        self.left = nth
        self.hit = False

    def _fails(self, call: str) -> bool:
        if call != self.fault[0]:
            return False
        self.left -= 1
        return self.left == 0

    def _around(self, call: str, done: object, *arguments: object) -> object:
        assert callable(done)
        if not self._fails(call):
            return done(*arguments)
        self.hit = True
        if self.fault[1] == "done-after-all":
            done(*arguments)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def open_append(self, path: Path) -> int:
        return self._around("open_append", super().open_append, path)  # type: ignore[return-value]

    def lock(self, descriptor: int) -> None:
        self._around("lock", super().lock, descriptor)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.fault == ("write", "torn"):
            if not self._fails("write"):
                # Short writes all the way: legal, and the caller must go on with the rest.
                return super().write(descriptor, data[: max(1, len(data) // 2)])
            self.hit = True
            super().write(descriptor, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._around("write", super().write, descriptor, data)  # type: ignore[return-value]

    def truncate(self, descriptor: int, size: int) -> None:
        self._around("truncate", super().truncate, descriptor, size)

    def sync(self, descriptor: int) -> None:
        self._around("sync", super().sync, descriptor)

    def sync_directory(self, path: Path) -> None:
        self._around("sync_directory", super().sync_directory, path)

    def rename(self, path: Path, name: Path) -> None:
        self._around("rename", super().rename, path, name)

    def close(self, descriptor: int) -> None:
        self._around("close", super().close, descriptor)


@dataclasses.dataclass
class Operator:
    """Writes records through all errors, and remembers what was acknowledged."""

    directory: Path
    files: disk.Disk
    acknowledged: list[int] = dataclasses.field(default_factory=list)
    store: jsonl.JsonLines | None = None

    def open(self) -> jsonl.JsonLines:
        for _ in range(4):
            if self.store is not None:
                break
            try:
                self.store = jsonl.open_store(
                    self.directory, StillClock(), files=self.files, rotate_bytes=700
                )
            except errors.RecordError:
                continue
        assert self.store is not None
        return self.store

    def again(self) -> None:
        """The store is in doubt: let go of it, whatever it says, and open it anew."""
        assert self.store is not None
        try:
            self.store.close()
        except errors.RecordError:
            self.store.close()  # the second call does nothing
        self.store = None

    def write(self, *numbers: int) -> None:
        for _ in range(4):
            try:
                self.open().append([request(number) for number in numbers])
                self.acknowledged.extend(numbers)
                self.open().sync()
            except errors.RecordError:
                if self.acknowledged[-len(numbers) :] == list(numbers):
                    self.again()
                    return
                if self.store is not None:
                    self.again()
            else:
                return
        raise AssertionError("the store never took the records")


def scenario(directory: Path, files: disk.Disk) -> list[int]:
    path = segments.segment_path(directory, 1)
    path.parent.mkdir(parents=True)
    path.write_bytes(records.encode(request(0)) + b"\n" + b'{"torn')
    operator = Operator(directory, files)
    for numbers in ((1,), (2, 3), (4, 5, 6), (7,), (8,), (9,)):
        operator.write(*numbers)
    operator.open()
    operator.again()
    return [0, *operator.acknowledged]


def verify(directory: Path, acknowledged: list[int]) -> None:
    jsonl.open_store(directory, StillClock()).close()
    kept = [records.decode(line) for line in segments.read(directory)]
    numbers = [record.sequence for record in kept if isinstance(record, records.RequestRecord)]
    once = [n for i, n in enumerate(numbers) if n not in numbers[:i]]
    assert once == acknowledged
    notes = {
        record.record_id
        for record in kept
        if isinstance(record, records.LossRecord) and record.reason.startswith("torn")
    }
    aside = sorted((directory / "records").glob("*.torn*"))
    assert [path.read_bytes() for path in aside][:1] == [b'{"torn']
    assert len(notes) == len(aside)


def uses(call: str, tmp_path_factory: pytest.TempPathFactory) -> int:
    counting = FaultyDisk(call, -1, "not-done")
    scenario(tmp_path_factory.mktemp("count") / "state", counting)
    return -1 - counting.left


@pytest.mark.parametrize(("call", "mode"), FAULTS)
def test_each_call_fails_once_in_each_way(
    call: str, mode: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for nth in range(1, uses(call, tmp_path_factory) + 1):
        directory = tmp_path_factory.mktemp("state") / "state"
        files = FaultyDisk(call, nth, mode)
        acknowledged = scenario(directory, files)
        assert files.hit, (call, nth)
        verify(directory, acknowledged)


class FullDisk(disk.OsDisk):
    """Takes `room` bytes, then writes what fits and says that no space is left."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.truncates = True

    def write(self, descriptor: int, data: bytes) -> int:
        fits = super().write(descriptor, data[: self.room]) if self.room else 0
        self.room -= fits
        if fits < len(data) and not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return fits

    def truncate(self, descriptor: int, size: int) -> None:
        if not self.truncates:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().truncate(descriptor, size)


def test_on_a_full_disk_nothing_half_written_stays(tmp_path: Path) -> None:
    files = FullDisk(room=1000)
    store = jsonl.open_store(tmp_path, StillClock(), files=files)
    taken = 0
    while files.room > 500:
        store.append([request(taken), request(taken + 1)])
        taken += 2
    with pytest.raises(errors.RecordError, match="No space left"):
        store.append([request(taken), request(taken + 1), request(taken + 2)])
    assert segments.segment_path(tmp_path, 1).read_bytes().endswith(b"}\n")
    files.room = 10_000
    store.append([request(taken), request(taken + 1)])
    store.close()
    kept = [records.decode(line) for line in segments.read(tmp_path)]
    assert kept == [request(number) for number in range(taken + 2)]


def test_what_cannot_be_cut_now_is_cut_before_the_next_write(tmp_path: Path) -> None:
    files = FullDisk(room=400)
    store = jsonl.open_store(tmp_path, StillClock(), files=files)
    files.truncates = False
    with pytest.raises(errors.RecordError):
        store.append([request(number) for number in range(5)])
    assert not segments.segment_path(tmp_path, 1).read_bytes().endswith(b"\n")
    files.room = 10_000
    with pytest.raises(errors.RecordError):
        store.append([request(7)])
    files.truncates = True
    store.append([request(8)])
    store.close()
    assert [records.decode(line) for line in segments.read(tmp_path)] == [request(8)]


def test_after_a_failed_sync_nothing_is_promised_and_it_goes_on_elsewhere(tmp_path: Path) -> None:
    store = jsonl.open_store(tmp_path, StillClock(), files=FaultyDisk("sync", 1, "not-done"))
    store.append([request(1), request(2)])
    with pytest.raises(errors.RecordError, match="not known to be durable"):
        store.sync()
    with pytest.raises(errors.RecordError, match="a sync failed"):
        store.sync()
    store.append([request(3)])
    store.sync()
    store.close()
    first, second, note, third = (records.decode(line) for line in segments.read(tmp_path))
    assert [first, second, third] == [request(1), request(2), request(3)]
    assert isinstance(note, records.LossRecord)
    assert note.lost == 0
    assert "2 records may not survive" in note.reason
    assert segments.segment_numbers(tmp_path) == (1, 2)


WRITER = """
import sys
from pathlib import Path
from tests.recording import StillClock, request
from gatereeve.ledger import jsonl
store = jsonl.open_store(Path(sys.argv[1]), StillClock(), rotate_bytes=20_000)
number = int(sys.argv[2])
while True:
    batch = [request(number + step, details="d" * 200) for step in range(7)]
    store.append(batch)
    number += 7
    print(number, flush=True)
"""


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(20261124)  # seeded on purpose
    acknowledged = 0
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(acknowledged)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        ) as writer:
            assert writer.stdout is not None
            heard = [int(writer.stdout.readline()) for _ in range(chance.randrange(1, 60))]
            # A moment of the kernel's choosing: some microseconds into the next write.
            select.select([], [], [], chance.random() * 0.002)
            writer.send_signal(signal.SIGKILL)
            heard += [int(line) for line in writer.stdout if line.endswith(b"\n")]
        jsonl.open_store(tmp_path, StillClock()).close()
        kept = [
            record.sequence
            for record in map(records.decode, segments.read(tmp_path))
            if isinstance(record, records.RequestRecord)
        ]
        # A batch that was stored but not yet acknowledged may be there as well.
        assert kept == list(range(len(kept)))
        assert len(kept) >= heard[-1]
        acknowledged = len(kept)
