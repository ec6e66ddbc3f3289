"""The writer: group commit, one writer, and every doubt at which it refuses to start."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gatereeve.core import errors
from gatereeve.ledger.tlog import notes, recovery, state, tiles, tree, verify, writer
from gatereeve.ledger.tlog.faults import texts
from tests.support import tlogs

KEY = tlogs.SIGNER.verifier


@pytest.fixture
def log(tmp_path: Path) -> Path:
    tlogs.make_log(tmp_path / "log", (255, 300))
    return tmp_path / "log"


def reason(directory: Path, kind: type[errors.LedgerError]) -> str:
    """Why the log is not opened; and that nothing was changed by trying."""
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    with pytest.raises(kind) as error:
        recovery.open_log(directory, tlogs.SIGNER)
    after = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    before.pop(directory / ".state/lock", None)
    after.pop(directory / ".state/lock", None)
    assert before == after
    assert error.value.hint
    assert error.value.reason in texts()
    return error.value.reason


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def restore_older(directory: Path, path: str) -> None:
    """The file as it was at 255 entries."""
    tlogs.make_log(directory.parent / "older", (255,))
    (directory / path).write_bytes((directory.parent / "older" / path).read_bytes())


DOUBTS: dict[str, Callable[[Path], object]] = {
    "state-missing": lambda d: (d / ".state/tree").unlink(),
    "state-malformed": lambda d: flip(d / ".state/tree", 0),
    "checkpoint-missing": lambda d: (d / "checkpoint").unlink(),
    "signature-invalid": lambda d: flip(d / "checkpoint", 32),
    "note-malformed": lambda d: (d / "checkpoint").write_bytes(b""),
    "checkpoint-ahead": lambda d: restore_older(d, ".state/tree"),
    "state-differs": lambda d: flip(d / "tile/0/001.p/44", 5),
    "stored-differs": lambda d: flip(d / "tile/entries/001.p/44", 5),
}


@pytest.mark.parametrize("code", DOUBTS)
def test_doubts(code: str, log: Path) -> None:
    DOUBTS[code](log)
    assert reason(log, errors.TamperError) == code


@pytest.mark.parametrize("path", ["tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"])
def test_files_of_the_edge_that_are_missing_or_cut(path: str, log: Path) -> None:
    data = (log / path).read_bytes()
    (log / path).write_bytes(data[:-1])
    assert reason(log, errors.TamperError) == "stored-differs"
    (log / path).write_bytes(data + b"x")
    assert reason(log, errors.TamperError) == "stored-differs"
    (log / path).unlink()
    assert reason(log, errors.TamperError) == "stored-differs"


def test_every_byte_of_the_state_matters(log: Path) -> None:
    """A changed byte is refused, or it changes nothing but `pruned`, which only says what to tidy."""
    file = log / ".state/tree"
    data = file.read_bytes()
    accepted = []
    for at in range(len(data)):
        flip(file, at)
        try:
            recovery.open_log(log, tlogs.SIGNER).close()
            accepted.append(at)
        except errors.TamperError:
            pass
        file.write_bytes(data)
    pruned = data.index(b'"pruned":') + len(b'"pruned":')
    assert set(accepted) <= set(range(pruned, pruned + 3))


def test_a_checkpoint_of_another_tree(log: Path, tmp_path: Path) -> None:
    fork = recovery.create_log(tmp_path / "fork", tlogs.SIGNER)
    (log / "checkpoint").write_bytes(fork.append([b"forged"]).checkpoint)
    fork.close()
    assert reason(log, errors.TamperError) == "checkpoint-differs"


def test_state_and_checkpoint_of_an_old_backup(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    made = recovery.create_log(directory, tlogs.SIGNER)
    old = {name: (directory / name).read_bytes() for name in (".state/tree", "checkpoint")}
    for _ in range(2):
        made.append([b"x"] * 65_536)
    made.close()
    for name, data in old.items():
        (directory / name).write_bytes(data)
    assert reason(directory, errors.TamperError) == "leftovers-too-many"


def test_another_key(log: Path) -> None:
    other = notes.Signer("other.example.com", tlogs.SIGNER.seed)
    with pytest.raises(errors.TamperError) as error:
        recovery.open_log(log, other)
    assert error.value.reason == "state-of-another-log"
    same_name = notes.Signer(tlogs.SIGNER.name, bytes(32))
    with pytest.raises(errors.TamperError) as error:
        recovery.open_log(log, same_name)
    assert error.value.reason == "note-unsigned"


def test_no_log_is_created_by_itself(tmp_path: Path) -> None:
    assert not recovery.is_log(tmp_path)
    assert reason(tmp_path, errors.LedgerError) == "log-missing"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(errors.LedgerError) as error:
        recovery.open_log(tmp_path / "nowhere", tlogs.SIGNER)
    assert error.value.reason == "log-missing"


def test_no_log_is_created_twice(log: Path) -> None:
    assert recovery.is_log(log)
    with pytest.raises(errors.ConflictError) as error:
        recovery.create_log(log, tlogs.SIGNER)
    assert error.value.reason == "log-exists"


def test_one_writer(log: Path) -> None:
    first = recovery.open_log(log, tlogs.SIGNER)
    code = (
        "import sys, pathlib\n"
        "from gatereeve.core import errors\n"
        "from gatereeve.ledger.tlog import notes, recovery\n"
        "signer = notes.Signer('audit.example.com/ai-gov/log1', bytes(range(32)))\n"
        "try: recovery.open_log(pathlib.Path(sys.argv[1]), signer)\n"
        "except errors.ConflictError as error: print(error.reason, error)"
    )
    run = [sys.executable, "-c", code, str(log)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("log-locked another process (pid ")
    first.close()
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == ""


def test_adopting_a_copy_without_a_state(log: Path) -> None:
    with pytest.raises(errors.ConflictError) as error:
        recovery.adopt_log(log, tlogs.SIGNER)
    assert error.value.reason == "log-exists"
    checkpoint = (log / "checkpoint").read_bytes()
    for path in (log / ".state").iterdir():
        path.unlink()
    (log / ".state").rmdir()
    adopted = recovery.adopt_log(log, tlogs.SIGNER)
    assert adopted.size == 300
    adopted.append([b"more"])
    adopted.close()
    assert verify.verify(log, KEY, older=[checkpoint]).is_intact


def test_calls_that_wait_become_one_commit(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = recovery.open_log(log, tlogs.SIGNER)
    commits: list[int] = []
    begun, go_on = threading.Event(), threading.Event()
    publish = writer.publish

    def slow(log: writer.OpenLog, signer: notes.Signer) -> bytes:
        commits.append(log.tree.size)
        begun.set()
        assert go_on.wait(60)
        return publish(log, signer)

    monkeypatch.setattr(writer, "publish", slow)
    done: dict[int, writer.Commit] = {}

    def append(number: int) -> None:
        done[number] = opened.append([b"%d" % number] * 3)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(9)]
    threads[0].start()
    assert begun.wait(60)
    for thread in threads[1:]:
        thread.start()
    while len(opened._waiting) < 8:
        threading.Event().wait(0.001)
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert commits == [303, 327]
    seen: list[bytes] = []
    opened.close()
    verdict = verify.verify(log, KEY, visit=lambda _, some: seen.extend(some))
    assert verdict.is_intact
    for number, commit in done.items():
        assert seen[commit.first : commit.first + commit.count] == [b"%d" % number] * 3
        assert commit.size in {303, 327}


def test_what_cannot_be_an_entry_is_refused_and_stores_nothing(log: Path) -> None:
    opened = recovery.open_log(log, tlogs.SIGNER)
    for entries in ([], [b"a", b"x" * 65_536], [b""] * (writer.MAX_BATCH + 1)):
        with pytest.raises(ValueError, match=r"at most|1 to"):
            opened.append(entries)
    assert opened.append([b"", b"x" * 65_535]).first == 300
    opened.close()
    opened.close()
    with pytest.raises(errors.StorageError) as error:
        opened.append([b"a"])
    assert error.value.reason == "writer-closed"
    assert verify.verify(log, KEY).is_intact


def test_a_state_has_one_spelling() -> None:
    made = state.State(origin="ö", size=3, root=bytes(32), pruned=1)
    data = made.encode()
    assert state.decode_state(data) == made
    for wrong in (
        data[:-1],
        data + b"\n",
        data.replace(b"3", b"3.0"),
        data.replace(b":1", b":4"),
        b"[]",
    ):
        assert state.decode_state(wrong) is None


def test_memory_does_not_grow_with_the_log() -> None:
    """What a tree of 200,000 entries keeps, against one of 2,000."""

    def kept(grown: tree.Tree) -> int:
        return len(grown._peaks) + sum(len(hashes) // 32 for hashes in grown._edge)

    grown = tree.Tree()
    grown.extend([bytes(32)] * 2_000)
    small = kept(grown)
    grown.extend([bytes(32)] * 198_000)
    assert kept(grown) < small + 2 * tiles.WIDTH
    assert len(grown._edge) <= 3
