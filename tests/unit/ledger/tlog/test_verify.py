"""The verifier: every changed byte of a copy is found and located, and it goes on after a fault."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gatereeve.ledger.tlog import merkle, notes, policy, recovery, tiles, verify
from gatereeve.ledger.tlog.faults import Fault
from tests.support import tlogs

KEY = tlogs.SIGNER.verifier
SIZES = (255, 256, 300, 517, 520)
"""A log of two full tiles, a right edge of two levels, and an older partial file at 517."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tlog") / "log"
    tlogs.make_log(directory, SIZES)
    return directory


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More than 65,536 entries: three levels of tiles."""
    directory = tmp_path_factory.mktemp("tlog") / "log"
    tlogs.make_log(directory, (65_536, 66_100))
    return directory


@pytest.fixture
def copy(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "copy"))


def files_of(directory: Path) -> list[str]:
    paths = (path.relative_to(directory) for path in directory.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if path.parts[0] != ".state")


def test_an_intact_log(small: Path) -> None:
    calls: list[tuple[int, int]] = []
    verdict = verify.verify(small, KEY, progress=lambda done, size: calls.append((done, size)))
    assert verdict.is_intact
    assert (verdict.size, verdict.faults, verdict.fault_count, verdict.leftovers) == (
        520,
        (),
        0,
        (),
    )
    assert calls == [(256, 520), (512, 520), (520, 520)]
    assert files_of(small) == [
        "checkpoint",
        "tile/0/000", "tile/0/001", "tile/0/002.p/5", "tile/0/002.p/8",
        "tile/1/000.p/1", "tile/1/000.p/2",
        "tile/entries/000", "tile/entries/001", "tile/entries/002.p/5", "tile/entries/002.p/8",
    ]  # fmt: skip


def expected(path: str, at: int, data: bytes) -> tuple[str | None, int | None, int | None]:
    """File, index and offset that a fault of byte `at` must name."""
    name = tiles.parse_path(path)
    if name is None:
        return path, None, None
    first = name.index * tiles.WIDTH
    if name.level is not None:
        return path, first + at // 32, at // 32 * 32
    start = 0
    for number in range(name.width):
        end = start + 2 + int.from_bytes(data[start : start + 2], "big")
        if at < end:
            return path, first + number, start
        start = end
    raise AssertionError(path)


def places(path: str, length: int) -> list[int]:
    """Every byte of small files; of larger ones, enough for every class of byte in many entries."""
    return (
        list(range(length)) if length < 1000 else [*range(64), *range(64, length, 61), length - 1]
    )


def test_every_changed_byte_is_found_and_located(copy: Path) -> None:
    tried = 0
    for path in files_of(copy):
        file = copy / path
        data = file.read_bytes()
        for at in places(path, len(data)):
            flip = 1 << at % 8
            file.write_bytes(data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :])
            verdict = verify.verify(copy, KEY)
            assert not verdict.is_intact, (path, at)
            assert verdict.fault_count == 1, (path, at, verdict.faults)
            (found,) = verdict.faults
            assert (found.file, found.index, found.offset) == expected(path, at, data), (at, found)
            assert found.message
            assert found.hint
            tried += 1
        file.write_bytes(data)
    assert tried > 1400
    assert verify.verify(copy, KEY).is_intact


def test_bytes_of_three_levels(huge: Path, tmp_path: Path) -> None:
    assert verify.verify(huge, KEY).is_intact
    for path, at in (
        ("tile/0/000", 33), ("tile/0/255", 8191), ("tile/0/256", 0), ("tile/0/258.p/52", 40),
        ("tile/1/000", 8160), ("tile/1/001.p/2", 1), ("tile/2/000.p/1", 0),
        ("tile/entries/000", 5), ("tile/entries/200", 700), ("tile/entries/258.p/52", 2),
    ):  # fmt: skip
        file = huge / path
        data = file.read_bytes()
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        found = verify.verify(huge, KEY).faults
        assert [(f.file, f.index, f.offset) for f in found] == [expected(path, at, data)], found
        file.write_bytes(data)


@pytest.mark.parametrize("path", ["tile/0/000", "tile/1/000.p/2", "tile/entries/001", "checkpoint"])
def test_a_missing_file_is_named_and_the_rest_is_checked(copy: Path, path: str) -> None:
    (copy / path).unlink()
    flip(copy, "tile/entries/002.p/8", 3)
    verdict = verify.verify(copy, KEY)
    assert verdict.faults[0].code == "file-missing" or verdict.faults[1].code == "file-missing"
    assert {found.file for found in verdict.faults} >= {path}
    entry = [found for found in verdict.faults if found.index == 512]
    assert entry
    assert verdict.fault_count == 2


@pytest.mark.parametrize(
    ("path", "change", "code"),
    [
        ("tile/0/000", lambda data: data + b"x", "file-length"),
        ("tile/0/000", lambda data: data[:-1], "file-length"),
        ("tile/0/000", lambda data: b"", "file-length"),
        ("tile/0/002.p/8", lambda data: data + bytes(32), "file-length"),
        ("tile/0/002.p/5", lambda data: data + bytes(32), "file-length"),
        ("tile/entries/000", lambda data: data + b"\x00\x01x", "bundle-malformed"),
        ("tile/entries/002.p/8", lambda data: data + b"\x00\x01x", "bundle-malformed"),
        ("tile/entries/002.p/8", lambda data: data[:-1], "bundle-malformed"),
        ("tile/entries/002.p/8", lambda data: b"", "bundle-malformed"),
        ("tile/entries/002.p/5", lambda data: data + b"\x00\x01x", "partial-differs"),
        ("tile/entries/002.p/5", lambda data: data[:-1], "partial-differs"),
        ("checkpoint", lambda data: data.replace(b"520", b"0520"), "signature-invalid"),
        ("checkpoint", lambda data: data + b"x", "note-malformed"),
        ("checkpoint", lambda data: b"", "note-malformed"),
    ],
)
def test_lengths(copy: Path, path: str, change: object, code: str) -> None:
    assert callable(change)
    (copy / path).write_bytes(change((copy / path).read_bytes()))
    verdict = verify.verify(copy, KEY)
    assert [(found.code, found.file) for found in verdict.faults] == [(code, path)]


@pytest.mark.parametrize(
    "path",
    ["extra", "tile/0/x000/000", "tile/x/000", "tile/0/0", "tile/0/002.p/08", "tile/0/002.p/x"],
)
def test_what_does_not_belong_is_named(copy: Path, path: str) -> None:
    (copy / path).parent.mkdir(parents=True, exist_ok=True)
    (copy / path).write_bytes(b"")
    (found,) = verify.verify(copy, KEY).faults
    assert found.code == "unexpected-file"
    assert path.startswith(found.file)


def test_links_are_not_followed(copy: Path) -> None:
    real = copy / "tile/0/000"
    real.rename(copy.parent / "elsewhere")
    real.symlink_to(copy.parent / "elsewhere")
    codes = {found.code for found in verify.verify(copy, KEY).faults}
    assert codes == {"unexpected-file", "file-unreadable"}


def test_leftovers_are_no_faults(copy: Path) -> None:
    for path in (
        "tile/0/002.p/9",
        "tile/0/003",
        "tile/entries/002",
        "tile/0/004.new",
        "checkpoint.new",
    ):
        (copy / path).write_bytes(b"x")
    verdict = verify.verify(copy, KEY)
    assert verdict.is_intact
    assert len(verdict.leftovers) == 5


def test_a_full_file_stands_in_for_a_partial_one(copy: Path) -> None:
    """A copy that was made while the log grew: checkpoint first, then files that are full by now."""
    checkpoint = (copy / "checkpoint").read_bytes()
    writer = recovery.open_log(copy, tlogs.SIGNER)
    writer.append(tlogs.entries(520, 800))
    writer.close()
    assert not (copy / "tile/0/002.p").exists()
    (copy / "checkpoint").write_bytes(checkpoint)
    verdict = verify.verify(copy, KEY)
    assert (verdict.is_intact, verdict.size) == (True, 520)
    flip(copy, "tile/0/002", 8 * 32)  # beyond the checkpoint: nothing is signed there
    assert verify.verify(copy, KEY).is_intact
    flip(copy, "tile/0/002", 7 * 32)
    assert not verify.verify(copy, KEY).is_intact


def flip(directory: Path, path: str, at: int) -> None:
    data = bytearray((directory / path).read_bytes())
    data[at] ^= 1
    (directory / path).write_bytes(data)


def faults_of(directory: Path) -> list[tuple[str, str, int | None]]:
    return [(f.code, f.file, f.index) for f in verify.verify(directory, KEY).faults]


def test_several_faults_are_all_found(copy: Path) -> None:
    flip(copy, "tile/entries/000", 3)
    flip(copy, "tile/entries/000", 303)
    flip(copy, "tile/0/001", 64)
    flip(copy, "tile/1/000.p/1", 0)
    assert faults_of(copy) == [
        ("entry-differs", "tile/entries/000", 0),
        ("entry-differs", "tile/entries/000", 31),
        ("hash-differs", "tile/0/001", 258),
        ("partial-differs", "tile/1/000.p/1", 0),
    ]


def test_an_entry_and_its_hash_that_were_both_changed(copy: Path) -> None:
    """The forger made the lowest tile fit: the tile above it does not."""
    bundle = copy / "tile/entries/000"
    entries = tiles.decode_bundle(bundle.read_bytes(), 256)
    entries[7] = b"forged"
    bundle.write_bytes(tiles.encode_bundle(entries))
    tile = bytearray((copy / "tile/0/000").read_bytes())
    tile[7 * 32 : 8 * 32] = merkle.hash_leaf(b"forged")
    (copy / "tile/0/000").write_bytes(tile)
    assert faults_of(copy) == [("tile-differs", "tile/0/000", 0)]


def test_a_tree_that_was_changed_up_to_the_root(small: Path, tmp_path: Path) -> None:
    """The forger rebuilt everything but cannot sign: the old checkpoint is put back."""
    writer = recovery.create_log(tmp_path / "forged", tlogs.SIGNER)
    writer.append([b"forged", *tlogs.entries(1, 520)])
    writer.close()
    shutil.copy(small / "checkpoint", tmp_path / "forged" / "checkpoint")
    assert faults_of(tmp_path / "forged") == [("root-differs", "checkpoint", None)]


def test_an_entry_and_a_hash_of_the_edge(copy: Path) -> None:
    flip(copy, "tile/entries/002.p/8", 3)
    flip(copy, "tile/1/000.p/2", 0)
    assert sorted(faults_of(copy)) == [
        ("entry-differs", "tile/entries/002.p/8", 512),
        ("hash-differs", "tile/1/000.p/2", 0),
    ]


def test_without_a_checkpoint_files_are_checked_against_each_other(copy: Path) -> None:
    flip(copy, "checkpoint", 5)
    flip(copy, "tile/entries/001", 3)
    verdict = verify.verify(copy, KEY)
    assert (verdict.checkpoint, verdict.size, verdict.is_intact) == (None, 520, False)
    assert [(f.code, f.index) for f in verdict.faults] == [
        ("signature-invalid", None),
        ("entry-differs", 256),
    ]


def test_faults_are_counted_when_they_are_too_many(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "MAX_FAULTS", 3)
    tile = copy / "tile/entries/000"
    entries = [each[:-1] + b"x" for each in tiles.decode_bundle(tile.read_bytes(), 256)]
    tile.write_bytes(tiles.encode_bundle(entries))
    reported: list[Fault] = []
    verdict = verify.verify(copy, KEY, report=reported.append)
    assert (len(verdict.faults), verdict.fault_count, len(reported)) == (3, 256, 256)


def test_older_checkpoints(small: Path, tmp_path: Path) -> None:
    signed = tlogs.make_log(tmp_path / "log", SIZES)
    assert verify.verify(small, KEY, older=signed).is_intact
    other = recovery.create_log(tmp_path / "other", tlogs.SIGNER)
    fork = [other.append([b"forged", *tlogs.entries(1, size)]).checkpoint for size in (300, 400)]
    longer = other.append(tlogs.entries(700, 900)).checkpoint
    other.close()
    found = verify.verify(small, KEY, older=[*fork, longer, b"nonsense"]).faults
    assert [f.code for f in found] == [
        "rolled-back", "rolled-back", "note-malformed", "history-rewritten",
    ]  # fmt: skip


def test_older_checkpoints_are_judged_by_what_is_believed(copy: Path, tmp_path: Path) -> None:
    """Damaged hashes are faults of their own, not also a rewritten past."""
    signed = tlogs.make_log(tmp_path / "log", SIZES)
    flip(copy, "tile/0/000", 64)
    flip(copy, "tile/1/000.p/2", 0)
    codes = [f.code for f in verify.verify(copy, KEY, older=signed).faults]
    assert codes == ["entry-or-hash-differs", "hash-differs"]


def test_missing_files_are_not_also_a_rewritten_past(copy: Path, tmp_path: Path) -> None:
    signed = tlogs.make_log(tmp_path / "log", SIZES)
    for path in ("tile/0/002.p/8", "tile/entries/002.p/8"):
        (copy / path).unlink()
    visited: list[int] = []
    verdict = verify.verify(
        copy, KEY, older=signed, visit=lambda first, some: visited.extend((first, len(some)))
    )
    assert [(f.code, f.file) for f in verdict.faults] == [
        ("file-missing", "tile/0/002.p/8"),
        ("file-missing", "tile/entries/002.p/8"),
    ]
    assert visited == [0, 256, 256, 256]


def test_a_quorum(copy: Path) -> None:
    text = f"log {KEY.vkey}\nwitness w {tlogs.WITNESS.cosigner.vkey}\nquorum w\n"
    trust = policy.parse_policy(text.encode())
    (found,) = verify.verify(copy, KEY, trust=trust).faults
    assert found.code == "quorum-not-met"
    note = notes.parse_note((copy / "checkpoint").read_bytes())
    line = tlogs.WITNESS.cosign(note.text, tlogs.WITNESS_TIME)
    (copy / "checkpoint").write_bytes(notes.format_note(note.text, (*note.signatures, line)))
    assert verify.verify(copy, KEY, trust=trust).is_intact


def test_an_empty_log(tmp_path: Path) -> None:
    recovery.create_log(tmp_path / "log", tlogs.SIGNER).close()
    verdict = verify.verify(tmp_path / "log", KEY)
    assert (verdict.is_intact, verdict.size) == (True, 0)


def test_a_directory_without_a_log(tmp_path: Path) -> None:
    (found,) = verify.verify(tmp_path, KEY).faults
    assert (found.code, found.file) == ("file-missing", "checkpoint")
    with pytest.raises(OSError, match="nowhere"):
        verify.verify(tmp_path / "nowhere", KEY)


def test_the_verifier_stands_alone() -> None:
    """It loads nothing of the product outside of its package."""
    code = (
        "import sys, gatereeve.ledger.tlog.verify\n"
        "print(*sorted(name for name in sys.modules if name.startswith('gatereeve')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    modules = done.stdout.split()
    assert "gatereeve.ledger.tlog.verify" in modules
    package = ("gatereeve", "gatereeve.ledger", "gatereeve.ledger.tlog")
    outside = [m for m in modules if not m.startswith(package[2]) and m not in package]
    assert outside == []
    assert "gatereeve.ledger.tlog.writer" not in modules
