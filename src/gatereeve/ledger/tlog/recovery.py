"""Opens a log for writing: creates it once, or finds out what is durable, without guessing.

Every step either proves that the stored files fit the state and the checkpoint, or refuses with a reason code.
Nothing that a checkpoint or the state implies is changed here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gatereeve.core import errors
from gatereeve.ledger.tlog import checkpoints, faults, leftovers, merkle, notes, proofs, tiles, tree
from gatereeve.ledger.tlog.checkpoints import Checkpoint
from gatereeve.ledger.tlog.disk import Disk, OsDisk
from gatereeve.ledger.tlog.faults import TlogError
from gatereeve.ledger.tlog.files import DurableFiles
from gatereeve.ledger.tlog.state import FILE, FOLDER, LOCK, MAX_STATE_BYTES, State, decode_state
from gatereeve.ledger.tlog.tiles import HASH_BYTES, WIDTH, Name
from gatereeve.ledger.tlog.writer import (
    CHECKPOINT,
    MAX_BATCH,
    OpenLog,
    Writer,
    publish,
    storage_error,
    write_state,
)

_TILES = "tile"


def is_log(directory: Path) -> bool:
    """Whether there is a log in `directory`, or a part of one: then open it, and never create one."""
    return bool(_parts(DurableFiles(directory, OsDisk())))


def create_log(directory: Path, signer: notes.Signer, *, disk: Disk | None = None) -> Writer:
    """Create an empty log, whose origin is the signer's name, and open it.

    The folder is made if it is missing; the one above it must exist. A creation that was interrupted is
    finished by `open_log` or by a second call.
    Raises ConflictError (`log-exists`, `log-locked`) and StorageError.
    """
    files = DurableFiles(directory, disk or OsDisk())
    with _opened(files) as undo:
        with contextlib.suppress(FileExistsError):
            files.disk.make_directory(directory)
        files.disk.sync_directory(directory.parent)
        files.make_folder(directory / FOLDER)
        lock = _lock(files, undo)
        if parts := _parts(files):
            raise _conflict("log-exists", directory=directory, what=", ".join(parts))
        log = OpenLog(
            files=files, lock=lock, tree=tree.Tree(), bundle=b"", pruned=0, checkpoint=b""
        )
        write_state(log, signer.name)
        log.checkpoint = publish(log, signer)
        undo.pop_all()
    return Writer(log, signer)


def open_log(directory: Path, signer: notes.Signer, *, disk: Disk | None = None) -> Writer:
    """Open the log in `directory` for writing.

    1. Lock. 2. Load the state. 3. Load the checkpoint and verify its signature. 4. Refuse a checkpoint that is
    ahead of the state, and tiles that are ahead of both by more than a batch. 5. Restore the tree from the
    tiles of its right edge: its root must be the state's. 6. Its first entries must have the checkpoint's root.
    7. Bundles and tiles that no checkpoint covers yet must fit each other. 8. Remove what an interrupted batch
    left. 9. Publish a checkpoint for what the state has, if there is none. 10. Prune.

    Raises ConflictError (`log-locked`), TamperError and LedgerError (see `faults.toml`) when in doubt, and
    StorageError when a call on a file fails. Reads a few files, however long the log is.
    """
    files = DurableFiles(directory, disk or OsDisk())
    with _opened(files) as undo:
        if not _parts(files):
            raise _refusal(errors.LedgerError, "log-missing", directory=directory)
        files.make_folder(directory / FOLDER)
        lock = _lock(files, undo)  # 1
        state = _load_state(files, signer.name)  # 2
        signed, checkpoint = _load_checkpoint(files, signer, state.size)  # 3
        recovered = _check_tree(files, state, checkpoint)  # 4 to 7
        log = OpenLog(
            files=files,
            lock=lock,
            tree=recovered.tree,
            bundle=recovered.bundle,
            pruned=state.pruned,
            checkpoint=signed,
        )
        leftovers.remove(files, leftovers.find(files, state.size, MAX_BATCH))  # 8
        if not signed or checkpoint.size < state.size:  # 9
            write_state(log, signer.name)  # it may be visible, but not durable
            log.checkpoint = publish(log, signer)
        leftovers.prune(files, log.pruned, state.size)  # 10
        log.pruned = state.size
        undo.pop_all()
    return Writer(log, signer)


def adopt_log(directory: Path, signer: notes.Signer, *, disk: Disk | None = None) -> Writer:
    """Open a log without a state, such as a copy of a public log: its checkpoint says how far it reaches.

    Verify the directory first (`verify`): only the right edge is checked here.
    Raises ConflictError (`log-exists`) where there is a state, and what `open_log` raises.
    """
    files = DurableFiles(directory, disk or OsDisk())
    with _opened(files) as undo:
        if files.read(CHECKPOINT, 1) is None:
            raise _refusal(errors.LedgerError, "log-missing", directory=directory)
        files.make_folder(directory / FOLDER)
        lock = _lock(files, undo)
        if files.read(FILE, 1) is not None:
            raise _conflict("log-exists", directory=directory, what=FILE)
        checkpoint = _load_checkpoint(files, signer, 0)[1]
        state = State(origin=signer.name, size=checkpoint.size, root=checkpoint.root, pruned=0)
        recovered = _check_tree(files, state, checkpoint)
        log = OpenLog(
            files=files,
            lock=lock,
            tree=recovered.tree,
            bundle=recovered.bundle,
            pruned=0,
            checkpoint=b"",
        )
        write_state(log, signer.name)
        files.disk.close(lock)
        undo.pop_all()
    return open_log(directory, signer, disk=disk)


@dataclass(frozen=True, slots=True)
class _Recovered:
    tree: tree.Tree
    bundle: bytes


@dataclass(frozen=True, slots=True)
class _StoredTiles:
    """Tiles of the log, for `proofs`. A tile that is missing or has another length is a reason to refuse."""

    files: DurableFiles

    def read_tile(self, name: Name) -> bytes:
        expected = name.width * HASH_BYTES
        data = self.files.read(name.path, expected + 1)
        if data is None:
            raise _stored_differs(name.path, "it is missing")
        if len(data) != expected:
            raise _stored_differs(name.path, f"it does not have {expected} bytes")
        return data


def _parts(files: DurableFiles) -> list[str]:
    """What there is of a log. A folder with only a lock is what an interrupted creation leaves."""
    parts = [name for name in files.names("") if name in (CHECKPOINT, _TILES)]
    return parts if files.read(FILE, 1) is None else [*parts, FILE]


def _load_state(files: DurableFiles, origin: str) -> State:
    data = files.read(FILE, MAX_STATE_BYTES)
    if data is None:
        raise _tamper("state-missing", directory=files.root, file=FILE)
    state = decode_state(data)
    if state is None:
        raise _tamper("state-malformed", file=FILE)
    if state.origin != origin:
        raise _tamper(
            "state-of-another-log", directory=files.root, found=state.origin, expected=origin
        )
    return state


def _load_checkpoint(
    files: DurableFiles, signer: notes.Signer, size: int
) -> tuple[bytes, Checkpoint]:
    """The signed note and what it says; empty where a log with no entries was never published."""
    signed = files.read(CHECKPOINT, notes.MAX_NOTE_BYTES + 1)
    if signed is None:
        if size:
            raise _tamper("checkpoint-missing", directory=files.root, size=size)
        return b"", Checkpoint(signer.name, 0, merkle.EMPTY_ROOT)
    try:
        checkpoint = checkpoints.open_checkpoint(signed, (signer.verifier,), signer.name)
    except TlogError as error:
        raise errors.TamperError(
            f"{CHECKPOINT} of {files.root}: {error}", hint=error.hint, reason=error.code
        ) from error
    return signed, checkpoint


def _check_tree(files: DurableFiles, state: State, checkpoint: Checkpoint) -> _Recovered:
    size, stored = state.size, _StoredTiles(files)
    if checkpoint.size > size:  # 4
        raise _tamper("checkpoint-ahead", checkpoint=checkpoint.size, state=size)
    if far := leftovers.is_beyond_one_batch(files, size, MAX_BATCH):
        raise _tamper("leftovers-too-many", file=far, size=size)
    restored = tree.restore(size, stored.read_tile)  # 5
    if restored.root() != state.root:
        raise _tamper("state-differs", file=FILE, size=size)
    if proofs.root_at(checkpoint.size, size, stored) != checkpoint.root:  # 6
        raise _tamper("checkpoint-differs", size=checkpoint.size)
    bundle = b""
    for index in range(min(checkpoint.size, max(size - 1, 0)) // WIDTH, -(-size // WIDTH)):  # 7
        bundle = _check_bundle(stored, index, size)
    return _Recovered(restored, bundle if size % WIDTH else b"")


def _check_bundle(stored: _StoredTiles, index: int, size: int) -> bytes:
    """The stored bundle, whose entries have the hashes of the tile beside it, which the root covers."""
    width = tiles.width_at(size, 0, index)
    name = Name(None, index, width)
    data = stored.files.read(name.path, tiles.MAX_BUNDLE_BYTES + 1)
    if data is None:
        raise _stored_differs(name.path, "it is missing")
    try:
        entries = tiles.decode_bundle(data, width)
    except TlogError as error:
        raise _stored_differs(name.path, str(error)) from error
    hashes = stored.read_tile(Name(0, index, width))
    if b"".join([merkle.hash_leaf(entry) for entry in entries]) != hashes:
        raise _stored_differs(name.path, "its entries do not have the hashes of their tile")
    if width == WIDTH:
        start = index * WIDTH
        if merkle.fold(hashes) != proofs.hash_range(start, start + WIDTH, size, stored):
            raise _stored_differs(Name(0, index).path, "its root is not in the tile above")
    return data


def _lock(files: DurableFiles, undo: contextlib.ExitStack) -> int:
    path = files.root / LOCK
    lock = files.disk.open_lock(path)
    undo.callback(files.disk.close, lock)
    try:
        files.disk.lock(lock)
    except BlockingIOError as error:
        pid = (files.read(LOCK, 20) or b"").decode(errors="replace").strip() or "unknown"
        raise _conflict("log-locked", directory=files.root, pid=pid) from error
    return lock


@contextlib.contextmanager
def _opened(files: DurableFiles) -> Iterator[contextlib.ExitStack]:
    """What was opened is given back, and errors of the operating system become StorageError."""
    try:
        with contextlib.ExitStack() as undo:
            yield undo
    except OSError as error:
        raise storage_error("disk-failed", files.root, str(error)) from error


def _refusal(kind: type[errors.LedgerError], code: str, /, **values: object) -> errors.LedgerError:
    text = faults.texts()[code]
    return kind(text.message.format_map(values), hint=text.hint.format_map(values), reason=code)


def _tamper(code: str, /, **values: object) -> errors.LedgerError:
    return _refusal(errors.TamperError, code, **values)


def _conflict(code: str, /, **values: object) -> errors.LedgerError:
    return _refusal(errors.ConflictError, code, **values)


def _stored_differs(file: str, why: str) -> errors.LedgerError:
    return _tamper("stored-differs", file=file, why=why)
