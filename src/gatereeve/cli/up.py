"""`gatereeve up FOLDER`: serve a folder on this machine until Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from gatereeve.cli.terminal import OUT, fail, print_findings, summary
from gatereeve.core.errors import GatereeveError, SourceError
from gatereeve.core.findings import Finding, Severity
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.settings import Settings, state_paths
from gatereeve.runtime.up import up as serve


def up(
    folder: Annotated[Path, typer.Argument(help="The folder of Kubernetes documents.")],
    state: Annotated[
        Path | None, typer.Option(help="Where to keep sockets, logs and records.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Envoy's worker threads.")] = 2,
) -> None:
    """Serve a folder here: control plane and Envoy, live reload. Ctrl-C drains and stops all."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder", hint="name the folder with the documents")
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    settings = Settings(folder=folder, state=state_paths(state), concurrency=concurrency)
    try:
        asyncio.run(serve(settings, _Teller(folder)))
    except* GatereeveError as group:
        for error in _leaves(group):
            fail(str(error), getattr(error, "hint", ""))
        raise typer.Exit(3) from None
    OUT.print("stopped")


def _leaves(group: BaseExceptionGroup[GatereeveError]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


class _Teller:
    """Says what changed since it last spoke: new findings, mended ones, what gates run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told: frozenset[Finding] = frozenset()
        self._hashes: Mapping[str, str] = {}
        self._active: Mapping[str, str | None] = {}

    def __call__(self, plane: ControlPlane) -> None:
        found = [f for f in plane.all_findings() if f.severity is not Severity.INFO]
        new = [f for f in found if f not in self._told]
        gone = self._told - frozenset(found)
        print_findings(new)
        if gone:
            OUT.print(f"{len(gone)} finding{'s' if len(gone) > 1 else ''} mended")
        hashes = {name: run.gate.hash for name, run in plane.runs.items()}
        active = {name: run.active for name, run in plane.runs.items()}
        for name, run in plane.runs.items():
            if hashes[name] != self._hashes.get(name):
                hosts = sum(len(one.hosts) for one in run.gate.listeners)
                OUT.print(
                    f"gate {name}: {hashes[name][:19]} published, {hosts} hosts ({summary(found)})"
                )
            if active[name] == hashes[name] and active[name] != self._active.get(name):
                where = ", ".join(
                    f"{x.protocol}://{x.address}:{x.port}" for x in run.gate.listeners
                )
                OUT.print(f"gate {name}: {hashes[name][:19]} active on {where}")
        if not plane.runs and not self._hashes:
            OUT.print(f"{self._folder}: no Gate document yet; waiting for one")
        self._told, self._hashes, self._active = frozenset(found), hashes, active
