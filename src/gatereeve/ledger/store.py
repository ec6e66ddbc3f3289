"""The store of records: canonical JSON entries in a transparency log, behind `protocols.Recorder`.

    STATE/ledger/           the log (docs/reference/ledger-format.md), copied and verified as it is
    STATE/ledger/.state/    private: state and locks, entries that wait (`pending`), counts for `resume`
    STATE/log.key, log.vkey see `log_key`

`append` writes to a file of entries that wait (`pending`): they are in the operating system's hands. `sync`
makes that file durable. `commit` puts all that waits into the log, in one batch, signed; the runtime calls it a few
times a second. After a failed commit the log is opened again, and its size says what is in it. Nothing is given
up meanwhile: the entries wait in the file, and in memory.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from gatereeve.core import canonical, errors, protocols, records
from gatereeve.ledger import log_key, pending, resume, shorten
from gatereeve.ledger.log_key import refusal
from gatereeve.ledger.tlog import notes, recovery, tiles
from gatereeve.ledger.tlog.disk import Disk, OsDisk
from gatereeve.ledger.tlog.files import DurableFiles
from gatereeve.ledger.tlog.state import FOLDER
from gatereeve.ledger.tlog.tiles import WIDTH, Name
from gatereeve.ledger.tlog.writer import Writer

MAX_RECORDS: Final = 10_000
MAX_WAITING: Final = 20_000
MAX_WAITING_BYTES: Final = 16 * 1024 * 1024
"""With more entries or bytes that wait, `append` commits first, and raises what the commit raises."""
EVERY_GATE: Final = "*"
"""The gate of a LossRecord when the store does not know whose record was lost."""
_LOCK: Final = f"{FOLDER}/store.lock"


class LedgerStore:
    """Made by `open_store`. Keeps the contract of `protocols.Recorder`, and may be called from several
    threads: each call is done whole before the next begins, but `append` and `sync` do not wait for a `commit`.

    After a failed sync it is unknown what of a file of waiting entries is durable, and asking again would
    prove nothing. `sync` then commits to the log instead, from memory, until that has succeeded.
    """

    def __init__(
        self,
        files: DurableFiles,
        signer: notes.Signer,
        lock: int,
        writer: Writer,
        pair: Sequence[pending.PendingFile],
        counts: resume.Counts,
    ) -> None:
        self._files = files
        self._signer = signer
        self._lock = lock
        self._writer: Writer | None = writer  # of the thread that commits
        self._active, self._other = pair
        self._counts = counts
        self._size = writer.size
        self._waiting: list[bytes] = []
        self._fatal: errors.LedgerError | None = None
        self._closed = False
        self._one_at_a_time = threading.Lock()
        self._committing = threading.Lock()
        """Taken before `_one_at_a_time`, never after it."""

    @property
    def size(self) -> int:
        """How many entries the log has."""
        return self._size

    @property
    def waiting(self) -> int:
        """How many records are not in the log yet."""
        return len(self._waiting)

    def append(self, batch: Sequence[records.Record]) -> None:
        """Store the records of `batch`. Raises LedgerError and stores none of them, ValueError beyond
        MAX_RECORDS."""
        if len(batch) > MAX_RECORDS:
            raise ValueError(f"{len(batch)} records in one call; at most {MAX_RECORDS}")
        if not batch:
            return
        entries = [shorten.encode_entry(record) for record in batch]
        if len(self._waiting) >= MAX_WAITING or self._active.size >= MAX_WAITING_BYTES:
            self.commit()
        with self._one_at_a_time, _translated(self._files):
            self._check_usable()
            first = self._size + len(self._waiting)
            self._active.append(first, entries)
            self._waiting += entries
            self._counts.add(first, batch)

    def sync(self) -> None:
        """Return when all records appended so far would survive a power cut."""
        with self._one_at_a_time:
            self._check_usable()
            if self._sync_files():
                return
        self.commit()

    def commit(self) -> None:
        """Put all records that wait into the log. They are then durable, signed and provable.

        Raises LedgerError. StorageError: the records still wait, and the next call tries again.
        """
        with self._committing, _translated(self._files):
            with self._one_at_a_time:
                self._check_usable()
            self._commit()

    def count(self, node: str, began_us: int) -> resume.RecordedCounts:
        """What is kept of `node` since `began_us`. Raises RecordError when it cannot be read."""
        while True:
            self.commit()
            with self._one_at_a_time:
                if not self._waiting:
                    return self._counts.count(node, began_us, self._size)

    def close(self) -> None:
        """Commit, or at least sync, and let go of the directory. A second call does nothing."""
        with self._committing, _translated(self._files), contextlib.ExitStack() as each:
            with self._one_at_a_time:
                if self._closed:
                    return
                self._closed = True
            each.callback(self._files.disk.close, self._lock)
            each.callback(self._active.close)
            each.callback(self._other.close)
            each.callback(self._close_writer)
            if self._fatal is not None:
                return
            try:
                self._commit()
            except errors.LedgerError:
                if self._fatal is not None or not self._sync_files():
                    raise
                return  # the next opening commits them
            self._counts.flush(self._size)

    def _sync_files(self) -> bool:
        """Sync what waits. False where only a commit makes it durable."""
        try:
            for file in (
                self._other,
                self._active,
            ):  # the older one first: no gap after a power cut
                if file.is_doubtful:
                    return False
                if file.end:
                    file.sync()
        except OSError:
            return False
        return True

    def _commit(self) -> None:
        with self._one_at_a_time:
            batch = list(self._waiting)
            if batch and not self._other.end:
                self._change_files()
        if not batch:
            return
        if self._writer is None:
            del batch[: self._reopen(batch)]
        if batch and self._writer is not None:
            try:
                self._writer.append(batch)
            except errors.StorageError:
                self._close_writer()
                raise
            self._done(len(batch))

    def _change_files(self) -> None:
        """Let new entries go to the other file, which is empty.

        Durable first: the entries of the other file must never be there without those before them.
        """
        if not self._active.is_doubtful:
            with contextlib.suppress(OSError):
                self._active.sync()
                self._active, self._other = self._other, self._active

    def _reopen(self, batch: Sequence[bytes]) -> int:
        """Open the log again after an error, and find out how many entries of `batch` are in it."""
        try:
            writer = recovery.open_log(self._files.root, self._signer, disk=self._files.disk)
        except errors.TamperError as error:
            self._fatal = error
            raise
        count = writer.size - self._size
        is_ours = 0 <= count <= len(batch)
        if not is_ours or _read(self._files, self._size, writer.size) != batch[:count]:
            writer.close()
            self._fatal = refusal(
                "log-moved", errors.TamperError,
                directory=self._files.root, size=writer.size, expected=self._size,
            )  # fmt: skip
            raise self._fatal
        self._writer = writer
        self._done(count)
        return count

    def _done(self, count: int) -> None:
        """So many of the waiting entries are in the log."""
        with self._one_at_a_time:
            del self._waiting[:count]
            self._size += count
            for file in (self._other, self._active):
                if file.end <= self._size:
                    with contextlib.suppress(
                        OSError
                    ):  # its next append tries again; the indexes show it
                        file.clear()
            self._counts.keep(self._size)

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _check_usable(self) -> None:
        if self._closed:
            raise refusal("store-closed", directory=self._files.root.parent)
        if self._fatal is not None:
            raise self._fatal


def open_store(state: Path, clock: protocols.Clock) -> LedgerStore:
    """Open the store in the directory `state`, making log and key at the first start.

    Raises LedgerError: what `load_key` and `open_log` raise, `pending-ahead`, and ConflictError where another
    process writes.
    """
    log = state / log_key.LOG
    signer, is_new = log_key.load_key(state, is_log=recovery.is_log(log))
    store = open_records(log, signer, clock, is_new=is_new)
    try:
        log_key.publish_key(state, signer)
    except errors.LedgerError:
        store.close()
        raise
    return store


def open_records(
    log: Path,
    signer: notes.Signer,
    clock: protocols.Clock,
    *,
    is_new: bool = False,
    disk: Disk | None = None,
) -> LedgerStore:
    """Open the log in the directory `log` for records, and commit what waited.

    is_new: create the log. disk: None for the operating system's.
    """
    files = DurableFiles(log, disk or OsDisk())
    begin = recovery.create_log if is_new else recovery.open_log
    with contextlib.ExitStack() as undo, _translated(files):
        writer = begin(log, signer, disk=files.disk)
        undo.callback(writer.close)
        lock = _take(files, undo)
        opened = [pending.open_pending(files, path) for path in pending.FILES]
        for file, _ in opened:
            undo.callback(file.close)
        _commit_waiting(files, writer, [waiting for _, waiting in opened], clock)
        for file, waiting in opened:
            if waiting.entries or waiting.torn:
                file.clear()
        counts = resume.open_counts(files, writer.size)
        store = LedgerStore(files, signer, lock, writer, [file for file, _ in opened], counts)
        undo.pop_all()
    return store


def _commit_waiting(
    files: DurableFiles,
    writer: Writer,
    found: Sequence[pending.Waiting],
    clock: protocols.Clock,
) -> None:
    """Put what waited into the log, with a note of what was torn; the torn bytes are kept aside, durably.

    A kill after the commit brings the files back as they were. The log then has the entries, and the notes last.
    """
    new: list[bytes] = []
    end = writer.size
    for waiting in sorted(found, key=lambda each: each.end or end + 1):
        if waiting.first is None:
            continue
        if waiting.first > end:
            raise refusal(
                "pending-ahead", errors.TamperError,
                file=FOLDER, first=waiting.first, size=writer.size,
            )  # fmt: skip
        new += waiting.entries[end - waiting.first :]
        end = max(end, waiting.end)
    last = b"".join(_read(files, max(writer.size - len(found), 0), writer.size))
    for waiting in found:
        if waiting.torn:
            name = f"{FOLDER}/torn-{canonical.sha256(waiting.torn).removeprefix('sha256:')[:16]}"
            note = _note(waiting, name, clock)
            if note.record_id.encode() not in last:
                files.write([(name, waiting.torn)])
                new.append(records.encode(note))
    if new:
        writer.append(new)


def _read(files: DurableFiles, start: int, end: int) -> list[bytes]:
    """The entries `start` to `end` (not included) of a log that ends at `end`."""
    entries: list[bytes] = []
    for index in range(start // WIDTH, -(-end // WIDTH)):
        width = tiles.width_at(end, 0, index)
        data = files.read(Name(None, index, width).path, tiles.MAX_BUNDLE_BYTES) or b""
        entries += tiles.split_bundle(data, width)[0][max(start - index * WIDTH, 0) :]
    return entries


def _note(waiting: pending.Waiting, kept_in: str, clock: protocols.Clock) -> records.LossRecord:
    # The same torn end gives the same id: should it be noted twice, it is counted once.
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{kept_in}:{canonical.sha256(waiting.torn)}")
    return records.LossRecord(
        record_id=str(identity),
        gate=EVERY_GATE,
        node=EVERY_GATE,
        at=records.instant(clock.now()),
        lost=waiting.torn_count,
        reason=f"torn by the end of a writer before it was stored; kept in {kept_in}",
    )


def _take(files: DurableFiles, undo: contextlib.ExitStack) -> int:
    """The lock of the store, which it keeps while it opens the log again."""
    lock = files.disk.open_lock(files.root / _LOCK)
    undo.callback(files.disk.close, lock)
    try:
        files.disk.lock(lock)
    except BlockingIOError as error:
        pid = (files.read(_LOCK, 20) or b"").decode(errors="replace").strip() or "unknown"
        raise refusal(
            "store-locked", errors.ConflictError, pid=pid, directory=files.root.parent
        ) from error
    return lock


@contextlib.contextmanager
def _translated(files: DurableFiles) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refusal(
            "pending-failed", errors.StorageError,
            directory=files.root.parent, why=error.strerror or error,
        ) from error  # fmt: skip
