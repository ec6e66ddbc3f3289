"""`gatereeve status`: which gate runs which hash, and what stands in the way."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from gatereeve.cli.terminal import DEFAULT_STATE, OUT, counted
from gatereeve.runtime.control_socket import wait_current
from gatereeve.runtime.settings import state_paths

_SHOWN: Final = 10
_STYLES: Final = {"error": "bold red", "warning": "yellow"}


def status(
    state: Annotated[
        Path | None,
        typer.Option(help="State directory of the running gatereeve.", show_default=DEFAULT_STATE),
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Wait up to so many seconds until every gate runs what it should.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show which gate runs which configuration. Exit code 1 when one does not run what it should."""
    report: dict[str, Any] = wait_current(state_paths(state), wait)
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        _print(report)
    raise typer.Exit(0 if all(gate["current"] for gate in report["gates"]) else 1)


def _print(report: dict[str, Any]) -> None:
    """One block per gate, which fits into 80 columns; then findings and records."""
    for gate in report["gates"]:
        _print_gate(gate)
    if not report["gates"]:
        OUT.print(f"no Gate document in {report['folder']}; nothing is served")
    counts = report["findings"]
    words = [counted(counts[name], name) for name in ("error", "warning") if counts[name]]
    OUT.print(f"findings  {', '.join(words) or 'none'}")
    serious = [problem for problem in report["problems"] if problem["severity"] == "error"]
    for problem in serious[:_SHOWN]:
        place = f"{problem['place']}: " if problem["place"] else ""
        OUT.print(
            Text.assemble(
                ("  error ", _STYLES["error"]), f"{place}{problem['code']}: {problem['message']}"
            )
        )
    if len(serious) > _SHOWN or counts["warning"]:
        OUT.print(f"          all of them: gatereeve check {shlex.quote(report['folder'])}")
    if (records := report.get("records")) is not None:  # a controller has none
        OUT.print(f"records   {counted(records['requests'], 'request')}, {records['lost']} lost")
    for task, times in report["failures"].items():
        OUT.print(Text(f"failed    {task}, {counted(times, 'time')}; see its log", style="yellow"))


def _print_gate(gate: dict[str, Any]) -> None:
    current = gate["current"]
    state = ("current", "green") if current else ("NOT CURRENT", "bold red")
    OUT.print(Text.assemble((f"gate {gate['name']}  ", "bold"), state))
    if gate["active"]:
        OUT.print(f"  runs    {gate['active'][:19]} since {_instant(gate['active_at'])}")
    else:
        OUT.print("  runs    nothing yet")
    if not current:
        OUT.print(f"  wanted  {gate['wanted'][:19]}")
    if gate["problem"]:
        OUT.print(Text.assemble("  why     ", (gate["problem"], "red")))
    for index, place in enumerate(gate["listens"]):
        OUT.print(f"  {'' if index else 'listens':<7} {place}")
    OUT.print(f"  hosts   {gate['hosts']}")
    if "nodes" in gate:
        current = sum(node["current"] for node in gate["nodes"])
        OUT.print(f"  gates   {current} of {len(gate['nodes'])} run what is wanted")
        return
    process = f"process {gate['pid']}" if gate["pid"] else "not running"
    again = f", restarted {counted(gate['restarts'], 'time')}" if gate["restarts"] else ""
    OUT.print(f"  envoy   {process}{again}")


def _instant(text: str | None) -> str:
    """`2026-11-24 12:00:00 UTC`."""
    return f"{text[:19].replace('T', ' ')} UTC" if text else "-"
