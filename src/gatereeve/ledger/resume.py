"""What a store already has of one life of a gate's process, for a recorder that begins again.

The numbers come from summaries of ranges of the log, `.state/counts`, one line each: how many requests and losses
of each node, and of which times. Only ranges that no summary covers, and those in which the life began, are read
entry by entry. So the time does not grow with the log. The file is derived: what is missing in it is read again.
The store is taken to be that of one recorder beside one gate: a loss whose gate is not known (`*`) is the gate's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from gatereeve.core import records
from gatereeve.core.errors import RecordError
from gatereeve.ledger.tlog.faults import TlogError
from gatereeve.ledger.tlog.files import DurableFiles
from gatereeve.ledger.tlog.reader import LogReader
from gatereeve.ledger.tlog.state import FOLDER

FILE: Final = f"{FOLDER}/counts"
RANGE: Final = 16_384
"""Entries of a summary, at least, except at the end of a process."""
_EVERY: Final = "*"
_MAX_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCounts:
    """received: request records of requests that began in it. lost: what loss records counted since.

    sequence: the highest number given to any record of the process's name.
    """

    received: int = 0
    lost: int = 0
    sequence: int = 0


class _Tally(msgspec.Struct, array_like=True):
    """Of one kind of record of one node: a number, and the earliest and latest instant."""

    number: int = 0
    earliest: str = ""
    latest: str = ""

    def add(self, number: int, at: str) -> None:
        self.number += number
        self.earliest = min(self.earliest or at, at)
        self.latest = max(self.latest, at)

    def since(self, began: str) -> int | None:
        """How many are later than `began`; None where only the records themselves tell."""
        if not self.number or self.latest <= began:
            return 0
        return self.number if self.earliest > began else None


class _Node(msgspec.Struct, array_like=True):
    received: _Tally
    lost: _Tally
    sequence: int = 0


class _Range(msgspec.Struct):
    """A summary of the entries `start` to `end` (not included)."""

    start: int
    end: int
    nodes: dict[str, _Node]

    def add(self, record: records.Record | None) -> None:
        if isinstance(record, records.RequestRecord):
            node = self._node(record.node)
            node.received.add(1, record.started_at)
            node.sequence = max(node.sequence, record.sequence)
        elif isinstance(record, records.LossRecord):
            self._node(record.node).lost.add(record.lost, record.at)

    def _node(self, name: str) -> _Node:
        node = self.nodes.get(name)
        if node is None:
            node = self.nodes[name] = _Node(_Tally(), _Tally())
        return node

    def since(self, node: str, began: str) -> RecordedCounts | None:
        """The numbers of `node` since `began`; None where only the entries tell."""
        one, every = self.nodes.get(node), self.nodes.get(_EVERY)
        received = one.received.since(began) if one else 0
        lost = [each.lost.since(began) for each in (one, every) if each is not None]
        if received is None or None in lost:
            return None
        return RecordedCounts(
            received=received,
            lost=sum(number or 0 for number in lost),
            sequence=one.sequence if one else 0,
        )


_LINES: Final = msgspec.json.Decoder(_Range)


class Counts:
    """Made by `open_counts`. Errors of writing are passed over: a summary that is missing costs time only."""

    def __init__(self, files: DurableFiles, size: int, ranges: list[_Range]) -> None:
        self._files = files
        self._ranges = ranges
        self._current = _Range(size, size, {})
        self._finished: list[_Range] = []

    def add(self, first: int, batch: Sequence[records.Record]) -> None:
        """`batch` will be in the log from index `first` on, behind all that was added before."""
        for record in batch:
            self._current.add(record)
        self._current.end = first + len(batch)
        if self._current.end - self._current.start >= RANGE:
            self._finish()

    def keep(self, size: int) -> None:
        """The log has `size` entries: write the summaries that are all of such."""
        while self._finished and self._finished[0].end <= size:
            self._save(self._finished.pop(0))

    def flush(self, size: int) -> None:
        """Write the summary of what was added since the last one, and is in the log of `size` entries."""
        self._finish()
        self.keep(size)

    def _finish(self) -> None:
        done, self._current = self._current, _Range(self._current.end, self._current.end, {})
        if done.end > done.start:
            self._finished.append(done)

    def count(self, node: str, began_us: int, size: int) -> RecordedCounts:
        """What the log of `size` entries, all that were added, has of `node` since `began_us`. Raises RecordError."""
        self.keep(size)
        began = records.instant(datetime.fromtimestamp(began_us / 1_000_000, UTC))
        self._fill_gaps(size)
        parts: list[RecordedCounts] = []
        for each in [*self._ranges, self._current]:
            found = each.since(node, began)
            if found is None:
                found = _tally(self._decode(each.start, each.end), node, began)
            parts.append(found)
        return RecordedCounts(
            received=sum(part.received for part in parts),
            lost=sum(part.lost for part in parts),
            sequence=max(part.sequence for part in parts),
        )

    def _fill_gaps(self, size: int) -> None:
        """Summarise the entries that no summary covers."""
        position = 0
        for end in [*(each.start for each in self._ranges), min(self._current.start, size)]:
            while position < end:
                made = _Range(position, min(position + RANGE, end), {})
                for record in self._decode(made.start, made.end):
                    made.add(record)
                self._save(made)
                position = made.end
            position = max([position, *(e.end for e in self._ranges if e.start == end)])
        self._ranges.sort(key=lambda each: each.start)

    def _save(self, made: _Range) -> None:
        self._ranges.append(made)
        line = b"\n" + msgspec.json.encode(made) + b"\n"
        disk = self._files.disk
        with contextlib.suppress(OSError):
            descriptor = disk.open_append(self._files.root / FILE)
            try:
                left = memoryview(line)
                while left:
                    left = left[disk.write(descriptor, left) :]
            finally:
                disk.close(descriptor)

    def _decode(self, start: int, end: int) -> Iterable[records.Record | None]:
        try:
            for entry in LogReader(self._files.root).read_entries(start, end):
                yield _decoded(entry)
        except (OSError, TlogError) as error:
            raise RecordError(
                f"entries {start} to {end} of {self._files.root} cannot be read: {error}",
                hint="verify the log; gatereeve ledger verify names the files",
            ) from error


def open_counts(files: DurableFiles, size: int) -> Counts:
    """The summaries of a log of `size` entries, as far as they are usable."""
    ranges: list[_Range] = []
    try:
        data = files.read(FILE, _MAX_BYTES) or b""
    except OSError:
        data = b""
    for line in data.split(b"\n"):
        with contextlib.suppress(msgspec.MsgspecError):
            ranges.append(_LINES.decode(line))
    usable: list[_Range] = []
    for each in sorted(ranges, key=lambda found: found.start):
        if (usable[-1].end if usable else 0) <= each.start < each.end <= size:
            usable.append(each)
    return Counts(files, size, usable)


def _tally(found: Iterable[records.Record | None], node: str, began: str) -> RecordedCounts:
    received = lost = sequence = 0
    for record in found:
        if isinstance(record, records.RequestRecord) and record.node == node:
            received += record.started_at > began
            sequence = max(sequence, record.sequence)
        elif isinstance(record, records.LossRecord) and record.node in (node, _EVERY):
            lost += record.lost if record.at > began else 0
    return RecordedCounts(received=received, lost=lost, sequence=sequence)


def _decoded(entry: bytes) -> records.Record | None:
    """None for a record of another version, which is not ours to judge."""
    try:
        return records.decode(entry)
    except ValueError:
        return None
