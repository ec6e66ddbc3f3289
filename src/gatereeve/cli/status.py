"""`gatereeve status`: which gate runs which hash, and what stands in the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gatereeve.cli.terminal import OUT
from gatereeve.runtime.control import wait_current
from gatereeve.runtime.settings import state_paths


def status(
    state: Annotated[
        Path | None, typer.Option(help="The state directory of the running gatereeve.")
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Wait up to so many seconds until every gate runs what it should.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show which gate runs which configuration. Exit code 1 when one does not run what it should."""
    found: dict[str, Any] = wait_current(state_paths(state).control_socket, wait)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _print(found)
    raise typer.Exit(0 if all(gate["current"] for gate in found["gates"]) else 1)


def _print(found: dict[str, Any]) -> None:
    table = Table("gate", "runs", "wanted", "envoy", "listens", "since", box=None, pad_edge=False)
    for gate in found["gates"]:
        runs = (gate["active"] or "nothing yet")[:19]
        table.add_row(
            gate["name"],
            f"[green]{runs}[/]" if gate["current"] else f"[red]{runs}[/]",
            gate["wanted"][:19],
            f"pid {gate['pid']}" + (f", {gate['restarts']} restarts" if gate["restarts"] else ""),
            ", ".join(gate["listens"]),
            gate["active_at"] or "",
        )
    OUT.print(table)
    for gate in found["gates"]:
        if gate["problem"]:
            OUT.print(f"[red]{gate['name']}[/]: {gate['problem']}")
    counts = found["findings"]
    OUT.print(
        f"documents: {counts['error']} errors, {counts['warning']} warnings"
        + (" (gatereeve check shows them)" if counts["error"] or counts["warning"] else "")
    )
    records = found["records"]
    OUT.print(f"records:   {records['requests']} requests, {records['lost']} lost")
