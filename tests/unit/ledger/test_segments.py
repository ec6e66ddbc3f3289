"""Reading segments: whole lines only, in both directions, over several files, while one grows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatereeve.core import errors
from gatereeve.ledger import segments
from gatereeve.ledger.segments import Position


def write(directory: Path, number: int, text: bytes, *, more: bool = False) -> None:
    path = segments.segment_path(directory, number)
    path.parent.mkdir(exist_ok=True)
    with path.open("ab" if more else "wb") as file:
        file.write(text)


def test_lines_of_all_segments_in_order(tmp_path: Path) -> None:
    write(tmp_path, 1, b"a\nb\n")
    write(tmp_path, 2, b"c\n")
    write(tmp_path, 1_000_000, b"d\n")
    assert list(segments.read(tmp_path)) == [b"a", b"b", b"c", b"d"]
    assert list(segments.read_backwards(tmp_path)) == [b"d", b"c", b"b", b"a"]
    assert segments.end(tmp_path) == Position(1_000_000, 2)


def test_nothing_is_there(tmp_path: Path) -> None:
    assert list(segments.read(tmp_path)) == []
    assert list(segments.read_backwards(tmp_path)) == []
    assert segments.end(tmp_path) == Position()


def test_what_follows_the_last_line_feed_is_not_a_line(tmp_path: Path) -> None:
    write(tmp_path, 1, b"a\nhalf")
    assert list(segments.read(tmp_path)) == [b"a"]
    assert list(segments.read_backwards(tmp_path)) == [b"a"]
    assert segments.end(tmp_path) == Position(1, 2)


def test_other_files_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, 1, b"a\n")
    for name in ("lock", "000001.jsonl.torn", "000001.jsonl.torn.new", "x.jsonl"):
        (tmp_path / "records" / name).write_bytes(b"no\n")
    assert list(segments.read(tmp_path)) == [b"a"]


def test_the_first_segments_may_be_gone(tmp_path: Path) -> None:
    write(tmp_path, 7, b"a\n")
    assert list(segments.read(tmp_path)) == [b"a"]


def test_a_reader_that_waits_gets_what_is_written_meanwhile(tmp_path: Path) -> None:
    write(tmp_path, 1, b"a\nb")
    steps = iter((
        lambda: write(tmp_path, 1, b"c\n", more=True),
        lambda: write(tmp_path, 2, b"d\n"),
        lambda: None,
    ))  # fmt: skip

    def wait() -> bool:
        step = next(steps, None)
        if step is not None:
            step()
        return step is not None

    assert list(segments.read(tmp_path, wait=wait)) == [b"a", b"bc", b"d"]


def test_reading_starts_where_it_is_told(tmp_path: Path) -> None:
    write(tmp_path, 1, b"a\nb\n")
    here = segments.end(tmp_path)
    write(tmp_path, 1, b"c\n", more=True)
    write(tmp_path, 2, b"d\n")
    assert list(segments.read(tmp_path, here)) == [b"c", b"d"]
    assert list(segments.read_backwards(tmp_path, here)) == [b"b", b"a"]


def test_the_error_of_the_system_does_not_leak(tmp_path: Path) -> None:
    segments.segment_path(tmp_path, 1).mkdir(parents=True)
    with pytest.raises(errors.RecordError, match="cannot be read"):
        list(segments.read(tmp_path))


@given(
    lines=st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b" "))),
    block=st.integers(1, 9),
)
def test_backwards_is_the_reverse(
    lines: list[bytes], block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("state")
    write(directory, 1, b"".join(line + b"\n" for line in lines) + b"torn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "_BLOCK_BYTES", block)
        assert list(segments.read_backwards(directory)) == lines[::-1]
    assert list(segments.read(directory)) == lines
