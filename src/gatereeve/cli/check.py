"""`gatereeve check FOLDER`: every finding, for people, programs and code review tools.

Exit code 0 without errors (warnings with --strict count as errors), 1 with them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from gatereeve.cli import folder as folders
from gatereeve.cli.sarif import to_sarif
from gatereeve.cli.terminal import OUT, counted, print_findings, summary
from gatereeve.core.findings import Finding, Severity

_PASSED: Final = "file-not-read"
_MOST_NAMED: Final = 5


class Output(StrEnum):
    """How findings are written."""

    human = "human"
    json = "json"
    sarif = "sarif"


def check(
    folder: Annotated[Path, typer.Argument(help="The folder of Kubernetes documents.")],
    output: Annotated[Output, typer.Option("--output", "-o", help="How to write.")] = Output.human,
    strict: Annotated[bool, typer.Option(help="Warnings fail the check, too.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Check a folder of documents: all findings with file, line, code and hint."""
    _, compiled = folders.load(folder)
    findings = compiled.findings
    if output is Output.sarif:
        typer.echo(json.dumps(to_sarif(findings), indent=2))
    elif output is Output.json:
        typer.echo(json.dumps([to_json(f) for f in findings], indent=2))
    else:
        passed = [f for f in findings if f.code == _PASSED]
        shown = [f for f in findings if f.code != _PASSED]
        print_findings(shown)
        if passed:
            OUT.print(_not_read(passed))
        OUT.print(f"{folder}: {summary(shown)}")
    worst = Severity.WARNING if strict else Severity.ERROR
    raise typer.Exit(1 if any(f.severity >= worst for f in findings) else 0)


def _not_read(passed: Sequence[Finding]) -> str:
    """One line about all files that are passed over; `--output json` has a line for each, with why."""
    names = [str(f.where) for f in passed[:_MOST_NAMED]]
    more = ["…"] if len(passed) > _MOST_NAMED else []
    return f"not read: {', '.join([*names, *more])} ({counted(len(passed), 'file')}; reasons: --output json)"


def to_json(finding: Finding) -> dict[str, object]:
    """One finding as JSON: code, severity, message, hint, file, line, object, path."""
    where, origin = finding.where, finding.origin
    return {
        "code": finding.code,
        "severity": finding.severity.name.lower(),
        "message": finding.message,
        "hint": finding.hint,
        "file": where.file if where else None,
        "line": where.line or None if where else None,
        "object": str(origin.ref) if origin else None,
        "path": origin.path or None if origin else None,
    }
