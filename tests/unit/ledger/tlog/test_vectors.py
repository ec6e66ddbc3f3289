"""The vectors of docs/reference/ledger-format.md, byte for byte."""

from __future__ import annotations

import base64
from hashlib import sha256
from pathlib import Path

import pytest

from gatereeve.ledger.tlog import (
    checkpoints,
    merkle,
    notes,
    policy,
    proofs,
    reader,
    receipts,
    recovery,
    tiles,
)
from tests.support import tlogs

VECTORS = tlogs.vectors()
ENTRIES = [line.encode() for line in VECTORS["entries"].splitlines()]
LEAVES = [bytes.fromhex(line) for line in VECTORS["leaves"].split()]
ROOTS = {
    int(size): bytes.fromhex(root) for size, root in map(str.split, VECTORS["roots"].splitlines())
}
KEY = dict(line.split(maxsplit=1) for line in VECTORS["key"].splitlines())
WITNESS_KEY, WITNESS_LINE = VECTORS["witness"].splitlines()


def test_every_vector_of_the_page_is_used() -> None:
    source = Path(__file__).read_text("utf-8")
    assert len(VECTORS) == 14
    assert [name for name in VECTORS if f'VECTORS["{name}"]' not in source] == []


def test_key() -> None:
    signer = tlogs.SIGNER
    assert {
        "name": signer.name,
        "public": signer.verifier.public.hex(),
        "id": signer.verifier.key_id.hex(),
        "vkey": signer.verifier.vkey,
        "skey": signer.skey,
    } == KEY
    assert notes.parse_vkey(KEY["vkey"]) == signer.verifier
    assert notes.parse_skey(KEY["skey"]) == signer
    assert notes.parse_vkey(WITNESS_KEY) == tlogs.WITNESS.cosigner
    assert tlogs.WITNESS.cosigner.vkey == WITNESS_KEY


def test_hashes_and_bundle() -> None:
    bundle = bytes.fromhex(VECTORS["bundle"].replace("\n", ""))
    assert len(bundle) == 133
    assert tiles.encode_bundle(ENTRIES) == bundle
    assert tiles.decode_bundle(bundle, 3) == ENTRIES
    assert [merkle.hash_leaf(entry) for entry in ENTRIES] == LEAVES
    assert sha256(b"".join(LEAVES)).hexdigest() == (
        "9356a5bfd005c90c3fc466c7f225ff36b06192ccf92847b8ae54ca8e7eab3b68"
    )
    assert {size: merkle.fold(b"".join(LEAVES[:size])) for size in ROOTS} == ROOTS


@pytest.mark.parametrize("line", VECTORS["proofs"].splitlines())
def test_proofs(line: str) -> None:
    named = {f"leaf{n}": leaf for n, leaf in enumerate(LEAVES)}
    named |= {f"root{size}": root for size, root in ROOTS.items()}
    head, _, rest = line.partition(": ")
    kind, number = head.split()
    expected = [named[name] for name in rest.split()]
    stored = tlogs.MemoryTiles()
    stored.extend(ENTRIES)
    if kind == "inclusion":
        assert proofs.inclusion_proof(int(number), 3, stored) == expected
        merkle.verify_inclusion(LEAVES[int(number)], int(number), 3, expected, ROOTS[3])
    else:
        assert proofs.consistency_proof(int(number), 3, stored) == expected
        merkle.verify_consistency(int(number), ROOTS[int(number)], 3, ROOTS[3], expected)


def test_a_log_of_the_three_entries(tmp_path: Path) -> None:
    signed = {0: "", 1: "", 2: ""}
    directory = tmp_path / "log"
    writer = recovery.create_log(directory, tlogs.SIGNER)
    for size in range(3):
        note = notes.parse_note(writer.checkpoint)
        (line,) = note.signatures
        root = note.text.decode().splitlines()[2]
        signed[size] = f"{size} {root} {base64.b64encode(line.key_id + line.body).decode()}"
        writer.append(ENTRIES[size : size + 1])
    writer.close()
    assert "\n".join(signed.values()) + "\n" == VECTORS["checkpoints"]
    assert (directory / "checkpoint").read_bytes() == VECTORS["checkpoint"].encode()
    assert len(VECTORS["checkpoint"].encode()) == 205
    assert (directory / "tile/entries/000.p/3").read_bytes().hex() == (
        VECTORS["bundle"].replace("\n", "")
    )
    assert (directory / "tile/0/000.p/3").read_bytes() == b"".join(LEAVES)


def test_generated_roots() -> None:
    stored = tlogs.MemoryTiles()
    found = []
    for line in VECTORS["generated"].splitlines():
        size = int(line.split()[0])
        stored.extend(tlogs.entries(stored.tree.size, size))
        found.append(f"{size} {stored.tree.root().hex()}")
    assert "\n".join(found) + "\n" == VECTORS["generated"]


def test_cosignature() -> None:
    note = notes.parse_note(VECTORS["checkpoint"].encode())
    made = tlogs.WITNESS.cosign(note.text, tlogs.WITNESS_TIME)
    assert made.line == WITNESS_LINE + "\n"
    both = notes.Note(note.text, (*note.signatures, made))
    keys = (tlogs.SIGNER.verifier, tlogs.WITNESS.cosigner)
    assert notes.verify_note(both, keys) == {keys[0]: None, keys[1]: tlogs.WITNESS_TIME}


def test_receipt_and_policy(tmp_path: Path) -> None:
    trust = policy.parse_policy(VECTORS["policy"].encode())
    data = VECTORS["receipt"].encode()
    checkpoint = receipts.verify_receipt(data, ENTRIES[0], trust)
    assert checkpoint == checkpoints.Checkpoint(KEY["name"], 3, ROOTS[3])
    assert receipts.parse_receipt(data).encode() == data
    writer = recovery.create_log(tmp_path / "log", tlogs.SIGNER)
    writer.append(ENTRIES)
    writer.close()
    cosigned = (VECTORS["checkpoint"] + WITNESS_LINE + "\n").encode()
    assert reader.LogReader(tmp_path / "log").make_receipt(0, cosigned) == data


def test_a_note_of_others() -> None:
    key = notes.parse_vkey(VECTORS["foreign-key"].strip())
    data = VECTORS["foreign-note"].encode()
    assert len(data) == 142
    note = notes.parse_note(data)
    assert notes.verify_note(note, (key,)) == {key: None}
    assert notes.format_note(note.text, note.signatures) == data
