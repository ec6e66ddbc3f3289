"""SQL over the records of a log: DuckDB over Parquet files that are made from it.

The log is the record; the Parquet files are a copy that can be made again at any time, one for each SEGMENT entries.
What is behind the last full segment is read each time. Nothing is verified here: `tlog.verify` is for doubts.
DuckDB comes with the extra `gatereeve[query]`. A query reads the view `records` and no file, and changes nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from gatereeve.core import errors, records
from gatereeve.ledger.reading import RecordLog
from gatereeve.ledger.tlog import proofs
from gatereeve.ledger.tlog.faults import TlogError

if TYPE_CHECKING:
    import duckdb

SEGMENT: Final = 262_144
"""Entries of a Parquet file."""


class QueryError(ValueError):
    """The query cannot be answered as it is; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """columns: their names. rows: a value for each column; None where a record has no such field."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query with a name. argument: what its one parameter is; optional: it may be left out."""

    about: str
    argument: str
    sql: str
    optional: bool = False


_PRINCIPAL = "coalesce(caller.provider || '/' || caller.id, 'anonymous')"

QUESTIONS: Final[Mapping[str, Question]] = {
    "who-used": Question(
        about="Who used this model, which version, how often, and when.",
        argument="MODEL",
        sql=f"""SELECT {_PRINCIPAL} AS principal, version, count(*) AS requests,
                count(*) FILTER (outcome = 'served') AS served,
                count(*) FILTER (outcome = 'refused') AS refused,
                min(started_at) AS first, max(started_at) AS last
            FROM records WHERE kind = 'request' AND (model = $1 OR split_part(model, '/', 2) = $1)
            GROUP BY ALL ORDER BY requests DESC, principal, version""",  # noqa: S608 - constants
    ),
    "refusals-of": Question(
        about="What was refused to this principal, and why.",
        argument="PRINCIPAL",
        sql=f"""SELECT started_at, model, status, code, rule, region, purpose, record_id
            FROM records WHERE kind = 'request' AND outcome = 'refused'
                AND ({_PRINCIPAL} = $1 OR caller.id = $1)
            ORDER BY index""",  # noqa: S608 - constants
    ),
    "about": Question(
        about="Everything about this record id: the record, and the changes that led to its configuration.",
        argument="RECORD_ID",
        sql=f"""WITH wanted AS (SELECT config FROM records WHERE record_id = $1 LIMIT 1)
            SELECT index, coalesce(started_at, "at") AS "at", kind, CASE kind
                WHEN 'request' THEN concat_ws(' ', outcome, status, code, method, path, 'by', {_PRINCIPAL},
                    'model', model, version, 'rule', rule)
                WHEN 'change' THEN concat_ws(' ', event, 'gate', gate, after, reason)
                WHEN 'document' THEN concat_ws(' ', what, document, 'by', coalesce("by", 'unknown'), after)
                ELSE concat_ws(' ', lost, 'lost at', node, reason) END AS record
            FROM records WHERE record_id = $1
                OR (kind = 'change' AND after = (SELECT config FROM wanted))
                OR (kind = 'document' AND list_contains(map_values(configs), (SELECT config FROM wanted)))
            ORDER BY index""",  # noqa: S608 - constants
    ),
    "changes": Question(
        about="What changed, when, by whom; from a time on, such as 2026-11-24.",
        argument="SINCE",
        sql="""SELECT "at", coalesce(document, 'gate ' || gate) AS object, coalesce(what, event) AS change,
                coalesce("by", 'unknown') AS "by", before, after, reason
            FROM records WHERE kind IN ('document', 'change') AND "at" >= coalesce($1, '') ORDER BY index""",
        optional=True,
    ),
}


def ask(log: RecordLog, cache: Path | None, sql: str, argument: str | None = None) -> Answer:
    """The answer to one query over `records`. argument: the value of `$1`, if the query has one.

    cache: where the Parquet files are kept; made if it is missing. None: they are made for this query alone.
    Raises QueryError, RecordError where the log or the cache cannot be read, SettingsError without DuckDB.
    """
    duck = _duckdb()
    with contextlib.ExitStack() as undo:
        if cache is None:
            cache = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="gatereeve-query-")))
        connection = undo.enter_context(contextlib.closing(duck.connect()))
        try:
            cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            _load(connection, log, cache)
        except (OSError, TlogError, duck.Error) as error:
            raise errors.RecordError(
                f"the records cannot be prepared for queries in {cache}: {error}",
                hint="free space, or name another directory with --cache; it may be deleted at any time",
            ) from error
        try:
            found = connection.execute(sql, [argument] if "$1" in sql else None)
            columns = tuple(str(column[0]) for column in found.description or ())
            return Answer(columns, found.fetchall())
        except duck.Error as error:
            raise QueryError(str(error)) from error


def columns() -> dict[str, str]:
    """The columns of `records`, each with its SQL type."""
    found = {"index": "BIGINT", "kind": "VARCHAR"}
    for kind in typing.get_args(records.Record):  # "at" and "by" are words of SQL
        for name, hint in typing.get_type_hints(kind).items():
            found.setdefault(name, _sql_type(hint))
    return found


def _sql_type(hint: object) -> str:
    options = [part for part in typing.get_args(hint) if part not in (type(None), ...)]
    origin = typing.get_origin(hint)
    if hint is str or origin is typing.Literal:
        return "VARCHAR"
    if hint is int:
        return "BIGINT"
    if origin is tuple:
        return f"{_sql_type(options[0])}[]"
    if origin is dict:
        return f"MAP({_sql_type(options[0])}, {_sql_type(options[1])})"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        parts = typing.get_type_hints(hint).items()
        listed = ", ".join([f'"{name}" {_sql_type(part)}' for name, part in parts])
        return f"STRUCT({listed})"
    return _sql_type(options[0])


def _load(connection: duckdb.DuckDBPyConnection, log: RecordLog, cache: Path) -> None:
    """Make the view `records` over the segments and what follows them; then nothing else may be read.

    A segment is named by the root over its entries, so one of another log, or of another past, is never used.
    """
    size = log.size()
    segments: list[Path] = []
    for start in range(0, size - SEGMENT + 1, SEGMENT):
        root = proofs.hash_range(start, start + SEGMENT, size, log.reader)
        path = cache / f"{start:012d}-{root.hex()[:32]}.parquet"
        segments.append(path)
        if not path.exists():
            with _lines(log, cache, start, start + SEGMENT) as lines:
                connection.execute(f"CREATE OR REPLACE TABLE segment AS {_read_json(lines)}")
            made = path.with_suffix(".new")
            connection.execute(f"COPY segment TO {_quote(made)} (FORMAT parquet, COMPRESSION zstd)")
            made.rename(path)
    connection.execute("DROP TABLE IF EXISTS segment")
    with _lines(log, cache, len(segments) * SEGMENT, size) as lines:
        connection.execute(f"CREATE TABLE tail AS {_read_json(lines)}")
    listed = ", ".join(map(_quote, segments))
    earlier = f"SELECT * FROM read_parquet([{listed}]) UNION ALL " if segments else ""  # noqa: S608 - our own paths
    connection.execute(f"CREATE VIEW records AS {earlier}SELECT * FROM tail")  # noqa: S608 - as above
    connection.execute(f"SET allowed_directories = [{_quote(cache)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


@contextlib.contextmanager
def _lines(log: RecordLog, cache: Path, start: int, end: int) -> Iterator[Path]:
    """A file with the entries `start` to `end`, one on a line, each with its index; removed afterwards."""
    descriptor, name = tempfile.mkstemp(dir=cache, suffix=".jsonl")
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for index, entry in log.read_range(start, end):
                if entry.startswith(b"{") and len(entry) > 2:
                    file.write(b'{"index":%d,' % index + entry[1:] + b"\n")
        yield path
    finally:
        path.unlink()


def _read_json(path: Path) -> str:
    listed = ", ".join(f"{_quote(name)}: {_quote(kind)}" for name, kind in columns().items())
    return (
        f"SELECT * FROM read_json({_quote(path)}, columns = {{{listed}}}, "  # noqa: S608 - our own paths
        "format = 'newline_delimited', ignore_errors = true)"
    )


def _quote(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _duckdb() -> types.ModuleType:
    try:
        return importlib.import_module("duckdb")
    except ImportError as error:
        raise errors.SettingsError(
            "queries need DuckDB, which is not installed",
            hint="pip install 'gatereeve[query]'; `gatereeve ledger export` gives the records to other programs",
        ) from error
