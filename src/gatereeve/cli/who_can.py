"""`gatereeve who-can FOLDER MODEL`: the access matrix of one model.

Exit code 0 if a version answers an allowed caller, else 1.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from gatereeve.api.world import World
from gatereeve.cli import folder as folders
from gatereeve.cli.explain import choose_gate
from gatereeve.cli.terminal import OUT
from gatereeve.core.errors import SettingsError
from gatereeve.core.refs import Origin
from gatereeve.decide import who_can as matrices
from gatereeve.decide.locate import locate


def who_can(
    folder: Annotated[Path, typer.Argument(help="The folder of Kubernetes documents.")],
    model: Annotated[str, typer.Argument(help="A Model: NAME or NAMESPACE/NAME.")],
    gate: Annotated[str | None, typer.Option(help="Which Gate is asked.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Print who may use a model: operations, regions, purposes, limits, and the versions that answer."""
    world, compiled = folders.load(folder)
    name = _model(world, model)
    matrix = matrices.who_can(choose_gate(compiled.ir, gate), name)
    if as_json:
        typer.echo(json.dumps(matrices.to_plain(matrix), indent=2, ensure_ascii=False))
    else:
        _print(world, matrix)
    raise typer.Exit(0 if any(cell.versions for cell in matrix.cells) else 1)


def _model(world: World, name: str) -> str:
    """Return `namespace/name` of the Model called `name`."""
    models = [f"{namespace}/{key}" for namespace, key in world.models]
    matches = [model for model in models if name in (model, model.partition("/")[2])]
    if len(matches) == 1:
        return matches[0]
    hint = f"Models here: {', '.join(matches or models) or 'none'}"
    if matches:
        raise SettingsError(f"{name} names {len(matches)} Models", hint=hint)
    raise SettingsError(f"there is no Model {name}", hint=hint)


def _print(world: World, matrix: matrices.Matrix) -> None:
    """One block per subject of a rule, so that nothing has to be cut on a narrow terminal."""
    OUT.print(Text(f"{matrix.model} on gate {matrix.gate}", style="bold"))
    for note in matrix.notes:
        OUT.print(Text(note, style="yellow"))
    for _, alike in groupby(matrix.cells, key=_all_but_operation):
        cells = list(alike)
        _print_cells(world, cells[0], [cell.operation for cell in cells])
    for denial in matrix.denials:
        OUT.print(Text(f"{_any(denial.subjects, 'every caller')}: denied", style="bold red"))
        _line("operations", _any(denial.operations, "all"))
        _where(denial.regions, denial.purposes)
        _line("rule", denial.rule + _place(world, denial.origin))


def _all_but_operation(cell: matrices.Cell) -> matrices.Cell:
    return replace(cell, operation="infer")


def _print_cells(world: World, cell: matrices.Cell, operations: Sequence[str]) -> None:
    OUT.print(Text(cell.subject, style="bold green" if cell.versions else "bold yellow"))
    _line("operations", ", ".join(operations))
    _where(cell.regions, cell.purposes)
    if cell.limit is not None:
        _line("limit", f"{cell.limit.count}/{cell.limit.seconds} s")
    _line("versions", ", ".join(cell.versions) or f"none ({', '.join(cell.refused)})")
    _line("rule", cell.rule + _place(world, cell.origin))
    if cell.except_by:
        _line("except", ", ".join(cell.except_by))


def _where(regions: tuple[str, ...] | None, purposes: tuple[str, ...] | None) -> None:
    _line("regions", _any(regions, "all"))
    _line("purposes", _any(purposes, "all"))


def _line(label: str, text: str) -> None:
    OUT.print(Text.assemble((f"  {label:<11}", "dim"), text))


def _any(values: tuple[str, ...] | None, otherwise: str) -> str:
    if values is None:
        return otherwise
    return ", ".join(values[:6]) + (f", and {len(values) - 6} more" if len(values) > 6 else "")


def _place(world: World, origin: Origin) -> str:
    where = locate(world, origin)
    return "" if where is None else f" ({where})"
