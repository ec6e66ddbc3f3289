"""The reference page of records, from the types and docstrings of `core.records`.

A docstring is a sentence, then `field: what it is` lines; `fields` holds them to be complete.
"""

from __future__ import annotations

import re
import typing
from typing import get_args, get_origin

import msgspec

from gatereeve.core import records

_FIELD = re.compile(r"^ {4}(\w+): ")
_INTRODUCTION = """\
# Records

What is kept about every request, change, document and loss: canonical JSON (RFC 8785), UTF-8, one object for each
entry of the log in `ledger/` under the state directory. `gatereeve ledger tail` shows them,
`gatereeve ledger export` writes one line for each. [ledger-format](ledger-format.md) says how the log is stored.
`kind` says which of the four an entry is. A field with nothing to say (no text, 0, no items) is left
out, never `""` or `"-"`.
No credential, no body, no query string and no token payload is ever in a record.

A record waits at most a quarter of a second before it is in the log, signed and durable against a power cut. What
waits is in the operating system's hands: a kill loses none of it. Bytes that a kill or a power cut left
half-written are kept in `ledger/.state/torn-…` and noted as a loss. The access log of a gate may lose
entries; the loss is found from the gate's own counters and recorded with its exact number.
An entry has at most 65,535 bytes. A longer record has its texts cut to 1,000 characters, or fewer, and its lists
to 50 items; a text that was cut ends in `…`.
"""


def page() -> str:
    """Markdown: one table per record, and one for the caller inside it."""
    parts = [_INTRODUCTION]
    for title, struct in (
        ("Request", records.RequestRecord),
        ("Caller", records.Caller),
        ("Change", records.ChangeRecord),
        ("Document", records.DocumentRecord),
        ("Loss", records.LossRecord),
    ):
        parts.append(f"## {title}\n")
        first = (struct.__doc__ or "").strip().partition("\n")[0]
        parts.append(f"{first}\n")
        tag = struct.__struct_config__.tag
        if tag is not None:
            parts.append(f'`kind` is `"{tag}"`.\n')
        parts.append("| field | type | |\n|---|---|---|")
        parts += [f"| `{name}` | {kind} | {about} |" for name, kind, about in fields(struct)]
        parts.append("")
    return "\n".join(parts)


def fields(struct: type[msgspec.Struct]) -> list[tuple[str, str, str]]:
    """(name, type, what it is) of each field, in order. Raises ValueError when one is undescribed."""
    described: dict[str, str] = {}
    name = ""
    for line in (struct.__doc__ or "").splitlines()[1:]:
        found = _FIELD.match(line)
        if found:
            name = found[1]
            described[name] = line[found.end() :].strip()
        elif name and line.strip():
            described[name] += " " + line.strip()
    hints = typing.get_type_hints(struct)
    missing = set(struct.__struct_fields__) ^ set(described)
    if missing:
        raise ValueError(f"{struct.__name__}: described otherwise than defined: {sorted(missing)}")
    return [
        (item, _type(hints[item]), described[item].replace("|", "\\|"))
        for item in struct.__struct_fields__
    ]


def _type(hint: object) -> str:
    """How a JSON reader meets it: a text, a number, a list, one of some words, an object."""
    arguments = [part for part in get_args(hint) if part is not type(None) and part is not ...]
    if get_origin(hint) is typing.Literal:
        return "word"
    if get_origin(hint) is dict:
        return f"{_type(arguments[1])} by {_type(arguments[0])}"
    if get_origin(hint) is tuple:
        return f"list of {_type(arguments[0])}s"
    if len(arguments) == 1:
        return _type(arguments[0])
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return {str: "text", int: "integer", bool: "boolean"}[typing.cast("type", hint)]
