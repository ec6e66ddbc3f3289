"""The log that a command reads: that of a state directory, or a copy of a log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatereeve.cli.terminal import DEFAULT_STATE
from gatereeve.core import errors
from gatereeve.ledger.reading import RecordLog
from gatereeve.runtime.settings import state_paths

StateOption = Annotated[
    Path | None,
    typer.Option(help="State directory, or a copy of a log.", show_default=DEFAULT_STATE),
]


def open_log(state: Path | None) -> RecordLog:
    """The log of a state directory. Raises SettingsError where there is no log."""
    directory = state_paths(state).root
    log = RecordLog(directory)
    if not (log.directory / "checkpoint").is_file():
        raise errors.SettingsError(
            f"there is no log in {log.directory}",
            hint="start gatereeve with `gatereeve up FOLDER`, or name its directory with --state",
        )
    return log
