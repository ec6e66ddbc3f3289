"""What is not spelled exactly is refused: names, bundles, notes, keys, checkpoints, receipts, policies."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from gatereeve.ledger.tlog import checkpoints, merkle, notes, policy, receipts, tiles
from gatereeve.ledger.tlog.faults import TlogError, texts
from gatereeve.ledger.tlog.tiles import Name
from tests.support import tlogs

VECTORS = tlogs.vectors()
CHECKPOINT = VECTORS["checkpoint"].encode()
LINE = CHECKPOINT.splitlines(keepends=True)[-1]
WITNESS_LINE = (VECTORS["witness"].splitlines()[1] + "\n").encode()
KEYS = (tlogs.SIGNER.verifier,)


def code_of(error: pytest.ExceptionInfo[TlogError]) -> str:
    assert str(error.value)
    assert error.value.hint
    return error.value.code


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (Name(0, 0), "tile/0/000"),
        (Name(0, 1, 17), "tile/0/001.p/17"),
        (Name(None, 1234067), "tile/entries/x001/x234/067"),
        (Name(None, 999, 255), "tile/entries/999.p/255"),
        (Name(63, 1000), "tile/63/x001/000"),
    ],
)
def test_paths(name: Name, path: str) -> None:
    assert name.path == path
    assert tiles.parse_path(path) == name


@pytest.mark.parametrize(
    "path",
    [
        "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/0", "tile/0/0000", "tile/0/x000/000",
        "tile/0/001/000", "tile/0/x001", "tile/0/001.p/0", "tile/0/001.p/256", "tile/0/001.p/017",
        "tile/0/001.p/", "tile/0/001.p", "tile/data/000", "tile/0/٠٠١", "/tile/0/000", "tile/0/000\n",
    ],
)  # fmt: skip
def test_other_spellings_are_no_paths(path: str) -> None:
    assert tiles.parse_path(path) is None


def test_widths_of_the_specification() -> None:
    assert [name.path for name in tiles.edge(256)] == ["tile/1/000.p/1"]
    edge = ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]
    assert [name.path for name in tiles.edge(70_000)] == edge
    assert list(tiles.edge(0)) == []


@pytest.mark.parametrize(
    ("data", "width"),
    [
        (b"", 1),
        (b"\x00", 1),
        (b"\x00\x02a", 1),
        (b"\x00\x01a\x00", 1),
        (b"\x00\x01a\x00\x00", 1),
        (b"\x00\x01a", 2),
    ],
)
def test_bundles_hold_exactly_their_entries(data: bytes, width: int) -> None:
    with pytest.raises(TlogError) as error:
        tiles.decode_bundle(data, width)
    assert code_of(error) == "bundle-malformed"


def test_bundles_have_bounds() -> None:
    longest = b"x" * tiles.MAX_ENTRY_BYTES
    assert tiles.decode_bundle(tiles.encode_bundle([longest, b""]), 2) == [longest, b""]
    for entries in ([], [b""] * 257, [longest + b"x"]):
        with pytest.raises(ValueError, match=r"bundle|bytes"):
            tiles.encode_bundle(entries)


def notes_that_are_malformed() -> list[bytes]:
    text, line = CHECKPOINT[: -len(LINE)], LINE
    name = line.split(b" ")[1]
    return [
        b"",
        b"\n\n",
        text,
        text + line[:-1],
        text + line + b"\n",
        text + line + line[:-1],
        text.replace(b"\n\n", b"\n") + line,
        text.replace(b"3", b"3\r", 1) + line,
        text.replace(b"3", b"3\x00", 1) + line,
        text.replace(b"3", b"\xff", 1) + line,
        text + line.replace("—".encode(), b"-"),
        text + line.replace(b" ", b"  "),
        text + line.replace(name, b""),
        text + line.replace(name, b"a+b"),
        text + line.replace(name, "a\u2003b".encode()),
        text + line.replace(b"QAo=", b"QAo"),
        text + line.replace(b"QAo=", b"QAp="),  # another spelling of the same bytes
        text + line.replace(b"QAo=", b"QA o="),
        text + b"\xe2\x80\x94 " + name + b" " + base64.b64encode(b"abcd") + b"\n",
        text + line * 101,
        text + b"x" * notes.MAX_NOTE_BYTES + b"\n\n" + line,
    ]


@pytest.mark.parametrize("data", notes_that_are_malformed())
def test_malformed_notes(data: bytes) -> None:
    with pytest.raises(TlogError) as error:
        notes.parse_note(data)
    assert code_of(error) == "note-malformed"


def test_the_last_empty_line_counts_and_others_split_nothing() -> None:
    text = "one\n\ntwo\u2028three\n".encode()
    note = notes.format_note(text, (tlogs.SIGNER.sign(text),))
    assert notes.parse_note(note).text == text
    assert notes.verify_note(notes.parse_note(note), KEYS)


def test_lines_of_unknown_keys_are_ignored_and_wrong_ones_of_known_keys_are_not() -> None:
    note = notes.parse_note(CHECKPOINT)
    (line,) = note.signatures
    strangers = (
        notes.Signature("another.example.com", line.key_id, line.body),
        notes.Signature(line.name, b"abcd", line.body),
        notes.Signature("another.example.com", b"abcd", b"x" * 2432),
    )
    with pytest.raises(TlogError) as error:
        notes.verify_note(notes.Note(note.text, strangers), KEYS)
    assert code_of(error) == "note-unsigned"
    assert notes.verify_note(notes.Note(note.text, (*strangers, line)), KEYS) == {KEYS[0]: None}
    for body in (line.body[:-1], line.body + b"x", line.body[:-1] + b"x"):
        wrong = notes.Signature(line.name, line.key_id, body)
        for signatures in ((wrong,), (line, wrong), (wrong, line)):
            with pytest.raises(TlogError) as error:
                notes.verify_note(notes.Note(note.text, signatures), KEYS)
            assert code_of(error) == "signature-invalid"


def test_a_cosignature_is_bound_to_its_time() -> None:
    note = notes.parse_note(CHECKPOINT)
    made = tlogs.WITNESS.cosign(note.text, 7)
    moved = notes.Signature(made.name, made.key_id, (8).to_bytes(8, "big") + made.body[8:])
    late = notes.Signature(made.name, made.key_id, (2**63).to_bytes(8, "big") + made.body[8:])
    for wrong in (moved, late):
        with pytest.raises(TlogError) as error:
            notes.verify_note(notes.Note(note.text, (wrong,)), (tlogs.WITNESS.cosigner,))
        assert code_of(error) == "signature-invalid"
    with pytest.raises(ValueError, match="time"):
        tlogs.WITNESS.cosign(note.text, 2**63)


VKEY = tlogs.SIGNER.verifier.vkey


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "a+b", VKEY + " ", " " + VKEY, VKEY[:-1], VKEY.replace("7601af65", "7601af66"),
        VKEY.replace("7601af65", "7601AF65"), VKEY.replace("log1", "log2"),
        VKEY.replace("AQOh", "AgOh"), VKEY.replace("log1", "lo g1"), VKEY.replace("audit", ""),
        "+7601af65+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
    ],
)  # fmt: skip
def test_malformed_keys(text: str) -> None:
    if text == VKEY.replace("audit", ""):
        text = text.replace("7601af65", "00000000")
    with pytest.raises(TlogError) as error:
        notes.parse_vkey(text)
    assert code_of(error) == "key-malformed"


def test_a_secret_key_is_never_quoted() -> None:
    skey = tlogs.SIGNER.skey
    assert "AQABAgME" not in repr(tlogs.SIGNER)
    for wrong in (skey.replace("7601af65", "7601af66"), skey[:-1], skey.removeprefix("PRIVATE")):
        with pytest.raises(TlogError) as error:
            notes.parse_skey(wrong)
        assert code_of(error) == "key-malformed"
        assert "AQABAgME" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "", "o\n3\n", "o\n003\n{root}\n", "o\n+3\n{root}\n", "o\n3_0\n{root}\n", "o\n٣\n{root}\n",
        "o\n 3\n{root}\n", "o\n9223372036854775808\n{root}\n", "o\n3\n{root}\nextension\n",
        "o\n3\n{root}", "\n3\n{root}\n", "o\n3\nAAAA\n", "o\n3\n{root}=\n", "o\n-1\n{root}\n",
    ],
)  # fmt: skip
def test_malformed_checkpoints(text: str) -> None:
    root = base64.b64encode(bytes(32)).decode()
    with pytest.raises(TlogError) as error:
        checkpoints.parse_checkpoint(text.replace("{root}", root).encode())
    assert code_of(error) == "checkpoint-malformed"


def test_a_checkpoint_of_another_log_is_refused() -> None:
    other = notes.Signer("other.example.com", tlogs.SIGNER.seed)
    text = checkpoints.Checkpoint(tlogs.SIGNER.name, 0, merkle.EMPTY_ROOT).text
    signed = notes.format_note(text, (other.sign(text),))
    with pytest.raises(TlogError) as error:
        checkpoints.open_checkpoint(signed, (other.verifier,), other.name)
    assert code_of(error) == "checkpoint-origin"


RECEIPT = VECTORS["receipt"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"), ("index 0", "index 00"),
        ("index 0\n", ""), ("index 0", "index -1"), ("q9qw", "q9q"), ("OYk=", "OYl="),
        ("index 0", "extra !\nindex 0"), ("index 0", "index  0"),
    ],
)  # fmt: skip
def test_malformed_receipts(old: str, new: str) -> None:
    with pytest.raises(TlogError) as error:
        receipts.parse_receipt(RECEIPT.replace(old, new, 1).encode())
    assert code_of(error) == "receipt-malformed"


def test_an_empty_line_ends_the_proof() -> None:
    """What follows is then no checkpoint, and cannot be a shorter proof."""
    data = RECEIPT.replace("index 0", "index 0\n", 1).encode()
    assert receipts.parse_receipt(data).proof == ()
    trust = policy.parse_policy(VECTORS["policy"].encode())
    with pytest.raises(TlogError) as error:
        receipts.verify_receipt(data, b"", trust)
    assert code_of(error) in {"note-unsigned", "checkpoint-malformed"}


def test_a_receipt_proves_one_entry_at_one_place() -> None:
    trust = policy.parse_policy(VECTORS["policy"].encode())
    entry = VECTORS["entries"].splitlines()[0].encode()
    with_extra = RECEIPT.replace("index 0", "extra AAAA\nindex 0")
    assert receipts.verify_receipt(with_extra.encode(), entry, trust).size == 3
    assert receipts.parse_receipt(with_extra.encode()).encode() == with_extra.encode()
    for data, other in (
        (RECEIPT, entry + b"x"),
        (RECEIPT.replace("index 0", "index 1"), entry),
        (RECEIPT.replace("index 0", "index 3"), entry),
        (RECEIPT.replace("q9qw", "q9qx"), entry),
    ):
        with pytest.raises(TlogError) as error:
            receipts.verify_receipt(data.encode(), other, trust)
        assert code_of(error) == "proof-invalid"
    without = RECEIPT.replace(WITNESS_LINE.decode(), "")
    with pytest.raises(TlogError) as error:
        receipts.verify_receipt(without.encode(), entry, trust)
    assert code_of(error) == "quorum-not-met"


def witness(number: int) -> notes.Signer:
    return notes.Signer(f"w{number}.example.org", bytes([number]) * 32)


GROUPS = "".join(f"witness w{n} {witness(n).cosigner.vkey}\n" for n in range(1, 5))


@pytest.mark.parametrize(
    ("quorum", "signed", "met"),
    [
        ("quorum none", "", True),
        ("quorum w1", "1", True),
        ("quorum w1", "2", False),
        ("group g all w1 w2\nquorum g", "12", True),
        ("group g all w1 w2\nquorum g", "1", False),
        ("group g any w1 w2\nquorum g", "2", True),
        ("group g any w1 w2\nquorum g", "3", False),
        ("group g 2 w1 w2 w3\nquorum g", "13", True),
        ("group g 2 w1 w2 w3\nquorum g", "14", False),
        ("group a any w1 w2\ngroup b any w3 w4\ngroup g all a b\nquorum g", "24", True),
        ("group a any w1 w2\ngroup b any w3 w4\ngroup g all a b\nquorum g", "12", False),
    ],
)
def test_quorums(quorum: str, signed: str, met: bool) -> None:
    text = f"# trust\n\nlog {VKEY} https://log.example\n{GROUPS}\t{quorum}  \n"
    trust = policy.parse_policy(text.encode())
    assert trust.is_met({witness(int(n)).cosigner for n in signed}) is met


@pytest.mark.parametrize(
    "text",
    [
        "", "quorum w9", "quorum none\nquorum none", "nonsense a\nquorum none", "log\nquorum none",
        "log x\nquorum none", f"log {VKEY}\nlog {VKEY}\nquorum none", "group g all\nquorum none",
        "group g 0 w1\nquorum none", "group g 2 w1\nquorum none", "group g 01 w1\nquorum none",
        "group g all w1 w1\nquorum none", "group g any w1\ngroup h any w1\nquorum none",
        "group g any h\ngroup h any w1\nquorum none", "group g any none\nquorum none",
        "group w1 any w2\nquorum none", f"witness none {witness(9).cosigner.vkey}\nquorum none",
        f"witness a {witness(1).cosigner.vkey}\nquorum none", f"log {witness(8).cosigner.vkey}\nquorum none",
        f"witness a {witness(8).verifier.vkey}\nquorum none", "quorum none\r", "quorum none\x0b",
    ],
)  # fmt: skip
def test_malformed_policies(text: str) -> None:
    with pytest.raises(TlogError) as error:
        policy.parse_policy((GROUPS + text).encode())
    assert code_of(error) == "policy-malformed"


def test_every_code_is_used_and_has_texts() -> None:
    package = Path(tiles.__file__).parent.parent  # the store, too
    source = "".join(path.read_text("utf-8") for path in package.rglob("*.py"))
    assert [code for code in texts() if f'"{code}"' not in source] == []
    assert all(text.about and text.message and text.hint for text in texts().values())
