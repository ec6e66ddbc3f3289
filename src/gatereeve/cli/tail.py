"""`gatereeve ledger tail`, also `gatereeve tail`: the newest records, as rows for people or lines for programs.

Reads while a recorder writes, and works without a running gatereeve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import typer
import watchfiles
from rich.text import Text

from gatereeve.cli.terminal import DEFAULT_STATE, OUT
from gatereeve.core import errors, records
from gatereeve.ledger.reading import Indexed, RecordLog
from gatereeve.runtime.settings import state_paths

OUTCOMES: Final = ("served", "refused", "reset", "broken")
_STYLES: Final = {"served": "green", "refused": "yellow", "reset": "magenta", "broken": "red"}
_LOOK_AGAIN_MS: Final = 1000
_WIDE: Final = 160


def tail(
    state: Annotated[
        Path | None, typer.Option(help="The state directory.", show_default=DEFAULT_STATE)
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as records come.")] = False,  # noqa: FBT002 - a flag
    count: Annotated[int, typer.Option("--number", "-n", help="How many records.", min=0)] = 20,
    outcome: Annotated[
        str | None, typer.Option(help="Only requests that were served, refused, reset or broken.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Only requests to this model, as namespace/name or name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The lines as they are stored.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show what was recorded: requests, changes, documents and losses, oldest first."""
    if outcome is not None and outcome not in OUTCOMES:
        raise typer.BadParameter(f"one of {', '.join(OUTCOMES)}", param_hint="--outcome")
    directory = state_paths(state).root
    if not directory.is_dir():
        raise errors.SettingsError(
            f"there is no state directory {directory}",
            hint="start gatereeve with `gatereeve up FOLDER`, or name its directory with --state",
        )
    wanted = _filter(outcome, model)
    log = RecordLog(directory)
    end = log.size()
    lines = list(islice(filter(wanted, log.read_backwards(end)), count))
    for _, line in reversed(lines):
        show(line, as_json=as_json)
    if follow:
        try:
            for _, line in filter(wanted, log.read(end, wait=_waiter(directory))):
                show(line, as_json=as_json)
        except KeyboardInterrupt:
            return


def _waiter(directory: Path) -> Callable[[], bool]:
    """Waits for a change in the directory. Returns False when the person has had enough."""
    changes: Iterator[object] | None = None

    def wait() -> bool:
        nonlocal changes
        if changes is None:
            # A look now and then as well: what came before the first watch began gives no notice.
            changes = watchfiles.watch(
                directory,
                step=20,
                debounce=100,
                rust_timeout=_LOOK_AGAIN_MS,
                yield_on_timeout=True,
                watch_filter=None,
            )
        return next(changes, None) is not None

    return wait


def _filter(outcome: str | None, model: str | None) -> Callable[[Indexed], bool]:
    def wanted(indexed: Indexed) -> bool:
        if outcome is None and model is None:
            return True
        record = _decoded(indexed[1])
        if not isinstance(record, records.RequestRecord):
            return False
        named = record.model or ""
        return outcome in {None, record.outcome} and (
            model in {None, named} or named.endswith(f"/{model}")
        )

    return wanted


def _decoded(line: bytes) -> records.Record | None:
    try:
        return records.decode(line)
    except ValueError:
        return None


def show(line: bytes, *, as_json: bool) -> None:
    """Print one record: as stored, or as a row for people."""
    if as_json:
        typer.echo(line)
        return
    record = _decoded(line)
    if isinstance(record, records.RequestRecord):
        OUT.print(_request(record))
    elif isinstance(record, records.ChangeRecord):
        OUT.print(_change(record))
    elif isinstance(record, records.DocumentRecord):
        OUT.print(_document(record))
    elif isinstance(record, records.LossRecord):
        OUT.print(_lost(record))
    else:
        text = line.decode(errors="replace")
        OUT.print(Text(f"not a record that this version knows: {text}", style="red"))


def _request(record: records.RequestRecord) -> Text:
    """Columns: time, outcome, status, code, caller, model and version, operation, path, rule, ms, id.

    A person's narrow terminal gets what fits on one line.
    """
    caller = record.caller
    who = f"{caller.provider}/{caller.id}" if caller.id else "anonymous"
    model = f"{record.model} {record.version or '?'}" if record.model else record.host or "?"
    request_line = f"{record.method or '?'} {record.path or '?'}"
    took = "" if record.duration_us is None else f"{record.duration_us / 1000:.1f} ms"
    if OUT.is_terminal and OUT.width < _WIDE:
        head = f"{_time(record.started_at)[6:14]} {record.outcome:<8}{record.status or '-':<4}"
        words = (record.code, who, model, request_line, took)
        rest = _fit("  ".join(word for word in words if word), max(OUT.width - len(head), 20))
        return Text.assemble((head, _STYLES[record.outcome]), rest.rstrip())
    return Text.assemble(
        (f"{_time(record.started_at)} ", "dim"),
        (f"{record.outcome:<8}", _STYLES[record.outcome]),
        (f"{record.status or '-':<4}", "bold"),
        (f"{record.code or '':<21} ", _STYLES[record.outcome]),
        f"{_fit(who, 22)} {_fit(model, 22)} {record.operation or '':<10} ",
        f"{_fit(request_line, 36)} ",
        (f"{_fit(record.rule or '', 32)} {took:>9} ", "dim"),
        (record.record_id, "dim"),
    )


def _change(record: records.ChangeRecord) -> Text:
    hashes = f"{_short(record.before)} → {_short(record.after)}"
    detail = ": ".join(text for text in (", ".join(record.documents), record.reason) if text)
    return Text.assemble(
        (f"{_time(record.at)} ", "dim"),
        (f"{record.event:<13}", "bold red" if record.event == "rejected" else "bold cyan"),
        f"gate {record.gate} {hashes} {detail}".rstrip(),
    )


def _document(record: records.DocumentRecord) -> Text:
    detail = f"{_short(record.before)} → {_short(record.after)}" if record.what != "found" else ""
    by = _fit(record.by, len(record.by)) if record.by else "unknown"
    return Text.assemble(
        (f"{_time(record.at)} ", "dim"),
        (f"{record.what:<13}", "bold cyan"),
        f"{record.document} by {by} {detail}".rstrip(),
    )


def _lost(record: records.LossRecord) -> Text:
    return Text.assemble(
        (f"{_time(record.at)} ", "dim"),
        (f"{'lost':<8}{record.lost:<5}", "bold red"),
        f"gate {record.gate} {record.node} {record.reason}",
    )


def _time(instant: str) -> str:
    """`11-24 12:00:00.000`: no year, no microseconds."""
    return instant[5:23].replace("T", " ")


def _short(digest: str | None) -> str:
    return (digest or "nothing").removeprefix("sha256:")[:12]


def _fit(text: str, width: int) -> str:
    """Control characters made visible and cut to the width: callers choose some of these texts."""
    shown = "".join(letter if letter.isprintable() else "�" for letter in text)
    return shown[: width - 1] + "…" if len(shown) > width else f"{shown:<{width}}"
