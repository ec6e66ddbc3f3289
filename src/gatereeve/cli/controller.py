"""`gatereeve controller`: the control plane for gates elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatereeve.cli import running
from gatereeve.cli.terminal import DEFAULT_STATE
from gatereeve.cli.up import Teller
from gatereeve.runtime.controller import controller as serve
from gatereeve.runtime.settings import ControllerSettings, state_paths


def controller(
    folder: Annotated[Path, typer.Option(help="The folder of Kubernetes documents.")],
    state: Annotated[
        Path | None,
        typer.Option(help="Where to keep changes and last good.", show_default=DEFAULT_STATE),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Where certificates are kept, shared by all controllers.",
            show_default="certificates in the state directory",
        ),
    ] = None,
    mounted: Annotated[
        Path | None,
        typer.Option(
            help="A directory with tls.crt, tls.key and ca.crt that somebody else renews;"
            " nothing is issued here then."
        ),
    ] = None,
    xds: Annotated[
        str, typer.Option(help="Where gates connect, with mutual TLS.")
    ] = "0.0.0.0:18000",
    http: Annotated[str, typer.Option(help="Health and metrics.")] = "0.0.0.0:8081",
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="A DNS name under which gates verify us; may be repeated.",
            show_default="gatereeve-controllers",
        ),
    ] = None,
    webhook_name: Annotated[
        list[str] | None,
        typer.Option(help="A DNS name of the admission webhook's Service; may be repeated."),
    ] = None,
    gates: Annotated[
        str,
        typer.Option(
            help="HOST:PORT of the agents of all gates of a Gate, {gate} for its name; the leader"
            " then asks those too that other controllers serve."
        ),
    ] = "",
) -> None:
    """Serve gates elsewhere: read documents, compile, hand out over xDS. Run as many as you like."""
    paths = state_paths(state)
    settings = ControllerSettings(
        folder=folder,
        state=paths,
        certificates=(store or paths.root / "certificates").absolute(),
        mounted=mounted,
        xds=xds,
        http=http,
        xds_names=tuple(name or ("gatereeve-controllers",)),
        webhook_names=tuple(webhook_name or ()),
        gates=gates,
    )
    running.serve(serve(settings, Teller(folder)))
