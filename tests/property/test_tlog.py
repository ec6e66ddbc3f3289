"""Laws of the log: any batches give the tree of the definition; proofs hold; altered proofs do not."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatereeve.ledger.tlog import merkle, proofs, reader, recovery, tiles, tree, verify
from gatereeve.ledger.tlog.faults import TlogError
from tests.support import tlogs

SIZES = st.integers(min_value=1, max_value=1500)
LEAVES = [merkle.hash_leaf(tlogs.entry(number)) for number in range(1500)]


def stored(size: int) -> tlogs.MemoryTiles:
    made = tlogs.MemoryTiles()
    made.extend(tlogs.entries(0, size))
    return made


ALL = stored(1500)


class Prefix:
    """The tiles of the first entries of ALL: what a reader of a smaller log is given."""

    def read_tile(self, name: tiles.Name) -> bytes:
        for each, hashes in ALL.tiles.items():
            if (each.level, each.index) == (name.level, name.index) and each.width >= name.width:
                return hashes[: name.width * tiles.HASH_BYTES]
        raise KeyError(name)


@given(cuts=st.lists(SIZES, max_size=8))
@settings(max_examples=60, deadline=None)
def test_any_batches_give_the_tree_of_the_definition(cuts: list[int]) -> None:
    grown = tree.Tree()
    full: dict[tiles.Name, bytes] = {}
    for size in sorted({*cuts}):
        for tile in grown.extend(LEAVES[grown.size : size]):
            assert tile.name not in full
            full[tile.name] = tile.hashes
        assert grown.root() == tlogs.naive_root(LEAVES[:size])
        every = full | {tile.name: tile.hashes for tile in grown.edge()}
        for name, hashes in every.items():
            below = 256 ** (name.level or 0)
            first = name.index * 256
            assert len(hashes) == name.width * 32
            assert hashes == b"".join(
                tlogs.naive_root(LEAVES[(first + i) * below : (first + i + 1) * below])
                for i in range(name.width)
            )
        assert len(every) == sum(-(-tiles.hashes_at(size, level) // 256) for level in range(4))
        assert tree.restore(size, every.__getitem__).root() == grown.root()
        grown = tree.restore(size, every.__getitem__)


@given(data=st.data(), size=SIZES)
@settings(max_examples=150, deadline=None)
def test_inclusion(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = tlogs.naive_root(LEAVES[:size])
    proof = proofs.inclusion_proof(index, size, Prefix())
    merkle.verify_inclusion(LEAVES[index], index, size, proof, root)
    for leaf, place, altered, other in (
        (merkle.hash_leaf(b"x"), index, proof, root),
        (LEAVES[index], index, proof, merkle.EMPTY_ROOT),
        (LEAVES[index], size, proof, root),
        (LEAVES[index], -1, proof, root),
        (LEAVES[index], (index + 1) % size, proof, root),
        *((LEAVES[index], index, changed, root) for changed in alterations(data, proof)),
    ):
        if (place, altered) == (index, proof) and (leaf, other) == (LEAVES[index], root):
            continue  # a tree of one entry has no other index
        with pytest.raises(TlogError):
            merkle.verify_inclusion(leaf, place, size, altered, other)


@given(data=st.data(), size=SIZES)
@settings(max_examples=150, deadline=None)
def test_consistency(data: st.DataObject, size: int) -> None:
    old = data.draw(st.integers(0, size))
    roots = tlogs.naive_root(LEAVES[:old]), tlogs.naive_root(LEAVES[:size])
    proof = proofs.consistency_proof(old, size, Prefix())
    assert proofs.root_at(old, size, Prefix()) == roots[0]
    merkle.verify_consistency(old, roots[0], size, roots[1], proof)
    other = merkle.hash_leaf(b"x")
    for first, second, altered in (
        (other, roots[1], proof),
        *([(roots[0], other, proof)] if old else []),
        *((*roots, changed) for changed in alterations(data, proof)),
    ):
        with pytest.raises(TlogError):
            merkle.verify_consistency(old, first, size, second, altered)
    with pytest.raises(TlogError):
        merkle.verify_consistency(size + 1, roots[0], size, roots[1], proof)


def alterations(data: st.DataObject, proof: list[bytes]) -> list[list[bytes]]:
    """A bit flipped, a hash left out, one more at each end, two exchanged, one cut."""
    made = [[*proof, bytes(32)], [bytes(32), *proof]]
    if proof:
        k = data.draw(st.integers(0, len(proof) - 1))
        bit = data.draw(st.integers(0, 255))
        flipped = (int.from_bytes(proof[k], "big") ^ 1 << bit).to_bytes(32, "big")
        made += [
            [*proof[:k], flipped, *proof[k + 1 :]],
            [*proof[:k], *proof[k + 1 :]],
            [*proof[:k], proof[k][:-1], *proof[k + 1 :]],
        ]
    if len(proof) > 1:
        made.append([proof[1], proof[0], *proof[2:]])
    return made


def test_proofs_of_what_is_not_there_are_refused() -> None:
    for index, size in ((0, 0), (5, 5), (-1, 5)):
        with pytest.raises(ValueError, match="no entry"):
            proofs.inclusion_proof(index, size, Prefix())
    with pytest.raises(ValueError, match="does not continue"):
        proofs.consistency_proof(6, 5, Prefix())


@given(counts=st.lists(st.integers(1, 400), min_size=1, max_size=6), data=st.data())
@settings(max_examples=15, deadline=None)
def test_a_written_log_is_the_tree_of_its_entries(counts: list[int], data: st.DataObject) -> None:
    """Random entries in random batches, opened anew now and then: verified, read back, proved."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "log"
        writer = recovery.create_log(directory, tlogs.SIGNER)
        entries: list[bytes] = []
        signed = [writer.checkpoint]
        for count in counts:
            added = [data.draw(st.binary(max_size=12)) for _ in range(min(count, 3))] * count
            commit = writer.append(added[:count])
            assert (commit.first, commit.count) == (len(entries), count)
            entries += added[:count]
            assert commit.size == len(entries)
            signed.append(commit.checkpoint)
            if data.draw(st.booleans()):
                writer.close()
                writer = recovery.open_log(directory, tlogs.SIGNER)
        writer.close()
        seen: list[bytes] = []
        verdict = verify.verify(
            directory,
            tlogs.SIGNER.verifier,
            older=signed,
            visit=lambda first, some: seen.extend(some) if first == len(seen) else None,
        )
        assert verdict.is_intact
        assert verdict.faults == ()
        assert verdict.leftovers == ()
        assert seen == entries
        log = reader.LogReader(directory)
        assert list(log.read_entries(0, len(entries))) == entries
        start = data.draw(st.integers(0, len(entries)))
        assert list(log.read_entries(start, len(entries))) == entries[start:]
        root = tlogs.naive_root([merkle.hash_leaf(each) for each in entries])
        assert verdict.checkpoint is not None
        assert verdict.checkpoint.root == root
        index = data.draw(st.integers(0, len(entries) - 1))
        proof = proofs.inclusion_proof(index, len(entries), log)
        merkle.verify_inclusion(merkle.hash_leaf(entries[index]), index, len(entries), proof, root)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tlog") / "log"
    tlogs.make_log(directory, (100, 300, 520))
    return directory


@given(data=st.data())
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_damage_is_found_and_stops_nothing(small: Path, data: st.DataObject) -> None:
    """Several files at once are cut, overwritten, lengthened, exchanged or removed."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(shutil.copytree(small, Path(folder) / "log"))
        paths = sorted(p for p in directory.rglob("*") if p.is_file() and ".state" not in p.parts)
        harmed = data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=4, unique=True))
        for path in harmed:
            old = path.read_bytes()
            at = data.draw(st.integers(0, len(old) - 1))
            noise = data.draw(st.binary(min_size=1, max_size=40))
            new = data.draw(
                st.sampled_from(
                    [
                        None,
                        old[:at],
                        old[:at] + noise + old[at:],
                        old[at:] + old[:at],
                        noise,
                        old * 2,
                    ]
                )
            )
            # An older partial file may be removed: nothing says that it was ever published.
            is_older = path.parts[-4:] == ("tile", "1", "000.p", "1")
            if new is None and not is_older:
                path.unlink()
            else:
                path.write_bytes(old + b"x" if new is None or new == old else new)
        verdict = verify.verify(directory, tlogs.SIGNER.verifier)
        assert not verdict.is_intact
        named = {found.file for found in verdict.faults}
        assert named & {path.relative_to(directory).as_posix() for path in harmed}
        assert all(found.message and found.hint for found in verdict.faults)
