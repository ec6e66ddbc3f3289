"""Halves of failures in the store of records: every call on the disk, every way, a kill, a power cut.

What `append` acknowledged survives a kill. What `sync`, `commit` or `close` acknowledged survives a power cut.
Nothing is there twice while the process lives, and the order is that of the calls. The log verifies each time.
A writer is killed with -9 at random moments on the real disk: every record it acknowledged must be there.
"""

from __future__ import annotations

import dataclasses
import random
import select
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gatereeve.core import errors, records
from gatereeve.ledger.log_key import LOG, VKEY
from gatereeve.ledger.reading import RecordLog
from gatereeve.ledger.store import LedgerStore, open_records, open_store
from gatereeve.ledger.tlog import notes, recovery, verify
from tests.faults.tlog_disks import (
    ERRORS,
    KILLS,
    MODES,
    ROOT,
    FaultyDisk,
    Killed,
    MemoryDisk,
    QuickDisk,
)
from tests.recording import StillClock, request
from tests.support import tlogs

MEMORY_LOG = ROOT / "log"
KEY = tlogs.SIGNER.verifier
BATCHES = ((1,), (2, 3), (4, 5, 6), (7,), (8,), (9,))


@dataclasses.dataclass
class Intake:
    """Writes records through all errors, as the intake does: again, until they are taken.

    given: taken by `append`. durable: how many of them `sync` or `commit` acknowledged.
    """

    disk: FaultyDisk
    store: LedgerStore | None = None
    given: list[int] = dataclasses.field(default_factory=list)
    durable: int = 0
    refusals: int = 0

    def open(self) -> LedgerStore:
        for _ in range(3):
            if self.store is None:
                try:
                    self.store = open_records(
                        MEMORY_LOG, tlogs.SIGNER, StillClock(), disk=self.disk
                    )
                except errors.StorageError:
                    self.refusals += 1
        assert self.store is not None
        return self.store

    def write(self, *numbers: int) -> None:
        for _ in range(3):
            try:
                self.open().append([request(number) for number in numbers])
            except errors.StorageError:
                self.refusals += 1
            else:
                self.given += numbers
                return
        raise AssertionError("the store never took the records")

    def settle(self, how: str) -> None:
        """Sync or commit, twice if need be."""
        for _ in range(3):
            try:
                getattr(self.open(), how)()
            except errors.StorageError:
                self.refusals += 1
            else:
                self.durable = len(self.given)
                return
        raise AssertionError(f"{how} never succeeded")

    def close(self) -> None:
        """Whatever it says: a second call does nothing."""
        store, self.store = self.open(), None
        try:
            store.close()
        except errors.StorageError:
            self.refusals += 1
            store.close()
        else:
            self.durable = len(self.given)


def scenario(intake: Intake) -> None:
    for number, batch in enumerate(BATCHES):
        intake.write(*batch)
        if number % 3 == 1:
            intake.settle("commit")
        elif number % 3 == 2:
            intake.settle("sync")
        if number == 3:
            intake.close()
    intake.settle("sync")
    intake.write(10)
    intake.close()


def base() -> MemoryDisk:
    disk = MemoryDisk()
    intake = Intake(FaultyDisk(disk))
    intake.store = open_records(
        MEMORY_LOG, tlogs.SIGNER, StillClock(), is_new=True, disk=intake.disk
    )
    disk.sync_directory(ROOT)
    intake.close()
    return disk


def reopened(directory: Path) -> list[int]:
    """The numbers of the records, in order, once the store was opened anew. The log verifies."""
    open_records(directory, tlogs.SIGNER, StillClock(), disk=QuickDisk()).close()
    verdict = verify.verify(directory, KEY)
    assert verdict.is_intact, verdict.faults
    found = [records.decode(entry) for _, entry in RecordLog(directory).read()]
    return [record.sequence for record in found if isinstance(record, records.RequestRecord)]


def test_every_call_fails_once_in_every_way(tmp_path: Path) -> None:
    start = base()
    counting = FaultyDisk(start.clone())
    scenario(Intake(counting))
    outcomes: dict[object, list[int]] = {}
    runs = 0
    for nth in range(len(counting.calls)):
        for mode in MODES:
            disk = start.clone()
            intake = Intake(FaultyDisk(disk, nth, mode))
            try:
                scenario(intake)
            except Killed:
                assert mode in KILLS
            assert intake.disk.hit, (nth, mode)
            for kept in (True, False):
                left = disk.left(names_kept=kept, contents_kept=kept)
                key = frozenset(left)
                if key not in outcomes:
                    target = tmp_path / str(len(outcomes))
                    disk.dump(target, names_kept=kept, contents_kept=kept)
                    outcomes[key] = reopened(target / "log")
                numbers, where = outcomes[key], (counting.calls[nth], nth, mode, kept)
                least = len(intake.given) if kept else intake.durable
                assert numbers[:least] == intake.given[:least], where
                once = list(dict.fromkeys(numbers))
                assert once == sorted(once), where
                if mode not in KILLS:
                    assert numbers == intake.given, where
                runs += 1
    assert runs > 1000


def test_an_interrupted_opening_goes_on(tmp_path: Path) -> None:
    """Records wait, with a torn end behind them: each call of the opening that commits them fails."""
    disk = base()
    intake = Intake(FaultyDisk(disk))
    intake.write(1, 2)
    start = disk.clone()  # killed here
    descriptor = start.open_append(MEMORY_LOG / ".state/pending-0")
    start.write(descriptor, b"torn")
    start.close(descriptor)
    counting = FaultyDisk(start.clone())
    open_records(MEMORY_LOG, tlogs.SIGNER, StillClock(), disk=counting)
    for nth in range(len(counting.calls)):
        for mode in MODES:
            memory = start.clone()
            faulty = FaultyDisk(memory, nth, mode)
            try:
                open_records(MEMORY_LOG, tlogs.SIGNER, StillClock(), disk=faulty)
            except Killed:
                assert mode in KILLS
            except errors.StorageError:
                assert mode not in KILLS
            target = tmp_path / f"{nth}-{MODES.index(mode)}"
            memory.dump(target, names_kept=True, contents_kept=True)
            assert reopened(target / "log") == [1, 2]
            found = [records.decode(entry) for _, entry in RecordLog(target / "log").read()]
            assert [r.lost for r in found if isinstance(r, records.LossRecord)] == [1]


class FailingDisk(QuickDisk):
    """The real disk, of which the calls in `failing` fail."""

    def __init__(self) -> None:
        self.failing: set[str] = set()

    def _check(self, call: str) -> None:
        if call in self.failing:
            raise OSError(ERRORS[0][1], "no such luck")

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if "write" in self.failing:
            super().write(descriptor, data[: len(data) // 2])
        self._check("write")
        return super().write(descriptor, data)

    def truncate(self, descriptor: int, size: int) -> None:
        self._check("truncate")
        super().truncate(descriptor, size)

    def create(self, path: Path) -> int:
        self._check("create")
        return super().create(path)

    def sync(self, descriptor: int) -> None:
        self._check("sync")
        super().sync(descriptor)


def real(directory: Path, disk: FailingDisk) -> LedgerStore:
    is_new = not directory.exists()
    return open_records(directory, tlogs.SIGNER, StillClock(), is_new=is_new, disk=disk)


def test_on_a_full_disk_nothing_half_written_stays(tmp_path: Path) -> None:
    disk = FailingDisk()
    store = real(tmp_path / "log", disk)
    store.append([request(1)])
    before = (tmp_path / "log/.state/pending-0").read_bytes()
    disk.failing = {"write"}
    with pytest.raises(errors.StorageError) as full:
        store.append([request(2), request(3)])
    assert full.value.reason == "pending-failed"
    assert (tmp_path / "log/.state/pending-0").read_bytes() == before
    disk.failing = {"write", "truncate"}
    for _ in range(2):
        with pytest.raises(errors.StorageError):
            store.append([request(2), request(3)])
    disk.failing = set()
    store.append([request(4)])
    store.close()
    assert reopened(tmp_path / "log") == [1, 4]


def test_while_the_log_cannot_be_written_records_wait(tmp_path: Path) -> None:
    disk = FailingDisk()
    store = real(tmp_path / "log", disk)
    disk.failing = {"create"}
    for number in (1, 2):
        store.append([request(number)])
        with pytest.raises(errors.StorageError) as failed:
            store.commit()
        assert failed.value.reason == "disk-failed"
        store.sync()
    assert store.waiting == 2
    store.close()  # they wait for the next process
    disk.failing = set()
    assert reopened(tmp_path / "log") == [1, 2]


class WaitingDisk(QuickDisk):
    """The real disk, which makes a commit wait until it is let go."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()
        self.go.set()

    def create(self, path: Path) -> int:
        self.reached.set()
        assert self.go.wait(60)
        return super().create(path)


def test_append_and_sync_do_not_wait_for_a_commit(tmp_path: Path) -> None:
    disk = WaitingDisk()
    log = tmp_path / "log"
    store = open_records(log, tlogs.SIGNER, StillClock(), is_new=True, disk=disk)
    store.append([request(1), request(2)])
    disk.reached.clear()
    disk.go.clear()
    commit = threading.Thread(target=store.commit)
    commit.start()
    assert disk.reached.wait(60)
    store.append([request(3)])
    store.sync()
    shutil.copytree(log, tmp_path / "killed")
    disk.go.set()
    commit.join()
    assert (store.waiting, RecordLog(log).size()) == (1, 2)
    shutil.copytree(log, tmp_path / "later")
    store.close()
    for directory in (log, tmp_path / "killed", tmp_path / "later"):
        assert reopened(directory) == [1, 2, 3]


def test_after_a_failed_sync_only_a_commit_makes_durable(tmp_path: Path) -> None:
    disk = FailingDisk()
    store = real(tmp_path / "log", disk)
    store.append([request(1)])
    disk.failing = {"sync", "create"}
    with pytest.raises(errors.StorageError):
        store.sync()
    disk.failing = {"create"}
    with pytest.raises(errors.StorageError):
        store.sync()  # the kernel would now say that all is well
    disk.failing = set()
    store.sync()
    assert (store.waiting, RecordLog(tmp_path / "log").size()) == (0, 1)
    store.close()


def test_a_log_that_another_wrote_meanwhile_stops_the_store(tmp_path: Path) -> None:
    disk = FailingDisk()
    store = real(tmp_path / "log", disk)
    store.append([request(1)])
    disk.failing = {"create"}
    with pytest.raises(errors.StorageError):
        store.commit()
    disk.failing = set()
    other = recovery.open_log(tmp_path / "log", tlogs.SIGNER)
    other.append([b"{}"])
    other.close()
    for call in (store.commit, store.sync, lambda: store.append([request(2)])):
        with pytest.raises(errors.TamperError) as stopped:
            call()
        assert stopped.value.reason == "log-moved"
    store.close()


WRITER = """
import sys, threading
from pathlib import Path
from tests.recording import StillClock, request
from gatereeve.ledger.store import open_store
store = open_store(Path(sys.argv[1]), StillClock())
def commit():
    while True:
        store.commit()
threading.Thread(target=commit, daemon=True).start()
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
            heard = [int(writer.stdout.readline()) for _ in range(chance.randrange(1, 200))]
            # A moment of the kernel's choosing: some microseconds into the next write.
            select.select([], [], [], chance.random() * 0.002)
            writer.send_signal(signal.SIGKILL)
            heard += [int(line) for line in writer.stdout if line.endswith(b"\n")]
        open_store(tmp_path, StillClock()).close()
        found = [records.decode(entry) for _, entry in RecordLog(tmp_path).read()]
        numbers = [r.sequence for r in found if isinstance(r, records.RequestRecord)]
        # A batch that was stored but not yet acknowledged may be there as well.
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= heard[-1]
        acknowledged = len(numbers)
    key = notes.parse_vkey((tmp_path / VKEY).read_text().strip())
    assert verify.verify(tmp_path / LOG, key).is_intact
