"""What a store already has of one life of a gate's process, for a recorder that begins again.

Reads only the segments written to since that life began. The store is taken to be that of one
recorder beside one gate: a loss whose gate is not known (`*`) is the gate's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gatereeve.core import records
from gatereeve.core.errors import RecordError
from gatereeve.ledger import segments
from gatereeve.ledger.jsonl import EVERY_GATE


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCounts:
    """received: request records of requests that began in it. lost: what loss records counted since.

    sequence: the highest number given to any record of the process's name.
    """

    received: int = 0
    lost: int = 0
    sequence: int = 0


def count(directory: Path, node: str, began_us: int) -> RecordedCounts:
    """What is kept of `node` since `began_us`. Raises RecordError when it cannot be read."""
    began = records.instant(datetime.fromtimestamp(began_us / 1_000_000, UTC))
    received = lost = sequence = 0
    for line in segments.read(directory, _first_since(directory, began_us)):
        try:
            record = records.decode(line)
        except ValueError:
            continue  # of another version; not ours to judge
        if isinstance(record, records.RequestRecord) and record.node == node:
            received += record.started_at > began
            sequence = max(sequence, record.sequence)
        elif isinstance(record, records.LossRecord) and record.node in (node, EVERY_GATE):
            lost += record.lost if record.at > began else 0
    return RecordedCounts(received=received, lost=lost, sequence=sequence)


def _first_since(directory: Path, began_us: int) -> segments.Position | None:
    """Where to begin: segments that were written last before that life are its elders' alone."""
    for number in segments.segment_numbers(directory):
        try:
            written_us = segments.segment_path(directory, number).stat().st_mtime_ns // 1000
        except OSError as error:
            raise RecordError(f"records in {directory} cannot be read: {error.strerror}") from error
        if written_us >= began_us:
            return segments.Position(number, 0)
    numbers = segments.segment_numbers(directory)
    return segments.Position(numbers[-1], 0) if numbers else None
