"""`gatereeve gate`: one Envoy that gets its configuration from controllers elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatereeve.cli import running
from gatereeve.runtime.gate import gate as serve
from gatereeve.runtime.settings import GatePaths, GateSettings, half_of_memory, replica_name

_MB = 1024 * 1024


def gate(
    name: Annotated[str, typer.Option("--gate", help="Name of the Gate document.")],
    controller: Annotated[
        list[str], typer.Option(help="HOST:PORT of controllers; may be repeated.")
    ],
    certificates: Annotated[
        Path, typer.Option(help="Directory with tls.crt, tls.key, ca.crt: a mounted Secret.")
    ],
    run_dir: Annotated[
        Path, typer.Option("--run", help="Directory shared with the recorder; for sockets.")
    ],
    server_name: Annotated[
        str, typer.Option(help="What a controller's certificate is called.")
    ] = "gatereeve-controllers",
    replica: Annotated[
        str | None,
        typer.Option(
            help="Distinguishes the gates of this Gate.",
            show_default="$GATEREEVE_REPLICA, else $HOSTNAME",
        ),
    ] = None,
    zone: Annotated[str, typer.Option(help="Where it runs, for Envoy's locality.")] = "",
    http: Annotated[str, typer.Option(help="Health and metrics.")] = "0.0.0.0:8082",
    agent: Annotated[
        str, typer.Option(help="Where controllers ask what runs, with mutual TLS.")
    ] = "0.0.0.0:18002",
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Envoy's worker threads.")] = 2,
    heap_mb: Annotated[
        int | None,
        typer.Option(
            min=64, help="What Envoy may use before it refuses.", show_default="half of the memory"
        ),
    ] = None,
    drain_least: Annotated[
        float, typer.Option(min=0, help="Seconds that a stop waits at least.")
    ] = 10.0,
    drain_longest: Annotated[
        float, typer.Option(min=0, help="Seconds that a stop waits for clients to leave.")
    ] = 60.0,
    log_format: running.LogFormatOption = running.LogFormat.TEXT,
) -> None:
    """Serve as a gate: Envoy, its health, its drain. Ready once it runs a whole configuration."""
    settings = GateSettings(
        gate=name,
        replica=replica_name(replica),
        controllers=tuple(controller),
        server_name=server_name,
        certificates=certificates,
        paths=GatePaths(shared=run_dir.absolute()),
        zone=zone,
        http=http,
        agent=agent,
        concurrency=concurrency,
        heap_bytes=half_of_memory() if heap_mb is None else heap_mb * _MB,
        drain_least_s=min(drain_least, drain_longest),
        drain_longest_s=drain_longest,
    )
    running.serve(serve(settings), log_format)
