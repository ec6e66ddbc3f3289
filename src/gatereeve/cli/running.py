"""What the commands that keep running share: their log, and how a failure to start is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

import typer

from gatereeve.cli.terminal import fail
from gatereeve.core.errors import GatereeveError


def serve(serving: Coroutine[object, object, None]) -> None:
    """Run it to its end; what keeps it from its work is a sentence, and exit code 3."""
    _log_to_terminal()
    try:
        asyncio.run(serving)
    except* GatereeveError as group:
        for error in _leaves(group):
            fail(str(error), getattr(error, "hint", ""))
        raise typer.Exit(3) from None


def _log_to_terminal() -> None:
    """What `runtime` has to say, and from others only that something is wrong."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("gatereeve.runtime").setLevel(logging.INFO)


class _Formatter(logging.Formatter):
    """`warning: gate public: …`; what is not ours says where it comes from."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not record.name.startswith("gatereeve"):
            text = f"{record.name}: {text}"
        return text if record.levelno == logging.INFO else f"{record.levelname.lower()}: {text}"


def _leaves(group: BaseExceptionGroup[GatereeveError]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
