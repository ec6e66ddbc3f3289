"""`gatereeve recorder`: keeps the records of the gate beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatereeve.cli import running
from gatereeve.runtime.recorder import recorder as serve
from gatereeve.runtime.settings import GatePaths, RecorderSettings, replica_name


def recorder(
    gate: Annotated[str, typer.Option(help="Name of the Gate document, as the gate's.")],
    run_dir: Annotated[
        Path, typer.Option("--run", help="Directory shared with the gate; for sockets.")
    ],
    state: Annotated[Path, typer.Option(help="Where to keep records.")],
    replica: Annotated[
        str | None,
        typer.Option(help="As the gate's.", show_default="$GATEREEVE_REPLICA, else $HOSTNAME"),
    ] = None,
    http: Annotated[str, typer.Option(help="Health and metrics.")] = "0.0.0.0:8083",
    last: Annotated[
        float, typer.Option(min=0, help="Seconds that a stop waits for the gate to end first.")
    ] = 360.0,
    log_format: running.LogFormatOption = running.LogFormat.TEXT,
) -> None:
    """Keep the records of the gate beside it. The gate never waits for it; losses are counted."""
    settings = RecorderSettings(
        gate=gate,
        replica=replica_name(replica),
        paths=GatePaths(shared=run_dir.absolute()),
        state=state.absolute(),
        http=http,
        last_s=last,
    )
    running.serve(serve(settings), log_format)
