"""A MaxMind-format database of countries to a `GeoTable`.

Reads the layouts of GeoLite2, DB-IP and IPinfo. Neighbouring networks of one country are joined,
which makes the table several times smaller. Pure but for the time it takes.
"""

from __future__ import annotations

import io
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping

import maxminddb

from gatereeve.api.world import GeoTable

MAX_BYTES = 256 * 1024 * 1024
MAX_NETWORKS = 8_000_000

_COUNTRY = re.compile(r"[A-Za-z]{2}")

Row = tuple[int, int, int, str]
"""IP version, first address, prefix length, country."""


def read_table(data: bytes) -> GeoTable | None:
    """The table in `data`, or None when it is no such database."""
    try:
        with maxminddb.open_database(io.BytesIO(data), maxminddb.MODE_FD) as reader:
            rows = _joined(_rows(reader))
    except (maxminddb.InvalidDatabaseError, ValueError, TypeError, OverflowError, LookupError,
            UnicodeDecodeError, RecursionError, MemoryError):  # fmt: skip
        return None
    return GeoTable(entries=tuple((_cidr(row), row[3]) for row in rows))


def _rows(reader: Iterable[tuple[object, object]]) -> Iterator[Row]:
    for count, (network, record) in enumerate(reader):
        if count >= MAX_NETWORKS:
            raise ValueError("too many networks")
        country = _country(record)
        if country is not None and isinstance(
            network, ipaddress.IPv4Network | ipaddress.IPv6Network
        ):
            yield (network.version, int(network.network_address), network.prefixlen, country)


def _country(record: object) -> str | None:
    if not isinstance(record, Mapping):
        return None
    country = record.get("country_code", record.get("country"))
    if isinstance(country, Mapping):
        country = country.get("iso_code")
    if isinstance(country, str) and _COUNTRY.fullmatch(country):
        return country.lower()
    return None


def _joined(rows: Iterator[Row]) -> list[Row]:
    """Rows in order of address, two halves of one network with one country made one."""
    stack: list[Row] = []
    for row in sorted(rows):
        stack.append(row)
        while len(stack) > 1 and (both := _both(stack[-2], stack[-1])) is not None:
            stack[-2:] = [both]
    return stack


def _both(low: Row, high: Row) -> Row | None:
    if low[0] != high[0] or low[2] != high[2] or low[3] != high[3] or low[2] == 0:
        return None
    size = 1 << ((32 if low[0] == 4 else 128) - low[2])
    if low[1] % (2 * size) or high[1] != low[1] + size:
        return None
    return (low[0], low[1], low[2] - 1, low[3])


def _cidr(row: Row) -> str:
    address = ipaddress.IPv4Address(row[1]) if row[0] == 4 else ipaddress.IPv6Address(row[1])
    return f"{address}/{row[2]}"
