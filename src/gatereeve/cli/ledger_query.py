"""`gatereeve ledger query`: SQL over the record, or a question that has a name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from gatereeve.cli.state_log import StateOption, open_log
from gatereeve.cli.terminal import OUT, printable
from gatereeve.ledger import query as sql

_WIDEST: Final = 60
"""Characters of a value on a terminal."""


def query(
    question: Annotated[
        str | None, typer.Argument(help="SQL over `records`, or a question's name.")
    ] = None,
    argument: Annotated[str | None, typer.Argument(help="What the question is about.")] = None,
    state: StateOption = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Where to keep the Parquet files.",
            show_default="query in the state directory; none for a copy of a log",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object for each row.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Answer a question about the record. Without an argument: the questions and the columns.

    Needs DuckDB: pip install 'gatereeve[query]'.
    """
    if question is None:
        _explain()
        return
    log = open_log(state)
    if cache is None and log.is_of_state:
        cache = log.directory.parent / "query"
    ready = sql.QUESTIONS.get(question)
    if ready is not None and argument is None and not ready.optional:
        raise typer.BadParameter(f"`{question}` needs {ready.argument}", param_hint="ARGUMENT")
    try:
        answer = sql.ask(log, cache, question if ready is None else ready.sql, argument)
    except sql.QueryError as error:
        hint = f"a question is one of {', '.join(sql.QUESTIONS)}, or SQL"
        raise typer.BadParameter(f"{error}\n{hint}", param_hint="QUESTION") from error
    if as_json:
        for row in answer.rows:
            typer.echo(msgspec.json.encode(dict(zip(answer.columns, row, strict=True))))
        return
    _print(answer)


def _explain() -> None:
    OUT.print("questions:")
    for name, each in sql.QUESTIONS.items():
        argument = f"[{each.argument}]" if each.optional else each.argument
        OUT.print(f"  {f'{name} {argument}':<24}{each.about}")
    OUT.print("columns of `records`, for SQL:")
    for name, kind in sql.columns().items():
        OUT.print(f"  {name:<24}{kind}")


def _print(answer: sql.Answer) -> None:
    rows = [tuple(_cell(value) for value in row) for row in answer.rows]
    widths = [max(map(len, column)) for column in zip(answer.columns, *rows, strict=True)]
    for row in (answer.columns, *rows):
        OUT.print("  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip())
    OUT.print(f"({len(rows):,} {'row' if len(rows) == 1 else 'rows'})")


def _cell(value: object) -> str:
    text = "" if value is None else printable(str(value)).replace("\n", " ")
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
