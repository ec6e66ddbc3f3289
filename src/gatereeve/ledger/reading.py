"""Reads the records of a log: forwards, backwards, as they come, and one by its id.

Takes no lock and never writes: any number of readers beside the one writer. Entries come with their index, as bytes
and unjudged (`core.records.decode` judges them): a reader must not hide what another version wrote. What is read is
believed; `tlog.verify` is for doubts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from gatereeve.core import errors
from gatereeve.ledger.log_key import LOG
from gatereeve.ledger.tlog import checkpoints, notes
from gatereeve.ledger.tlog.faults import TlogError
from gatereeve.ledger.tlog.reader import LogReader
from gatereeve.ledger.tlog.tiles import WIDTH

Indexed: TypeAlias = tuple[int, bytes]
"""The index of an entry, and the entry."""


class RecordLog:
    """The log of the state directory `state`, or the log in a directory that is a copy of one."""

    def __init__(self, state: Path) -> None:
        self.is_of_state = not (state / "checkpoint").exists()
        """Whether it was found in a state directory."""
        self.directory = state / LOG if self.is_of_state else state
        self.reader = LogReader(self.directory)

    def size(self) -> int:
        """How many entries the newest checkpoint has; 0 where there is no log yet. Raises RecordError."""
        try:
            signed = self.reader.read_checkpoint()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self._unreadable(error) from error
        try:
            return checkpoints.parse_checkpoint(notes.parse_note(signed).text).size
        except TlogError as error:
            raise self._unreadable(error) from error

    def read(self, start: int = 0, *, wait: Callable[[], bool] | None = None) -> Iterator[Indexed]:
        """Entries from index `start` on, oldest first.

        wait: called when all have been given; returns True to look again, False to end. None ends at once.
        Raises RecordError when the log cannot be read.
        """
        while True:
            end = self.size()
            yield from self.read_range(start, end)
            start = max(start, end)
            if wait is None or not wait():
                return

    def read_range(self, start: int, end: int) -> Iterator[Indexed]:
        """Entries `start` to `end` (not included) of a log that has them. Raises RecordError."""
        for bundle in range(start // WIDTH, -(-end // WIDTH)):
            for index, entry in enumerate(self._bundle(bundle, end), bundle * WIDTH):
                if index >= start:
                    yield index, entry

    def read_backwards(self, end: int | None = None) -> Iterator[Indexed]:
        """Entries before index `end` (None: all), newest first. Raises RecordError."""
        end = self.size() if end is None else end
        for bundle in reversed(range(-(-end // WIDTH))):
            entries = self._bundle(bundle, end)
            for offset in reversed(range(len(entries))):
                yield bundle * WIDTH + offset, entries[offset]

    def find(self, text: str) -> Iterator[Indexed]:
        """Entries that contain `text` anywhere, such as a record id, newest first. Raises RecordError."""
        wanted = text.encode()
        for index, entry in self.read_backwards():
            if wanted in entry:
                yield index, entry

    def _bundle(self, index: int, size: int) -> list[bytes]:
        try:
            return self.reader.read_bundle(index, size)
        except (OSError, TlogError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> errors.RecordError:
        return errors.RecordError(
            f"the log in {self.directory} cannot be read: {error}",
            hint="check its rights; `gatereeve ledger verify` names damaged files",
        )
