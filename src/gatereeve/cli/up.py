"""`gatereeve up FOLDER`: serve a folder on this machine until Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from gatereeve.cli import running
from gatereeve.cli.terminal import DEFAULT_STATE, OUT, counted, print_findings, summary
from gatereeve.core.findings import Finding, Severity
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.gate_runs import GateRun
from gatereeve.runtime.settings import Settings, state_paths
from gatereeve.runtime.status import hosts_of, listens_of
from gatereeve.runtime.up import up as serve

_HASH: Final = 19


def up(
    folder: Annotated[Path, typer.Argument(help="The folder of Kubernetes documents.")],
    state: Annotated[
        Path | None,
        typer.Option(help="Where to keep sockets, logs and records.", show_default=DEFAULT_STATE),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Envoy's worker threads.")] = 2,
    log_format: running.LogFormatOption = running.LogFormat.TEXT,
) -> None:
    """Serve a folder here: control plane and Envoy, live reload. Ctrl-C drains and stops all."""
    settings = Settings(folder=folder, state=state_paths(state), concurrency=concurrency)
    running.serve(serve(settings, UpPrinter(str(folder))), log_format)
    OUT.print("stopped")


class UpPrinter:
    """Prints what changed since it last printed: new findings, findings that are gone, what gates run."""

    def __init__(self, documents: str) -> None:
        self._documents = documents
        self._printed: frozenset[Finding] = frozenset()
        self._hashes: Mapping[str, str] = {}
        self._active: Mapping[str, str | None] = {}
        self._has_printed = False

    def __call__(self, plane: ControlPlane) -> None:
        findings = [f for f in plane.all_findings() if f.severity is not Severity.INFO]
        self._print_findings(findings)
        for name, run in sorted(plane.runs.items()):
            self._print_gate(name, run, findings)
        for name in sorted(self._hashes.keys() - plane.runs.keys()):
            OUT.print(f"gate {name}: its document is gone; it is stopped")
        if not plane.runs and not plane.unpublished and (self._hashes or not self._has_printed):
            OUT.print(f"{self._documents}: no Gate document; waiting for one")
        self._hashes = {name: run.gate.hash for name, run in plane.runs.items()}
        self._active = {name: run.active for name, run in plane.runs.items()}
        self._has_printed = True

    def _print_findings(self, findings: Iterable[Finding]) -> None:
        """A finding that only moved to another line is the same one."""
        now = {replace(f, where=None): f for f in findings}
        print_findings(f for key, f in now.items() if key not in self._printed)
        gone = len(self._printed - now.keys())
        if gone:
            OUT.print(f"{counted(gone, 'finding')} mended")
        self._printed = frozenset(now)

    def _print_gate(self, name: str, run: GateRun, findings: Iterable[Finding]) -> None:
        short = run.gate.hash[:_HASH]
        if run.gate.hash != self._hashes.get(name):
            hosts = counted(len(hosts_of(run.gate)), "host")
            OUT.print(f"gate {name}: {short} published, {hosts} ({summary(findings)})")
        if run.is_current and run.active != self._active.get(name):
            OUT.print(f"gate {name}: {short} active on {', '.join(listens_of(run.gate))}")
