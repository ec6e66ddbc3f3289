"""The first store of records: canonical JSON lines in segment files, behind `protocols.Recorder`.

One writer at a time (a lock the kernel gives back when the process dies), append only, a new segment
every 64 MiB. An append that fails is taken back to the last whole line; a line that was torn by a
kill is found at the next opening, moved aside to `…torn` and noted as a LossRecord, never silently
dropped. It proves nothing about tampering: the ledger that replaces it does; the record stays.

    directory/records/lock              who writes
    directory/records/000001.jsonl      records, one per line
    directory/records/000001.jsonl.torn what a kill left half-written
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from gatereeve.core import canonical, errors, protocols, records
from gatereeve.ledger import disk, segments

ROTATE_BYTES = 64 * 1024 * 1024
MAX_RECORDS = 10_000
EVERY_GATE = "*"
"""The gate of a LossRecord when the store does not know whose record was lost."""


@dataclasses.dataclass(slots=True)
class _Segment:
    """The open one. size: bytes of whole lines. torn: more than that may be in the file."""

    number: int
    descriptor: int
    size: int
    torn: bool = False


class JsonLines:
    """Made by `open_store`. Keeps the contract of `protocols.Recorder`, and may be called from
    several threads: each call is done whole before the next begins.

    After a failed sync it is unknown what of the segment is durable, and asking again would prove
    nothing. `sync` then raises until the next `append`, which goes on in a new segment, behind a
    note of how many records are in doubt.
    """

    def __init__(
        self,
        directory: Path,
        files: disk.Disk,
        lock: int,
        segment: _Segment,
        rotate_bytes: int,
        clock: protocols.Clock,
    ) -> None:
        self._directory = directory
        self._disk = files
        self._lock = lock
        self._segment = segment
        self._rotate_bytes = rotate_bytes
        self._clock = clock
        self._unsynced = 0
        self._doubt: str | None = None
        self._closed = False
        self._one_at_a_time = threading.Lock()

    def append(self, batch: Sequence[records.Record]) -> None:
        """Store the records of `batch`. Raises RecordError and stores none of them, ValueError beyond
        MAX_RECORDS."""
        if len(batch) > MAX_RECORDS:
            raise ValueError(f"{len(batch)} records in one call; at most {MAX_RECORDS}")
        if not batch:
            return
        data = b"".join([records.encode(record) + b"\n" for record in batch])
        with self._one_at_a_time, _translated(self._directory, "could not be stored"):
            self._check_open()
            self._mend()
            if self._doubt is not None:
                self._renew(self._doubt)
            if self._segment.size and self._segment.size + len(data) > self._rotate_bytes:
                self._rotate()
            self._write(data)
            self._unsynced += len(batch)

    def sync(self) -> None:
        """Return when all records appended so far would survive a power cut."""
        with self._one_at_a_time, _translated(self._directory, "are not known to be durable"):
            self._check_open()
            if self._doubt is not None:
                raise errors.RecordError(
                    f"records in {self._directory} are in doubt: {self._doubt}",
                    hint="mend the disk; the next records go to a new segment",
                )
            self._sync()

    def close(self) -> None:
        """Sync and let go of the directory. A second call does nothing."""
        with (
            self._one_at_a_time,
            _translated(self._directory, "are not known to be durable"),
            contextlib.ExitStack() as each,
        ):
            if self._closed:
                return
            self._closed = True
            each.callback(self._disk.close, self._lock)
            each.callback(self._disk.close, self._segment.descriptor)
            if self._doubt is None:
                self._disk.sync(self._segment.descriptor)

    def _write(self, data: bytes) -> None:
        segment, left = self._segment, memoryview(data)
        segment.torn = True
        try:
            while left:
                left = left[self._disk.write(segment.descriptor, bytes(left)) :]
        except OSError:
            with contextlib.suppress(OSError):  # the next call tries again before it writes
                self._mend()
            raise
        segment.size += len(data)
        segment.torn = False

    def _mend(self) -> None:
        """Cut what a failed write left behind the last whole line."""
        if self._segment.torn:
            self._disk.truncate(self._segment.descriptor, self._segment.size)
            self._segment.torn = False

    def _rotate(self) -> None:
        self._sync()
        self._next_segment()

    def _next_segment(self) -> None:
        fresh = _open_segment(self._directory, self._segment.number + 1, self._disk)
        full, self._segment = self._segment, fresh
        self._disk.close(full.descriptor)

    def _renew(self, doubt: str) -> None:
        reason = f"none lost yet, but {self._unsynced} records may not survive a power cut: {doubt}"
        self._next_segment()
        self._write(records.encode(_loss(str(uuid.uuid4()), 0, reason, self._clock)) + b"\n")
        self._doubt, self._unsynced = None, 0

    def _sync(self) -> None:
        try:
            self._disk.sync(self._segment.descriptor)
        except OSError as error:
            # The kernel may have dropped the pages and would answer "durable" if asked again.
            self._doubt = f"a sync failed: {error.strerror or error}"
            raise
        self._unsynced = 0

    def _check_open(self) -> None:
        if self._closed:
            raise errors.RecordError(f"the store of records in {self._directory} is closed")


def open_store(
    directory: Path,
    clock: protocols.Clock,
    *,
    files: disk.Disk | None = None,
    rotate_bytes: int = ROTATE_BYTES,
) -> JsonLines:
    """Open `directory` for writing, making it if need be, and clear up what a kill left torn.

    files: None for the operating system's. rotate_bytes: a segment grows no larger, unless a single
    call is larger.
    Raises RecordError when another process writes there or the directory cannot be used.
    """
    files = files or disk.OsDisk()
    with contextlib.ExitStack() as undo, _translated(directory, "cannot be kept here"):
        (directory / segments.RECORDS).mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = files.open_append(directory / segments.RECORDS / "lock")
        undo.callback(files.close, lock)
        _take(directory, lock, files)
        number = max(segments.segment_numbers(directory), default=1)
        segment = _open_segment(directory, number, files)
        undo.callback(files.close, segment.descriptor)
        store = JsonLines(directory, files, lock, segment, rotate_bytes, clock)
        _clear_torn_end(directory, store, segment, files, clock)
        undo.pop_all()
    return store


def _take(directory: Path, lock: int, files: disk.Disk) -> None:
    try:
        files.lock(lock)
    except BlockingIOError as error:
        writer = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
        raise errors.RecordError(
            f"another process (pid {writer}) writes records in {directory}",
            hint="stop it, or choose another state directory",
        ) from error
    files.truncate(lock, 0)
    files.write(lock, f"{os.getpid()}\n".encode())


def _open_segment(directory: Path, number: int, files: disk.Disk) -> _Segment:
    path = segments.segment_path(directory, number)
    descriptor = files.open_append(path)
    try:
        files.sync_directory(path.parent)
    except OSError:
        files.close(descriptor)
        raise
    return _Segment(number=number, descriptor=descriptor, size=path.stat().st_size)


def _clear_torn_end(
    directory: Path, store: JsonLines, segment: _Segment, files: disk.Disk, clock: protocols.Clock
) -> None:
    """Move an incomplete line at the end of the segment aside and note it, once, even after a kill.

    1. Copy the torn end to `….torn.new`, durably. 2. Cut the segment. 3. Store the note, durably.
    4. Rename the copy. The next opening continues where a kill or an error stopped this one.
    """
    path = segments.segment_path(directory, segment.number)
    fresh = path.with_name(f"{path.name}.torn.new")
    data = path.read_bytes()
    whole = _whole_bytes(data)
    torn = data[whole:]
    copied = fresh.read_bytes() if fresh.exists() else None
    if not torn and copied is None:
        return
    if torn and (copied is None or torn.startswith(copied)):
        _write_durably(fresh, torn, files)  # 1, or 1 again
        copied = torn
    # Else `torn` is our own note, half-written by an opening that ended in step 3.
    files.truncate(segment.descriptor, whole)  # 2
    segment.size = whole
    aside = next(name for name in _names(path) if not name.exists())
    store.append((_note(copied or b"", aside.name, clock),))  # 3
    store.sync()
    files.rename(fresh, aside)  # 4
    files.sync_directory(path.parent)


def _note(torn: bytes, kept_in: str, clock: protocols.Clock) -> records.LossRecord:
    # The same torn end gives the same id: should it be noted twice, it is counted once.
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{kept_in}:{canonical.sha256(torn)}")
    pieces = torn.count(b"\n") + (not torn.endswith(b"\n"))
    reason = f"torn by the end of a writer before it was stored; kept in {kept_in}"
    return _loss(str(identity), pieces, reason, clock)


def _loss(record_id: str, lost: int, reason: str, clock: protocols.Clock) -> records.LossRecord:
    return records.LossRecord(
        record_id=record_id,
        gate=EVERY_GATE,
        node=EVERY_GATE,
        at=records.instant(clock.now()),
        lost=lost,
        reason=reason,
    )


def _whole_bytes(data: bytes) -> int:
    """How many bytes from the start end in a line that is JSON."""
    end = data.rfind(b"\n") + 1
    while end:
        begin = data.rfind(b"\n", 0, end - 1) + 1
        # Only JSON is asked for: a record of a newer version must not be taken for torn.
        with contextlib.suppress(msgspec.DecodeError):
            msgspec.json.decode(data[begin:end], type=dict[str, msgspec.Raw])
            return end
        end = begin
    return 0


def _write_durably(path: Path, data: bytes, files: disk.Disk) -> None:
    descriptor = files.open_append(path)
    try:
        files.truncate(descriptor, 0)
        left = memoryview(data)
        while left:
            left = left[files.write(descriptor, bytes(left)) :]
        files.sync(descriptor)
    finally:
        files.close(descriptor)
    files.sync_directory(path.parent)


def _names(path: Path) -> Iterator[Path]:
    yield path.with_name(f"{path.name}.torn")
    number = 2
    while True:
        yield path.with_name(f"{path.name}.torn.{number}")
        number += 1


@contextlib.contextmanager
def _translated(directory: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise errors.RecordError(
            f"records {what}: {error.strerror or error} ({directory})",
            hint="free space or mend the disk; what was stored before is kept",
        ) from error
