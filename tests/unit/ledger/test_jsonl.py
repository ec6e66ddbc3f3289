"""The store of JSON lines: what is kept, one writer, rotation, torn ends."""

from pathlib import Path

import msgspec
import pytest

from gatereeve.core import errors, records
from gatereeve.ledger import jsonl, segments
from tests.recording import StillClock, request


def kept(directory: Path) -> list[records.Record]:
    return [records.decode(line) for line in segments.read(directory)]


def segment(directory: Path, number: int = 1) -> Path:
    return segments.segment_path(directory, number)


def test_records_come_back_as_given(tmp_path: Path) -> None:
    given = [request(1), request(2, host="é.example", flags=("UF",))]
    store = jsonl.open_store(tmp_path, StillClock())
    store.append(given[:1])
    store.append(())
    store.append(given[1:])
    assert kept(tmp_path) == given  # in the system's hands before any sync
    store.close()
    store.close()
    assert kept(tmp_path) == given


def test_lines_are_canonical(tmp_path: Path) -> None:
    store = jsonl.open_store(tmp_path, StillClock())
    store.append([request(1)])
    store.close()
    line = segment(tmp_path).read_bytes()
    fields = list(msgspec.json.decode(line))
    assert fields == sorted(fields)
    assert line.count(b"\n") == 1


def test_it_goes_on_where_it_ended(tmp_path: Path) -> None:
    for number in (1, 2):
        store = jsonl.open_store(tmp_path, StillClock())
        store.append([request(number)])
        store.close()
    assert kept(tmp_path) == [request(1), request(2)]


def test_a_second_writer_is_refused_by_name(tmp_path: Path) -> None:
    store = jsonl.open_store(tmp_path, StillClock())
    with pytest.raises(errors.RecordError, match=r"another process \(pid \d+\)"):
        jsonl.open_store(tmp_path, StillClock())
    store.append([request(1)])
    store.close()
    jsonl.open_store(tmp_path, StillClock()).close()


def test_segments_rotate_and_no_line_is_split(tmp_path: Path) -> None:
    given = [request(number) for number in range(20)]
    store = jsonl.open_store(tmp_path, StillClock(), rotate_bytes=600)
    for record in given:
        store.append([record])
    store.close()
    assert kept(tmp_path) == given
    numbers = segments.segment_numbers(tmp_path)
    assert numbers == tuple(range(1, len(numbers) + 1))
    assert len(numbers) > 5
    assert all(segment(tmp_path, number).stat().st_size <= 600 for number in numbers)


def test_files_are_ours_alone(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    store = jsonl.open_store(state, StillClock())
    store.append([request(1)])
    store.close()
    assert segment(state).stat().st_mode & 0o077 == 0
    assert (state / "records").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("tail", [b'{"kind":"requ', b"\0\0\0\0", b'{"a":1}\n{"b', b"[1]\n", b"\n"])
def test_a_torn_end_is_set_aside_and_noted(tmp_path: Path, tail: bytes) -> None:
    whole = records.encode(request(1)) + b"\n"
    segment(tmp_path).parent.mkdir()
    segment(tmp_path).write_bytes(whole + tail)
    store = jsonl.open_store(tmp_path, StillClock())
    store.append([request(2)])
    store.close()
    json_lines = tail[: tail.rfind(b"\n") + 1] if tail.startswith(b'{"a"') else b""
    torn = tail.removeprefix(json_lines)
    lines = list(segments.read(tmp_path))
    assert lines[0] + b"\n" == whole
    note = records.decode(lines[-2])
    assert isinstance(note, records.LossRecord)
    assert note.lost == 1
    assert note.at == "2026-11-24T12:00:00.000000Z"
    assert "000001.jsonl.torn" in note.reason
    assert lines[-1] == records.encode(request(2))
    assert segment(tmp_path).with_name("000001.jsonl.torn").read_bytes() == torn


def test_every_torn_end_is_kept(tmp_path: Path) -> None:
    for tail in (b"{", b'{"', b"{"):
        jsonl.open_store(tmp_path, StillClock()).close()
        with segment(tmp_path).open("ab") as file:
            file.write(tail)
    jsonl.open_store(tmp_path, StillClock()).close()
    aside = [path.read_bytes() for path in sorted(segment(tmp_path).parent.glob("*.torn*"))]
    assert aside == [b"{", b'{"', b"{"]
    assert len({note.record_id for note in kept(tmp_path)}) == 3


def test_a_line_of_a_newer_version_is_not_torn(tmp_path: Path) -> None:
    segment(tmp_path).parent.mkdir()
    segment(tmp_path).write_bytes(b'{"kind":"intent","v":9}\n')
    jsonl.open_store(tmp_path, StillClock()).close()
    assert list(segments.read(tmp_path)) == [b'{"kind":"intent","v":9}']


def test_a_call_has_a_bound(tmp_path: Path) -> None:
    store = jsonl.open_store(tmp_path, StillClock())
    with pytest.raises(ValueError, match="at most 10000"):
        store.append([request(1)] * 10_001)
    store.close()


def test_nothing_may_be_appended_after_close(tmp_path: Path) -> None:
    store = jsonl.open_store(tmp_path, StillClock())
    store.close()
    with pytest.raises(errors.RecordError, match="closed"):
        store.append([request(1)])


def test_a_file_in_the_way_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("")
    with pytest.raises(errors.RecordError):
        jsonl.open_store(tmp_path, StillClock())
