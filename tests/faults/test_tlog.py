"""Every call of the log's writer fails once in every way; then: verify, recover, continue, verify again.

The log has 255 entries and gets 2, which crosses a tile. A kill leaves what the process did; a power cut may
take every name, or every content, that was not synced. The log as it lies there must verify at 255 or 257
entries, never fewer than were acknowledged; the writer must open it, take other entries, and continue every
checkpoint that was ever returned.
A writer in a process of its own is also killed at random, on the real disk.
Mutants that write in another order or do not sync must be caught by the same battery.
"""

from __future__ import annotations

import dataclasses
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from gatereeve.core import errors
from gatereeve.ledger.tlog import merkle, recovery, tiles, verify, writer
from gatereeve.ledger.tlog.tree import Tile
from tests.faults.tlog_disks import (
    ERRORS,
    KILLS,
    MODES,
    ROOT,
    FaultyDisk,
    Killed,
    MemoryDisk,
    NoFileSync,
    NoFolderSync,
    QuickDisk,
    lay_out,
)
from tests.support import tlogs
from tests.support.processes import start_python

LOG = ROOT / "log"
KEY = tlogs.SIGNER.verifier
BEFORE, AFTER = 255, 257
CUTS = [(names, contents) for names in (True, False) for contents in (True, False)]
"""Whether names and contents that were not synced are kept; both: no power cut."""


@dataclasses.dataclass
class Case:
    """A log in memory, what it returned so far, and how the next batch went."""

    disk: MemoryDisk
    checkpoints: list[bytes]
    acknowledged: int = BEFORE


def base(disk: MemoryDisk) -> Case:
    made = recovery.create_log(LOG, tlogs.SIGNER, disk=disk)
    disk.sync_directory(ROOT)
    checkpoints = [made.append(tlogs.entries(0, 200)).checkpoint]
    checkpoints.append(made.append(tlogs.entries(200, BEFORE)).checkpoint)
    return Case(disk, checkpoints)


def append_two(case: Case, faulty: FaultyDisk, kind: type[writer.Writer]) -> None:
    opened = recovery.open_log(LOG, tlogs.SIGNER, disk=faulty)
    opened.__class__ = kind
    failure = None
    try:
        commit = opened.append(tlogs.entries(BEFORE, AFTER))
    except errors.StorageError as error:
        failure = error.reason
    if failure is not None:
        assert failure == "disk-failed"
        with pytest.raises(errors.StorageError) as again:
            opened.append([b"more"])
        assert again.value.reason == "writer-stopped"
    else:
        case.checkpoints.append(commit.checkpoint)
        case.acknowledged = AFTER


def problems(case: Case, directory: Path, sizes: tuple[int, ...]) -> Iterator[str]:
    """What is wrong with a log after a fault, in words; nothing when it is as it must be."""
    verdict = verify.verify(directory, KEY, older=case.checkpoints)
    if not verdict.is_intact or verdict.size not in sizes:
        yield f"left at {verdict.size}: {[fault.message for fault in verdict.faults]}"
        return
    try:
        opened = recovery.open_log(directory, tlogs.SIGNER, disk=QuickDisk())
    except errors.LedgerError as error:
        yield f"not opened: {error}"
        return
    if opened.size not in sizes or opened.size < case.acknowledged:
        yield f"opened at {opened.size}, {case.acknowledged} were acknowledged"
    expected = tlogs.entries(0, opened.size)
    for count in (1, 300):
        others = [b"other-%d" % number for number in range(count)]
        opened.append(others)
        expected += others
    opened.close()
    seen: list[bytes] = []
    verdict = verify.verify(
        directory, KEY, older=case.checkpoints, visit=lambda _, some: seen.extend(some)
    )
    if not verdict.is_intact or seen != expected:
        yield f"after going on: {[fault.message for fault in verdict.faults]}"
    if verdict.leftovers:
        yield f"left behind: {verdict.leftovers}"


class Outcomes:
    """What is wrong with what a fault left: found out once for each different outcome."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[object, list[str]] = {}

    def problems(self, case: Case, *, names_kept: bool, contents_kept: bool) -> list[str]:
        left = case.disk.left(names_kept=names_kept, contents_kept=contents_kept)
        key = (frozenset(left), case.acknowledged)
        if key not in self._known:
            directory = self._folder / str(len(self._known))
            lay_out(left, directory)
            self._known[key] = list(problems(case, directory / "log", (BEFORE, AFTER)))
            shutil.rmtree(directory)
        return self._known[key]


def battery(
    disk: MemoryDisk, tmp_path: Path, kind: type[writer.Writer] = writer.Writer
) -> tuple[Counter[str], list[str]]:
    """Runs of each way to fail, and what was wrong."""
    start = base(disk)
    counting = FaultyDisk(start.disk.clone())
    recovery.open_log(LOG, tlogs.SIGNER, disk=counting)
    first = len(counting.calls)
    counted = Case(start.disk.clone(), [])
    whole = FaultyDisk(counted.disk)
    append_two(counted, whole, kind)
    assert counted.acknowledged == AFTER
    outcomes = Outcomes(tmp_path)
    runs: Counter[str] = Counter()
    wrong: list[str] = []
    for nth in range(first, len(whole.calls)):
        for mode in MODES:
            case = Case(start.disk.clone(), list(start.checkpoints))
            faulty = FaultyDisk(case.disk, nth, mode)
            try:
                append_two(case, faulty, kind)
            except Killed:
                assert mode in KILLS
            assert faulty.hit
            for names, contents in CUTS:
                runs[mode] += 1
                where = f"{whole.calls[nth]} ({nth}) {mode}, names {names}, contents {contents}"
                found = outcomes.problems(case, names_kept=names, contents_kept=contents)
                wrong += [f"{where}: {problem}" for problem in found]
    return runs, wrong


def test_every_call_of_a_batch_fails_in_every_way(tmp_path: Path) -> None:
    runs, wrong = battery(MemoryDisk(), tmp_path)
    assert wrong == []
    assert set(runs) == set(MODES)
    assert min(runs.values()) > 160  # more than 40 calls, four cuts


class CheckpointFirst(writer.Writer):
    """The mutant that signs first."""

    def _commit(self, entries: Sequence[bytes]) -> None:
        self._commit_in_order(entries, ("checkpoint", "bundles", "tiles", "state"))

    def _commit_in_order(self, entries: Sequence[bytes], order: Sequence[str]) -> None:
        log = self._log
        before = set(tiles.edge(log.tree.size))
        bundles, log.bundle = writer.fill_bundles(log.tree.size, log.bundle, entries)
        full = log.tree.extend([merkle.hash_leaf(entry) for entry in entries])
        changed: list[Tile] = [*full, *(t for t in log.tree.edge() if t.name not in before)]
        steps: dict[str, Callable[[], object]] = {
            "bundles": lambda: log.files.write(bundles),
            "tiles": lambda: log.files.write([(t.name.path, t.hashes) for t in changed]),
            "state": lambda: writer.write_state(log, self._signer.name),
            "checkpoint": lambda: writer.publish(log, self._signer),
        }
        for step in order:
            steps[step]()
        log.checkpoint = log.files.read("checkpoint", 1000) or b""


class RightOrder(CheckpointFirst):
    def _commit(self, entries: Sequence[bytes]) -> None:
        self._commit_in_order(entries, ("bundles", "tiles", "state", "checkpoint"))


class StateFirst(CheckpointFirst):
    def _commit(self, entries: Sequence[bytes]) -> None:
        self._commit_in_order(entries, ("state", "bundles", "tiles", "checkpoint"))


class CheckpointBeforeState(CheckpointFirst):
    def _commit(self, entries: Sequence[bytes]) -> None:
        self._commit_in_order(entries, ("bundles", "tiles", "checkpoint", "state"))


@pytest.mark.parametrize("mutant", [CheckpointFirst, StateFirst, CheckpointBeforeState])
def test_mutants_of_the_order_are_caught(mutant: type[writer.Writer], tmp_path: Path) -> None:
    _, wrong = battery(MemoryDisk(), tmp_path, mutant)
    assert len(wrong) > 20


def test_the_mutants_differ_by_their_order_alone(tmp_path: Path) -> None:
    _, wrong = battery(MemoryDisk(), tmp_path, RightOrder)
    assert wrong == []


@pytest.mark.parametrize("mutant", [NoFileSync, NoFolderSync])
def test_mutants_that_do_not_sync_are_caught(mutant: type[MemoryDisk], tmp_path: Path) -> None:
    case = base(mutant())
    append_two(case, FaultyDisk(case.disk), writer.Writer)
    case.disk.dump(tmp_path / "cut", names_kept=False, contents_kept=False)
    assert not verify.verify(tmp_path / "cut" / "log", KEY).is_intact
    right = base(MemoryDisk())
    append_two(right, FaultyDisk(right.disk), writer.Writer)
    right.disk.dump(tmp_path / "right", names_kept=False, contents_kept=False)
    assert verify.verify(tmp_path / "right" / "log", KEY).size == AFTER


def crashed() -> Case:
    """A log whose state has 257 entries and whose checkpoint has 255, with leftovers of a batch behind."""
    case = base(MemoryDisk())
    faulty = FaultyDisk(case.disk)
    opened = recovery.open_log(LOG, tlogs.SIGNER, disk=faulty)
    publish = writer.publish
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "publish", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            opened.append(tlogs.entries(BEFORE, AFTER))
    assert writer.publish is publish
    case.acknowledged = BEFORE
    for path in ("tile/0/001.p/9", "tile/0/002.p/3", "tile/entries/001", "tile/entries/002.p/7"):
        target = LOG / path
        for folder in reversed(target.relative_to(LOG).parents):
            if (LOG / folder).name not in case.disk.names((LOG / folder).parent):
                case.disk.make_directory(LOG / folder)
        case.disk.close(case.disk.create(target))
    return case


def test_recovery_goes_forward_and_tidies_up(tmp_path: Path) -> None:
    case = crashed()
    case.disk.dump(tmp_path / "x", names_kept=True, contents_kept=True)
    directory = tmp_path / "x" / "log"
    before = verify.verify(directory, KEY)
    assert (before.is_intact, before.size) == (True, BEFORE)
    assert len(before.leftovers) >= 4
    opened = recovery.open_log(directory, tlogs.SIGNER)
    assert opened.size == AFTER
    opened.close()
    after = verify.verify(directory, KEY, older=case.checkpoints)
    assert (after.is_intact, after.size, after.leftovers) == (True, AFTER, ())


def test_every_call_of_a_recovery_fails_in_every_way(tmp_path: Path) -> None:
    start = crashed()
    counting = FaultyDisk(start.disk.clone())
    recovery.open_log(LOG, tlogs.SIGNER, disk=counting)
    outcomes = Outcomes(tmp_path)
    runs = 0
    for nth in range(len(counting.calls)):
        for mode in MODES:
            case = Case(start.disk.clone(), list(start.checkpoints))
            faulty = FaultyDisk(case.disk, nth, mode)
            failure = ""
            try:
                recovery.open_log(LOG, tlogs.SIGNER, disk=faulty)
            except Killed:
                failure = "killed"
            except errors.StorageError as error:
                failure = error.reason
            assert failure == ("killed" if mode in KILLS else "disk-failed")
            assert faulty.hit
            for names, contents in CUTS:
                where = (counting.calls[nth], nth, mode, names, contents)
                found = outcomes.problems(case, names_kept=names, contents_kept=contents)
                assert found == [], where
                runs += 1
    assert runs > 1000


def test_every_call_of_a_creation_fails_in_every_way(tmp_path: Path) -> None:
    counting = FaultyDisk(MemoryDisk())
    recovery.create_log(LOG, tlogs.SIGNER, disk=counting)
    for nth in range(len(counting.calls)):
        for mode in MODES:
            memory = MemoryDisk()
            faulty = FaultyDisk(memory, nth, mode)
            try:
                recovery.create_log(LOG, tlogs.SIGNER, disk=faulty)
            except Killed:
                assert mode in KILLS
            except errors.StorageError:
                assert mode not in KILLS
            for number, (names, contents) in enumerate(CUTS):
                directory = tmp_path / f"{nth}-{MODES.index(mode)}-{number}"
                memory.dump(directory, names_kept=names, contents_kept=contents)
                is_there = recovery.is_log(directory / "log")
                begin = recovery.open_log if is_there else recovery.create_log
                opened = begin(directory / "log", tlogs.SIGNER, disk=QuickDisk())
                opened.append([b"first"])
                opened.close()
                assert verify.verify(directory / "log", KEY).is_intact


def test_a_failed_pruning_fails_no_batch(tmp_path: Path) -> None:
    case = base(MemoryDisk())
    counting = FaultyDisk(case.disk.clone())
    append_two(Case(case.disk.clone(), []), counting, writer.Writer)
    nth = counting.calls.index("remove")
    faulty = FaultyDisk(case.disk, nth, ERRORS[0][0])
    append_two(case, faulty, writer.Writer)
    assert (faulty.hit, case.acknowledged) == (True, AFTER)
    case.disk.dump(tmp_path / "x", names_kept=True, contents_kept=True)
    directory = tmp_path / "x" / "log"
    assert (directory / "tile/0/000.p").exists()
    assert verify.verify(directory, KEY, older=case.checkpoints).is_intact
    recovery.open_log(directory, tlogs.SIGNER).close()
    assert not (directory / "tile/0/000.p").exists()


def test_a_writer_that_is_killed_at_random_loses_nothing(tmp_path: Path) -> None:
    """The real disk, and kill -9: what was acknowledged is there, in order, and the next writer goes on."""
    directory = tmp_path / "log"
    recovery.create_log(directory, tlogs.SIGNER).close()
    acknowledged = 0
    for number in range(8):
        log = tmp_path / f"child-{number}"
        child = start_python(["tests.faults.tlog_child", str(directory)], log=log)
        try:
            while log.read_bytes().count(b"\n") < random.randrange(1, 12):
                assert child.poll() is None, log.read_text()
                time.sleep(0.002)
        finally:
            child.kill()
            child.wait()
        acknowledged = int(log.read_bytes().rpartition(b"\n")[0].rpartition(b"\n")[2])
        assert verify.verify(directory, KEY).size >= acknowledged
    opened = recovery.open_log(directory, tlogs.SIGNER)
    assert opened.size >= acknowledged > 8
    opened.close()
    seen: list[bytes] = []
    verdict = verify.verify(directory, KEY, visit=lambda _, some: seen.extend(some))
    assert (verdict.is_intact, verdict.leftovers) == (True, ())
    assert seen == tlogs.entries(0, opened.size)
