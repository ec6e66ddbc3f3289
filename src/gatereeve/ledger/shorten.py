"""Records as entries: canonical JSON (RFC 8785), cut where a record would not fit into an entry of the log.

An entry has at most 65,535 bytes. Callers choose paths, hosts and claims, so a record may be longer; it must
be stored all the same. `records.encode` gives the text of RFC 8785 for our values, which a property test proves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gatereeve.core import canonical, records
from gatereeve.ledger.tlog.tiles import MAX_ENTRY_BYTES

MAX_TEXT: Final = 1_000
"""Characters of a text that are kept at most of a record that is too long; half as many if need be."""
MAX_ITEMS: Final = 50
"""Items of a list or object that are kept then."""


def encode_entry(record: records.Record) -> bytes:
    """The entry of a record. A longer record has its texts and lists cut; a cut text ends in an ellipsis."""
    entry = records.encode(record)
    longest = MAX_TEXT
    while len(entry) > MAX_ENTRY_BYTES:
        entry = canonical.canonical_bytes(_cut(msgspec.to_builtins(record), longest))
        longest //= 2
    return entry


def _cut(value: canonical.Json, longest: int) -> canonical.Json:
    if isinstance(value, str):
        return value if len(value) <= longest else value[: longest - 1] + "…"
    if isinstance(value, Mapping):
        return {name: _cut(value[name], longest) for name in list(value)[: 2 * MAX_ITEMS]}
    if isinstance(value, Sequence):
        return [_cut(item, longest) for item in value[:MAX_ITEMS]]
    return value
