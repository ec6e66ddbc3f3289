"""`gatereeve who-can FOLDER MODEL`: the access matrix of one model.

Exit code 0 when somebody can, 1 when nobody can.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from gatereeve.api.world import World
from gatereeve.cli import folder as folders
from gatereeve.cli.explain import choose_gate
from gatereeve.cli.terminal import OUT
from gatereeve.compile import who_can as matrices
from gatereeve.compile.locate import locate
from gatereeve.core.errors import SettingsError
from gatereeve.core.refs import Origin


def who_can(
    folder: Annotated[Path, typer.Argument(help="The folder of Kubernetes documents.")],
    model: Annotated[str, typer.Argument(help="A Model: NAME or NAMESPACE/NAME.")],
    gate: Annotated[str | None, typer.Option(help="Which Gate is asked.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Print who may use a model: operations, regions, purposes, limits, and the versions they meet."""
    world, compiled = folders.load(folder)
    name = _model(world, model)
    matrix = matrices.who_can(choose_gate(compiled.ir, gate), name)
    if as_json:
        typer.echo(json.dumps(matrices.to_plain(matrix), indent=2, ensure_ascii=False))
    else:
        _print(world, matrix)
    raise typer.Exit(0 if any(cell.versions for cell in matrix.cells) else 1)


def _model(world: World, name: str) -> str:
    """`namespace/name` of the one Model that is meant."""
    every = [f"{namespace}/{key}" for namespace, key in world.models]
    found = [one for one in every if name in (one, one.partition("/")[2])]
    if len(found) == 1:
        return found[0]
    hint = f"Models here: {', '.join(found or every) or 'none'}"
    if found:
        raise SettingsError(f"{name} names {len(found)} Models", hint=hint)
    raise SettingsError(f"there is no Model {name}", hint=hint)


def _print(world: World, matrix: matrices.Matrix) -> None:
    OUT.print(Text(f"{matrix.model} on gate {matrix.gate}", style="bold"))
    for words in matrix.words:
        OUT.print(Text(words, style="yellow"))
    if matrix.cells:
        table = Table("who", "may", "from", "for", "limit", "meets", "by", box=None)
        for cell in matrix.cells:
            limit = "-" if cell.limit is None else f"{cell.limit.count}/{cell.limit.seconds} s"
            table.add_row(
                Text(cell.subject, style="bold"),
                cell.operation,
                _any(cell.regions, "anywhere"),
                _any(cell.purposes, "anything"),
                limit,
                Text(", ".join(cell.versions) or "nothing: " + ", ".join(cell.refused)),
                Text(_by(cell) + _place(world, cell.origin)),
            )
        OUT.print(table)
    if matrix.denials:
        table = Table("denied", "what", "from", "for", "by", box=None)
        for denial in matrix.denials:
            table.add_row(
                Text(_any(denial.subjects, "everybody"), style="bold"),
                _any(denial.operations, "every operation"),
                _any(denial.regions, "anywhere"),
                _any(denial.purposes, "anything"),
                Text(denial.rule + _place(world, denial.origin)),
            )
        OUT.print(table)


def _any(values: tuple[str, ...] | None, otherwise: str) -> str:
    if values is None:
        return otherwise
    return ", ".join(values[:6]) + (f", and {len(values) - 6} more" if len(values) > 6 else "")


def _by(cell: matrices.Cell) -> str:
    if not cell.except_by:
        return cell.rule
    return f"{cell.rule}, unless {', '.join(cell.except_by)}"


def _place(world: World, origin: Origin) -> str:
    where = locate(world, origin)
    return "" if where is None else f" ({where})"
