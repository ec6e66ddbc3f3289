"""Appends batches of entries to a log in a directory. Each batch is durable and signed when `append` returns.

The order of what becomes durable is the safety property: 1. entry bundles, 2. hash tiles, lowest level first,
3. the private state, 4. the checkpoint. So a checkpoint never promises what is not stored, whenever the process
or the machine stops. After any error the writer takes no more: what is durable is unknown until the log is
opened again (`recovery`).
One writer at a time; the kernel gives the lock back when the process dies. What an entry says is not known here.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gatereeve.core import errors
from gatereeve.ledger.tlog import checkpoints, faults, leftovers, merkle, notes, tiles
from gatereeve.ledger.tlog.files import DurableFiles
from gatereeve.ledger.tlog.state import FILE, State
from gatereeve.ledger.tlog.tiles import WIDTH, Name
from gatereeve.ledger.tlog.tree import Tree

CHECKPOINT = "checkpoint"
MAX_BATCH = 65_536
"""Entries of one commit. Recovery relies on it: what lies further beyond the state is no interrupted batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one call of `append` made durable.

    first: index of its first entry; the others follow. size, checkpoint: of the log after the commit,
    which may hold entries of other calls too. checkpoint: a signed note.
    """

    first: int
    count: int
    size: int
    checkpoint: bytes


@dataclass(slots=True)
class _Batch:
    """The entries of one call that waits. One of commit and error is set when it is done."""

    entries: Sequence[bytes]
    commit: Commit | None = None
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class OpenLog:
    """What a writer needs to go on. bundle: the partial entry bundle, as it is stored."""

    files: DurableFiles
    lock: int
    tree: Tree
    bundle: bytes
    pruned: int
    checkpoint: bytes


class Writer:
    """Made by `recovery.open_log` and `recovery.create_log`. May be called from several threads.

    Calls that wait while a commit is on its way become one commit (group commit).
    """

    def __init__(self, log: OpenLog, signer: notes.Signer) -> None:
        self._log = log
        self._signer = signer
        self._failure: str | None = None
        self._closed = False
        self._waiting: list[_Batch] = []
        self._queue = threading.Lock()
        self._committing = threading.Lock()

    @property
    def size(self) -> int:
        """How many entries are durable and signed."""
        return self._log.tree.size

    @property
    def checkpoint(self) -> bytes:
        """The signed checkpoint over these entries."""
        return self._log.checkpoint

    @property
    def directory(self) -> Path:
        return self._log.files.root

    def append(self, entries: Sequence[bytes]) -> Commit:
        """Store `entries`, 1 to MAX_BATCH, each of at most 65,535 bytes. Returns when they are durable and signed.

        After StorageError the entries may or may not be in the log: open it again and compare its size.
        Raises ValueError and stores nothing for an entry that is too long or a wrong number of entries.
        """
        if not 1 <= len(entries) <= MAX_BATCH:
            raise ValueError(f"{len(entries)} entries in one call; 1 to {MAX_BATCH}")
        if (longest := max(map(len, entries))) > tiles.MAX_ENTRY_BYTES:
            raise ValueError(f"an entry of {longest} bytes; at most {tiles.MAX_ENTRY_BYTES}")
        batch = _Batch(entries)
        with self._queue:
            self._waiting.append(batch)
        with self._committing:
            if self._closed:
                self._waiting.clear()
                raise storage_error("writer-closed", self.directory, "")
            while batch.commit is None and batch.error is None:
                self._commit_waiting()
        if batch.commit is None:
            raise storage_error("writer-stopped", self.directory, batch.error or "")
        return batch.commit

    def close(self) -> None:
        """Let go of the directory. Everything acknowledged is durable already. A second call does nothing."""
        with self._committing:
            if not self._closed:
                self._closed = True
                with contextlib.suppress(OSError):
                    self._log.files.disk.close(self._log.lock)

    def _commit_waiting(self) -> None:
        """Commit the calls that wait, oldest first, as many as fit into one batch."""
        batches: list[_Batch] = []
        with self._queue:
            room = MAX_BATCH
            while self._waiting and len(self._waiting[0].entries) <= room:
                batches.append(self._waiting.pop(0))
                room -= len(batches[-1].entries)
        if self._failure is not None:
            for batch in batches:
                batch.error = self._failure
            return
        first = self.size
        entries = [entry for batch in batches for entry in batch.entries]
        try:
            self._commit(entries)
        except BaseException as error:
            self._failure = str(error) or type(error).__name__
            for batch in batches:
                batch.error = self._failure
            if isinstance(error, OSError):
                raise storage_error("disk-failed", self.directory, self._failure) from error
            raise
        for batch in batches:
            count = len(batch.entries)
            batch.commit = Commit(
                first=first, count=count, size=self.size, checkpoint=self.checkpoint
            )
            first += count
        with contextlib.suppress(OSError):  # the next commit, or the next opening, tries again
            self._prune()

    def _commit(self, entries: Sequence[bytes]) -> None:
        log, tree = self._log, self._log.tree
        before = set(tiles.edge(tree.size))
        bundles, partial = fill_bundles(tree.size, log.bundle, entries)
        full = tree.extend([merkle.hash_leaf(entry) for entry in entries])
        changed = [*full, *(tile for tile in tree.edge() if tile.name not in before)]
        changed.sort(key=lambda tile: tile.name.level or 0)
        log.files.write(bundles)  # 1
        log.files.write([(tile.name.path, tile.hashes) for tile in changed])  # 2
        write_state(log, self._signer.name)  # 3
        log.checkpoint = publish(log, self._signer)  # 4
        log.bundle = partial

    def _prune(self) -> None:
        size = self._log.tree.size
        leftovers.prune(self._log.files, self._log.pruned, size)
        self._log.pruned = size


def fill_bundles(
    size: int, partial: bytes, entries: Sequence[bytes]
) -> tuple[list[tuple[str, bytes]], bytes]:
    """The bundles (path, content) that change when `entries` follow `size` others, and the new partial one.

    partial: content of the partial bundle of `size` entries, empty where it would have none.
    """
    files: list[tuple[str, bytes]] = []
    index, width, start = size // WIDTH, size % WIDTH, 0
    while start < len(entries):
        part = entries[start : start + WIDTH - width]
        partial += b"".join([len(entry).to_bytes(2, "big") + entry for entry in part])
        width += len(part)
        files.append((Name(None, index, width).path, partial))
        start += len(part)
        if width == WIDTH:
            index, width, partial = index + 1, 0, b""
    return files, partial


def write_state(log: OpenLog, origin: str) -> None:
    """Make the state durable that says that the tree of `log` is."""
    tree = log.tree
    state = State(origin=origin, size=tree.size, root=tree.root(), pruned=log.pruned)
    log.files.write([(FILE, state.encode())])


def publish(log: OpenLog, signer: notes.Signer) -> bytes:
    """Sign the tree of `log` and make the checkpoint durable. Returns the signed note."""
    checkpoint = checkpoints.Checkpoint(signer.name, log.tree.size, log.tree.root())
    signed = checkpoint.sign(signer)
    log.files.write([(CHECKPOINT, signed)])
    return signed


def storage_error(code: str, directory: Path, why: str) -> errors.StorageError:
    text = faults.texts()[code]
    message = text.message.format(directory=directory, why=why)
    return errors.StorageError(message, hint=text.hint, reason=code)
