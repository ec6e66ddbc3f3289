"""The store of records: what is kept, one writer, the key, what waits, torn ends."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import pytest

from gatereeve.core import canonical, errors, records
from gatereeve.ledger import pending, shorten
from gatereeve.ledger.log_key import KEY, LOG, VKEY
from gatereeve.ledger.reading import RecordLog
from gatereeve.ledger.store import MAX_WAITING, LedgerStore, open_store
from gatereeve.ledger.tlog import notes, verify
from tests.recording import StillClock, request


def opened(state: Path) -> LedgerStore:
    return open_store(state, StillClock())


def kept(state: Path) -> list[records.Record]:
    return [records.decode(entry) for _, entry in RecordLog(state).read()]


def write(state: Path, *given: records.Record) -> None:
    store = opened(state)
    store.append(given)
    store.close()


def verdict(state: Path) -> verify.Verdict:
    key = notes.parse_vkey((state / VKEY).read_text().strip())
    return verify.verify(state / LOG, key)


def reason(state: Path) -> str:
    with pytest.raises(errors.LedgerError) as refused:
        opened(state)
    assert refused.value.hint
    return refused.value.reason


def waiting_file(state: Path) -> Path:
    return state / LOG / pending.FILES[0]


def killed(state: Path, *given: records.Record) -> bytes:
    """Append, and put the directory back as a kill before the commit would leave it. What waited."""
    store = opened(state)
    store.append(given)
    saved = state.with_name("killed")
    shutil.copytree(state, saved)
    store.close()
    shutil.rmtree(state)
    saved.rename(state)
    return waiting_file(state).read_bytes()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path / "state"


def test_records_come_back_as_given(state: Path) -> None:
    given = [request(1), request(2, host="é.example", flags=("UF",))]
    store = opened(state)
    store.append(given[:1])
    store.append(())
    store.append(given[1:])
    assert (store.waiting, kept(state)) == (2, [])
    store.commit()
    assert (store.waiting, kept(state)) == (0, given)
    store.close()
    store.close()
    assert kept(state) == given
    assert verdict(state).is_intact


def test_entries_are_canonical(state: Path) -> None:
    write(state, request(1, host="é\x1b\u2028"))
    ((_, entry),) = RecordLog(state).read()
    fields = records.decode(entry)
    assert isinstance(fields, records.RequestRecord)
    assert entry == canonical.canonical_bytes(
        {
            "gate": "edge", "host": "é\x1b\u2028", "kind": "request", "node": "gate/edge-0",
            "outcome": "served", "path": "/v2/models/credit/infer",
            "record_id": fields.record_id, "sequence": 1,
            "started_at": "2026-11-24T12:00:00.000000Z", "status": 200,
        }
    )  # fmt: skip


def test_a_record_that_is_too_long_is_cut(state: Path) -> None:
    long = request(
        1, path="/" + "\x01" * 70_000, details="é" * 70_000, flags=("x" * 3_000,) * 1_000
    )
    assert len(records.encode(long)) > 65_535
    write(state, long)
    (record,) = kept(state)
    assert isinstance(record, records.RequestRecord)
    assert (record.record_id, len(record.flags)) == (long.record_id, 50)
    assert str(record.path).startswith("/\x01")
    assert str(record.path).endswith("…")
    assert shorten.encode_entry(request(2)) == records.encode(request(2))


def test_it_goes_on_where_it_ended(state: Path) -> None:
    write(state, request(1))
    write(state, request(2))
    assert kept(state) == [request(1), request(2)]


def test_a_second_writer_is_refused_by_name(state: Path) -> None:
    store = opened(state)
    with pytest.raises(errors.ConflictError, match=r"another process \(pid \d+\)"):
        opened(state)
    store.append([request(1)])
    store.close()
    opened(state).close()


def test_files_are_ours_alone(state: Path) -> None:
    write(state, request(1))
    for path in [*state.rglob("*"), *(state / LOG / ".state").iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert (state / KEY).stat().st_mode & 0o777 == 0o600


def test_the_log_has_no_private_key_and_nothing_strange_in_it(state: Path) -> None:
    write(state, request(1))
    key = (state / KEY).read_text()
    assert key.startswith("PRIVATE+KEY+gatereeve.dev/ledger/")
    assert not any(
        b"PRIVATE" in path.read_bytes() for path in (state / LOG).rglob("*") if path.is_file()
    )
    assert (verdict(state).fault_count, verdict(state).leftovers) == (0, ())


def test_two_stores_never_have_the_same_name(state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(state, request(1))
    write(other, request(1))
    assert (state / VKEY).read_text() != (other / VKEY).read_text()
    shutil.copy(other / KEY, state / KEY)
    assert reason(state) == "key-wrong"
    shutil.copy(other / VKEY, state / VKEY)
    assert reason(state) == "state-of-another-log"


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda state: (state / KEY).unlink(), "key-missing"),
        (lambda state: (state / KEY).chmod(0o640), "key-exposed"),
        (lambda state: (state / KEY).write_text("PRIVATE+KEY+x\n"), "key-malformed"),
        (lambda state: (state / KEY).rename(state / "x") and (state / KEY).symlink_to("x"), "key-exposed"),
        (lambda state: shutil.rmtree(state / LOG), "log-lost"),
        (lambda state: [f(state / n) for n, f in ((LOG, shutil.rmtree), (KEY, Path.unlink))], "log-lost"),
        (lambda state: (state / LOG / ".state/tree").unlink(), "state-missing"),
        (lambda state: (state / LOG / "checkpoint").unlink(), "checkpoint-missing"),
    ],
)  # fmt: skip
def test_it_refuses_to_start_in_doubt(state: Path, spoil: object, expected: str) -> None:
    write(state, request(1))
    assert callable(spoil)
    spoil(state)
    assert reason(state) == expected


def test_the_mode_that_kubernetes_gives_is_taken_back(state: Path) -> None:
    write(state, request(1))
    (state / KEY).chmod(0o660)
    write(state, request(2))
    assert (state / KEY).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("remaining", [(KEY,), (KEY, LOG), (KEY, LOG, VKEY)])
def test_a_first_start_that_was_interrupted_is_finished(
    state: Path, remaining: tuple[str, ...]
) -> None:
    opened(state).close()
    for name in {KEY, LOG, VKEY} - set(remaining):
        shutil.rmtree(state / name) if name == LOG else (state / name).unlink()
    write(state, request(1))
    assert verdict(state).is_intact
    assert kept(state) == [request(1)]


def test_what_waited_when_it_was_killed_is_committed(state: Path) -> None:
    assert killed(state, request(1), request(2))
    assert kept(state) == []
    write(state, request(3))
    assert kept(state) == [request(1), request(2), request(3)]
    assert waiting_file(state).read_bytes() == b""


def test_what_is_in_the_log_already_is_not_committed_again(state: Path) -> None:
    waited = killed(state, request(1), request(2))
    for _ in range(2):
        waiting_file(state).write_bytes(waited)
        opened(state).close()
    assert kept(state) == [request(1), request(2)]


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 40, b"\0\0\0\0\0\0\0\2\0\0\0\x04....{"])
def test_a_torn_end_is_set_aside_and_noted(state: Path, tail: bytes) -> None:
    waited = killed(state, request(1))
    for _ in range(3):  # a kill after the commit brings the file back
        waiting_file(state).write_bytes(waited + tail)
        opened(state).close()
    first, note = kept(state)
    assert first == request(1)
    assert isinstance(note, records.LossRecord)
    assert (note.lost, note.at) == (1, "2026-11-24T12:00:00.000000Z")
    (aside,) = (state / LOG / ".state").glob("torn-*")
    assert aside.name in note.reason
    assert aside.read_bytes() == tail


def test_the_pieces_of_a_torn_end_are_counted(state: Path) -> None:
    waited = killed(state, request(1), request(2), request(3))
    broken = bytearray(waited)
    broken[40] ^= 1  # in the first entry: nothing behind it may be believed
    waiting_file(state).write_bytes(broken)
    opened(state).close()
    (note,) = kept(state)
    assert isinstance(note, records.LossRecord)
    assert note.lost == 3


def test_a_log_older_than_what_waits_is_refused(state: Path) -> None:
    killed(state, request(1))
    entry = records.encode(request(9))
    frame = struct.pack(">QII", 7, len(entry), zlib.crc32(entry, 7 ^ len(entry))) + entry
    waiting_file(state).write_bytes(frame)
    assert reason(state) == "pending-ahead"


def test_calls_have_a_bound_and_so_has_what_waits(state: Path) -> None:
    store = opened(state)
    with pytest.raises(ValueError, match="at most 10000"):
        store.append([request(1)] * 10_001)
    for _ in range(3):
        store.append([request(1)] * 10_000)
    assert store.waiting <= MAX_WAITING
    assert RecordLog(state).size() == 20_000
    store.close()
    assert RecordLog(state).size() == 30_000


def test_nothing_may_be_appended_after_close(state: Path) -> None:
    store = opened(state)
    store.close()
    with pytest.raises(errors.LedgerError, match="closed"):
        store.append([request(1)])
    for call in (store.sync, store.commit):
        with pytest.raises(errors.LedgerError, match="closed"):
            call()


def test_a_file_in_the_way_is_an_error_of_ours(state: Path) -> None:
    (state / LOG).write_text("")
    with pytest.raises(errors.RecordError):
        opened(state)


def test_records_of_the_version_before_stay_where_they_are(state: Path) -> None:
    old = state / "records" / "000001.jsonl"
    old.parent.mkdir()
    old.write_bytes(records.encode(request(1)) + b"\n")
    write(state, request(2))
    assert kept(state) == [request(2)]
    assert old.read_bytes() == records.encode(request(1)) + b"\n"
