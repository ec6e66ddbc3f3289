"""Entries are RFC 8785: `records.encode` gives the canonical text for every record, and an entry always fits."""

from __future__ import annotations

import typing

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gatereeve.core import canonical, records
from gatereeve.ledger import shorten
from gatereeve.ledger.tlog.tiles import MAX_ENTRY_BYTES

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NUMBERS = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)


def values(hint: object, texts: st.SearchStrategy[str]) -> st.SearchStrategy[typing.Any]:
    parts = [part for part in typing.get_args(hint) if part not in (type(None), ...)]
    origin = typing.get_origin(hint)
    if hint is str:
        return texts
    if hint is int:
        return NUMBERS
    if origin is typing.Literal:
        return st.sampled_from(parts)
    if origin is tuple:
        return st.lists(values(parts[0], texts), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(TEXTS, values(parts[1], texts), max_size=3)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return structs(hint, texts)
    return values(parts[0], texts)


def structs(
    kind: type[msgspec.Struct], texts: st.SearchStrategy[str]
) -> st.SearchStrategy[typing.Any]:
    hints = typing.get_type_hints(kind)
    return st.fixed_dictionaries(
        {}, optional={name: values(hint, texts) for name, hint in hints.items()}
    ).flatmap(
        lambda some: st.fixed_dictionaries(
            {n: values(h, texts) for n, h in hints.items() if n not in some and _needed(kind, n)}
        ).map(lambda rest: kind(**some, **rest))
    )


def _needed(kind: type[msgspec.Struct], name: str) -> bool:
    (field,) = (field for field in msgspec.structs.fields(kind) if field.name == name)
    return field.required


KINDS = st.sampled_from(typing.get_args(records.Record))


@given(KINDS.flatmap(lambda kind: structs(kind, TEXTS)))
def test_an_entry_is_the_canonical_text(record: records.Record) -> None:
    entry = shorten.encode_entry(record)
    assert entry == canonical.canonical_bytes(msgspec.to_builtins(record))
    assert records.decode(entry) == record


LONG = st.builds(
    lambda letter, number: letter * number,
    st.sampled_from(["a", "é", "\x01", '"', "\U0001f600"]),
    st.sampled_from([0, 10, 999, 1_000, 1_001, 30_000, 70_000]),
)


@given(KINDS.flatmap(lambda kind: structs(kind, LONG)))
def test_an_entry_fits_however_long_the_record_is(record: records.Record) -> None:
    entry = shorten.encode_entry(record)
    assert len(entry) <= MAX_ENTRY_BYTES
    short = records.decode(entry)
    assert type(short) is type(record)
    assert shorten.encode_entry(short) == entry
