"""Log lines as one event name with fields, over the standard library's logging.

`_LOG.warning("status_write_failed", object=ref, error=error)` is the line
`status_write_failed object=lending/credit error="no answer"`, or a JSON object with the same fields.
Where lines go and how they look is decided where the process starts (`cli.running`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Final

_PLAIN: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+,%*[]"
)


class Line:
    """One line. fields: in the order in which they are written."""

    __slots__ = ("event", "fields")

    def __init__(self, event: str, fields: Mapping[str, object]) -> None:
        self.event = event
        self.fields = {name: _value(value) for name, value in fields.items()}

    def __str__(self) -> str:
        fields = (f" {name}={_quote(value)}" for name, value in self.fields.items())
        return self.event + "".join(fields)


class EventLog:
    """Writes lines under one logger name. Fields are keywords; an error also says its hint."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def info(self, event: str, **fields: object) -> None:
        """What an operator expects to see."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something does not work and is tried again, or needs a look."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Something is lost or stays as it was."""
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """A defect of ours, with its stack."""
        self._write(logging.ERROR, event, fields, stack=True)

    def _write(
        self, level: int, event: str, fields: Mapping[str, object], *, stack: bool = False
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        hint = getattr(fields.get("error"), "hint", "")
        line = Line(event, {**fields, "hint": hint} if hint else fields)
        self._logger.log(level, "%s", line, exc_info=stack or None, stacklevel=3)


def line_of(record: logging.LogRecord) -> Line | None:
    """The line that a record carries; None for records of other libraries."""
    args = record.args
    return args[0] if isinstance(args, tuple) and args and isinstance(args[0], Line) else None


def _value(value: object) -> str | int | float | bool:
    return value if isinstance(value, bool | int | float) else str(value)


def _quote(value: object) -> str:
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else json.dumps(text, ensure_ascii=False)
