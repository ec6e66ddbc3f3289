"""What can be wrong with a log: codes and texts (`faults.toml`), as a value and as an exception.

A `Fault` names a place in a directory: the verifier returns faults and goes on. A `TlogError` says that one
value (a note, a proof, a bundle) is unusable: the parsers raise it. Both carry the code and the hint.
Nothing here reads a log.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Text:
    """What a code means. `message` and `hint` have `{placeholders}` for the values of the case."""

    about: str
    message: str
    hint: str


@functools.cache
def texts() -> Mapping[str, Text]:
    """The text of every code, in the order of `faults.toml`."""
    data = resources.files(__package__).joinpath("faults.toml").read_text(encoding="utf-8")
    return {code: Text(**table) for code, table in tomllib.loads(data).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong in a directory.

    file: its path below the directory, with slashes. index: of the entry in the log, or for a hash tile of
    the hash in its level; None where the fault concerns the file as a whole. offset: of the first byte of
    that entry or hash in the file; None where it is unknown.
    """

    code: str
    file: str
    index: int | None = None
    offset: int | None = None
    message: str
    hint: str


def fault(
    code: str,
    file: str,
    /,
    *,
    index: int | None = None,
    offset: int | None = None,
    **values: object,
) -> Fault:
    """A fault with the text of `code`. values: what the placeholders of the text stand for."""
    text = texts()[code]
    shown = {"file": file, "index": index, "offset": offset, **values}
    return Fault(
        code=code,
        file=file,
        index=index,
        offset=offset,
        message=text.message.format_map(shown),
        hint=text.hint.format_map(shown),
    )


class TlogError(Exception):
    """A value of the log's formats is unusable, or a proof or signature does not hold.

    code: one of `faults.toml`. hint: what to do.
    """

    def __init__(self, code: str, /, **values: object) -> None:
        text = texts()[code]
        super().__init__(text.message.format_map(values))
        self.code = code
        self.hint = text.hint.format_map(values)
