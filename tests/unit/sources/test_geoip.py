"""GeoIP databases of several makers to one table, and rubbish to none."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatereeve.sources import geoip
from gatereeve.sources.folder.folder_source import FolderSource
from tests.unit.api import documents
from tests.unit.sources.clock import StillClock
from tests.unit.sources.mmdb import database


def test_countries_of_several_layouts() -> None:
    data = database(
        {
            "192.0.2.0/24": {"country": {"iso_code": "DE"}},
            "198.51.100.0/24": {"country": "FR"},
            "203.0.113.0/25": {"country_code": "us"},
            "203.0.113.128/25": {"country": {"names": {"en": "?"}}},
            "2001:db8::/32": {"country": {"iso_code": "NO"}},
        }
    )
    table = geoip.read_table(data)
    assert table is not None
    assert table.entries == (
        ("192.0.2.0/24", "de"), ("198.51.100.0/24", "fr"), ("203.0.113.0/25", "us"),
        ("2001:db8::/32", "no"),
    )  # fmt: skip


def test_neighbours_of_one_country_are_joined() -> None:
    data = database(
        {f"10.0.{i}.0/24": {"country": "DE"} for i in range(8)} | {"10.0.8.0/24": {"country": "FR"}}
    )
    table = geoip.read_table(data)
    assert table is not None
    assert table.entries == (("10.0.0.0/21", "de"), ("10.0.8.0/24", "fr"))


@pytest.mark.parametrize("data", [b"", b"x" * 100, database({"10.0.0.0/8": {"country": "DE"}})[:-20],
                                  b"\xab\xcd\xefMaxMind.com", b"\xab\xcd\xefMaxMind.com\xff\xff"])  # fmt: skip
def test_what_is_no_database_is_none(data: bytes) -> None:
    assert geoip.read_table(data) is None


def test_any_flipped_byte_is_survived() -> None:
    data = database({"192.0.2.0/24": {"country": {"iso_code": "DE"}}})
    for place in range(len(data)):
        bent = bytearray(data)
        bent[place] ^= 0xFF
        geoip.read_table(bytes(bent))


def test_a_table_is_made_once_per_content(tmp_path: Path) -> None:
    text = documents.GATE + "  attributes: {region: [{geoip: {database: geo.mmdb}}]}\n"
    (tmp_path / "g.yaml").write_text(text)
    data = database({"192.0.2.0/24": {"country": "DE"}})
    (tmp_path / "geo.mmdb").write_bytes(data)
    reader = FolderSource(tmp_path, StillClock())
    first = reader.read().geo["geo.mmdb"]
    (tmp_path / "geo.mmdb").unlink()
    assert reader.read().geo == {}
    (tmp_path / "geo.mmdb").write_bytes(data)
    again = reader.read().geo["geo.mmdb"]
    assert again == first
    (tmp_path / "other").write_bytes(data)
    (tmp_path / "other").rename(tmp_path / "geo.mmdb")
    assert reader.read().geo["geo.mmdb"] is again
