"""`gatereeve compile FOLDER --to ir|envoy`: what the documents become, as YAML or JSON.

Secrets are redacted. Findings go to standard error, so that the output can be piped.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gatereeve.cli import folder as folders
from gatereeve.cli.terminal import ERR, print_findings, summary
from gatereeve.core.errors import SettingsError
from gatereeve.core.findings import Severity
from gatereeve.runtime.dump import dump_envoy, dump_ir


class Target(StrEnum):
    """What to show."""

    ir = "ir"
    envoy = "envoy"


def compile_folder(
    folder: Annotated[Path, typer.Argument(help="The folder of Kubernetes documents.")],
    to: Annotated[Target, typer.Option(help="Our own words, or Envoy's.")] = Target.ir,
    gate: Annotated[str | None, typer.Option(help="Only this Gate.")] = None,
) -> None:
    """Compile a folder and print what each gate must do."""
    _, compiled = folders.load(folder)
    gates = [g for g in compiled.ir.gates if gate is None or g.name == gate]
    if not gates:
        known = ", ".join(g.name for g in compiled.ir.gates) or "none"
        raise SettingsError(f"there is no Gate {gate or ''}".rstrip(), hint=f"Gates here: {known}")
    for compiled_gate in gates:
        typer.echo(
            dump_ir(compiled_gate) if to is Target.ir else dump_envoy(compiled_gate), nl=False
        )
    print_findings((f for f in compiled.findings if f.severity is not Severity.INFO), ERR)
    ERR.print(f"{folder}: {summary(compiled.findings)}")
    raise typer.Exit(1 if any(f.severity is Severity.ERROR for f in compiled.findings) else 0)
