"""`gatereeve ledger …`: the records of a state directory, proofs of them, and the check of a copy.

`verify` needs a directory and a public key only: no state directory, no network, no running gatereeve. The others
read a state directory, or a copy of a log, beside a running gatereeve or without one.
"""

from __future__ import annotations

import contextlib
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from gatereeve.cli import ledger_query, ledger_stats, ledger_verify, tail
from gatereeve.cli.state_log import StateOption, open_log
from gatereeve.cli.terminal import ERR, OUT, fail, printable
from gatereeve.core import errors
from gatereeve.ledger.reading import Indexed, RecordLog
from gatereeve.ledger.tlog.faults import TlogError

IdArgument = Annotated[str, typer.Argument(help="A record id, or the index of an entry.")]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command("tail", short_help="The newest records.")(tail.tail)


@app.command("show", short_help="Everything about one record id.")
def show(
    record: IdArgument,
    state: StateOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As stored.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show every record that has the id ID anywhere in it, oldest first, with its index in the log."""
    log = open_log(state)
    for index, entry in reversed(_find(log, record)):
        if as_json:
            typer.echo(entry)
            continue
        OUT.print(Text(f"entry {index}", style="bold"))
        OUT.print(Text(printable(msgspec.json.format(entry, indent=2).decode())))


@app.command("prove", short_help="A receipt: one record is in the log.")
def prove(
    record: IdArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Receipt to write.", show_default="ID.tlog-proof"),
    ] = None,
    state: StateOption = None,
) -> None:
    """Write a receipt (C2SP tlog-proof) for the newest record with the id ID, and the entry beside it.

    The log's public key is all that is needed to check both: no log, no Gatereeve that runs.
    """
    log = open_log(state)
    index, entry = _find(log, record)[0]
    target = output or Path(f"{record}.tlog-proof")
    beside = target.with_suffix(".json")
    try:
        receipt = log.reader.make_receipt(index)
        beside.write_bytes(entry)
        target.write_bytes(receipt)
    except (OSError, TlogError) as error:
        raise errors.RecordError(f"no receipt could be written: {error}") from error
    OUT.print(f"entry {index} is proved by {target}; the entry itself is {beside}")
    OUT.print(f"check both: gatereeve ledger verify {target} --entry {beside} --key log.vkey")


@app.command("export", short_help="All records as JSON lines.")
def export(
    state: StateOption = None,
    first: Annotated[int, typer.Option("--from", min=0, help="Index of the first entry.")] = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File.", show_default="standard output")
    ] = None,
) -> None:
    """Write every entry on a line of its own, oldest first, byte for byte as it is in the log."""
    log = open_log(state)
    try:
        to_output = contextlib.nullcontext(sys.stdout.buffer)
        with to_output if output is None else output.open("wb") as file:
            for _, entry in log.read(first):
                file.write(entry + b"\n")
    except BrokenPipeError:
        raise
    except OSError as error:
        raise errors.RecordError(f"{output or 'standard output'}: {error.strerror}") from error


app.command("query", short_help="SQL, or a ready question.")(ledger_query.query)
app.command("stats", short_help="How many records of what kind.")(ledger_stats.stats)
app.command("verify", short_help="Check a copy of the log, or a receipt.")(ledger_verify.verify)


def _find(log: RecordLog, record: str) -> list[Indexed]:
    """The entries with this index or id, newest first. Ends the command with 1 where there is none."""
    if record.isascii() and record.isdecimal():
        found = list(islice(log.read(int(record)), 1))
    else:
        with ERR.status("searching, newest first"):
            found = list(log.find(f'"{record}"'))
    if not found:
        fail(
            f"the log has no record {record!r} among its {log.size():,} entries",
            "records come into the log up to a second after the answer; check the id and --state",
        )
        raise typer.Exit(1)
    return found
