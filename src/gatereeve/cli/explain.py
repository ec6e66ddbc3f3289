"""`gatereeve explain FOLDER REQUEST`: the decision path of one request, step by step.

REQUEST is a YAML or JSON file (`-` for standard input); `decide.request` describes its keys.
Exit code 0 if the request is served or redirected, 1 if it is refused.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.text import Text

from gatereeve.cli import folder as folders
from gatereeve.cli.terminal import OUT
from gatereeve.core import refusals
from gatereeve.core.errors import RequestError, SettingsError
from gatereeve.decide import explain as explaining
from gatereeve.decide import request as requests
from gatereeve.ir.gates import Gate, Ir

_MAX_REQUEST_BYTES = 64 * 1024 * 1024


def explain(
    folder: Annotated[Path, typer.Argument(help="The folder of Kubernetes documents.")],
    request: Annotated[
        str, typer.Argument(help="The request, a YAML or JSON file; - for standard input.")
    ],
    gate: Annotated[str | None, typer.Option(help="Which Gate is asked.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Explain what a gate answers to one request, with the document and line that decided each step."""
    parsed = requests.parse_request(_read(request))
    world, compiled = folders.load(folder)
    explanation = explaining.explain(
        choose_gate(compiled.ir, gate),
        parsed,
        now=world.at,
        world=world,
        findings=compiled.findings,
    )
    if as_json:
        typer.echo(json.dumps(explaining.to_plain(explanation), indent=2, ensure_ascii=False))
    else:
        _print(parsed, explanation)
    raise typer.Exit(0 if explanation.decision.code is None else 1)


def choose_gate(ir: Ir, name: str | None) -> Gate:
    """Return the gate called `name`, or the only one. Raises SettingsError."""
    gates = [gate for gate in ir.gates if name is None or gate.name == name]
    if len(gates) == 1:
        return gates[0]
    known = ", ".join(gate.name for gate in ir.gates) or "none"
    if name is not None:
        raise SettingsError(f"there is no Gate {name}", hint=f"Gates here: {known}")
    raise SettingsError("there are several Gates", hint=f"add --gate NAME; Gates here: {known}")


def _read(source: str) -> object:
    try:
        if source == "-":
            text = sys.stdin.read(_MAX_REQUEST_BYTES)
        else:
            with Path(source).open(encoding="utf-8") as file:
                text = file.read(_MAX_REQUEST_BYTES)
        data: object = yaml.safe_load(text)
    except OSError as error:
        raise RequestError(
            f"{source} cannot be read: {error.strerror}", hint="name a YAML or JSON file, or -"
        ) from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{source} is not UTF-8", hint="save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise RequestError(
            f"{source} is not YAML: {error}", hint="see the line it names"
        ) from error
    return data


def _print(request: requests.Request, explanation: explaining.Explanation) -> None:
    decision = explanation.decision
    OUT.print(
        Text.assemble(
            (f"{request.method} {request.scheme}://{request.host}{request.path}", "bold"),
            "\n→ ",
            _verdict(explanation),
        )
    )
    for line in explanation.lines:
        step = line.step
        is_end = step is decision.steps[-1]
        style = ("bold red" if decision.code else "bold green") if is_end else "bold"
        OUT.print(
            Text.assemble(
                (f"{step.number:>3} {step.name:<11}", "cyan"),
                (step.outcome, style),
                f" ({step.detail})",
            )
        )
        if step.origin is not None:
            place = f", {line.where}" if line.where is not None else ""
            OUT.print(Text(f"{'':15}{step.origin}{place}", style="dim"))
    if decision.shadow:
        OUT.print(Text(f"policies in shadow mode would decide: {', '.join(decision.shadow)}"))


def _verdict(explanation: explaining.Explanation) -> Text:
    decision = explanation.decision
    if decision.code is not None:
        title = refusals.lookup(decision.code).title
        return Text(f"{decision.status} {decision.code}: {title}", style="bold red")
    if decision.location is not None:
        return Text(f"{decision.status} to {decision.location}", style="bold yellow")
    target = decision.cluster or ""
    if decision.model is not None:
        target = f"{decision.model} version {decision.version}"
    elif len(decision.possible) > 1:
        target = f"one of {', '.join(decision.possible)}"
    return Text(f"served by {target}", style="bold green")
