"""Where records lie in a directory, and how they are read: `records/000001.jsonl`, `000002.jsonl`, …

Reading takes no lock and never writes: any number of readers beside the one writer. A line counts
once its line feed is there; what follows the last line feed is not yet, or no longer, a line.
Lines come as bytes and unjudged (`core.records.decode` judges them): a reader must not hide what
an older or newer version wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gatereeve.core import errors

RECORDS = "records"
_NAME = re.compile(r"([0-9]{6,12})\.jsonl")
_BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Between two lines: byte `offset` of segment number `segment`."""

    segment: int = 1
    offset: int = 0


def segment_path(directory: Path, number: int) -> Path:
    """The file of segment `number`, 1-based."""
    return directory / RECORDS / f"{number:06d}.jsonl"


def segment_numbers(directory: Path) -> tuple[int, ...]:
    """The segments that are there, oldest first. Raises RecordError when they cannot be listed."""
    try:
        names = [entry.name for entry in (directory / RECORDS).iterdir()]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unreadable(directory, error) from error
    return tuple(sorted(int(match[1]) for match in map(_NAME.fullmatch, names) if match))


def end(directory: Path) -> Position:
    """The position after the last whole line that is there now."""
    numbers = segment_numbers(directory)
    if not numbers:
        return Position()
    with _open(directory, numbers[-1]) as file:
        return Position(numbers[-1], _whole(file))


def read(
    directory: Path,
    start: Position | None = None,
    *,
    wait: Callable[[], bool] | None = None,
) -> Iterator[bytes]:
    """Whole lines without their line feed, oldest first, from `start` (None: the beginning).

    wait: called when all lines have been given; returns True to look again, False to end. None
    ends at once. A line that the writer took back after a failed write may have been given.
    Raises RecordError when a segment cannot be read.
    """
    position = start or Position(segment=next(iter(segment_numbers(directory)), 1))
    while True:
        numbers = [n for n in segment_numbers(directory) if n >= position.segment]
        for number in numbers:
            offset = position.offset if number == position.segment else 0
            with _open(directory, number) as file:
                file.seek(offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    offset += len(line)
                    yield line[:-1]
            position = Position(number, offset)
        if wait is None or not wait():
            return


def read_backwards(directory: Path, before: Position | None = None) -> Iterator[bytes]:
    """Whole lines without their line feed, newest first, from `before` (None: the end).

    Raises RecordError when a segment cannot be read.
    """
    stop = before or end(directory)
    for number in reversed(segment_numbers(directory)):
        if number > stop.segment:
            continue
        with _open(directory, number) as file:
            yield from _backwards(file, stop.offset if number == stop.segment else _whole(file))


def _backwards(file: BinaryIO, size: int) -> Iterator[bytes]:
    if size == 0:
        return
    left, cut = size - 1, b""  # without the last line feed; `cut`: a line's end, begun further left
    while left > 0:
        step = min(_BLOCK_BYTES, left)
        left -= step
        file.seek(left)
        cut, *lines = (file.read(step) + cut).split(b"\n")
        yield from reversed(lines)
    yield cut


def _whole(file: BinaryIO) -> int:
    """Bytes up to and with the last line feed."""
    size = file.seek(0, 2)
    while size > 0:
        step = min(_BLOCK_BYTES, size)
        file.seek(size - step)
        position = file.read(step).rfind(b"\n")
        if position >= 0:
            return size - step + position + 1
        size -= step
    return 0


def _open(directory: Path, number: int) -> BinaryIO:
    try:
        return segment_path(directory, number).open("rb")
    except OSError as error:
        raise _unreadable(directory, error) from error


def _unreadable(directory: Path, error: OSError) -> errors.RecordError:
    return errors.RecordError(
        f"records in {directory} cannot be read: {error.strerror or error}",
        hint="check that the directory is there and may be read by this user",
    )
