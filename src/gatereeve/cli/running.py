"""What the commands that keep running share: their log, and how a failure to start is reported."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from gatereeve.cli.terminal import fail_with
from gatereeve.core.errors import GatereeveError
from gatereeve.core.logs import line_of


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


LogFormatOption = Annotated[
    LogFormat, typer.Option(help="Log lines as text for people, or JSON objects for programs.")
]


def serve(serving: Coroutine[object, object, None], log_format: LogFormat = LogFormat.TEXT) -> None:
    """Run it to its end. An error that stops it is one sentence, and exit code 3."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if log_format is LogFormat.JSON else _TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("gatereeve").setLevel(logging.INFO)
    try:
        asyncio.run(serving)
    except* GatereeveError as group:
        for error in _leaves(group):
            fail_with(error)
        raise typer.Exit(3) from None


class _TextFormatter(logging.Formatter):
    """`warning: envoy_ended gate=public`; lines of libraries begin with the library's name."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not record.name.startswith("gatereeve"):
            text = f"{record.name}: {text}"
        return text if record.levelno == logging.INFO else f"{record.levelname.lower()}: {text}"


class _JsonFormatter(logging.Formatter):
    """One object for each line: time (UTC), level, logger, event, the fields, and a stack if any."""

    def format(self, record: logging.LogRecord) -> str:
        line = line_of(record)
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage() if line is None else line.event,
        }
        if line is not None:
            entry.update({name: value for name, value in line.fields.items() if name not in entry})
        if record.exc_info:
            entry["stack"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def _leaves(group: BaseExceptionGroup[GatereeveError]) -> list[GatereeveError]:
    leaves: list[GatereeveError] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves
