"""Signed notes and the keys that sign them: Ed25519 for logs (type 0x01) and cosigners (type 0x04).

Follows C2SP signed-note and tlog-cosignature (https://c2sp.org). Pure: keys are given, times are given. What a
note says is not read here (`checkpoints`). Type 0x06 (ML-DSA-44) is an unknown type: its lines are ignored.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from gatereeve.ledger.tlog.faults import TlogError

ED25519 = 0x01
ED25519_COSIGNATURE = 0x04
MAX_SIGNATURES = 100
MAX_NOTE_BYTES = 1_000_000
_MAX_TIME = 2**63 - 1
_DASH = "\N{EM DASH} "
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_PRIVATE = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. body: what follows the key id."""

    name: str
    key_id: bytes
    body: bytes

    @property
    def line(self) -> str:
        """The line with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.body).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note: nothing is verified yet. text: what is signed, with its last newline."""

    text: bytes
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name that signs with it. Made by `parse_vkey`."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        encoded = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return sha256(encoded).digest()[:4]

    @property
    def vkey(self) -> str:
        """The line that a log or cosigner publishes."""
        encoded = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def time_of(self, text: bytes, signature: Signature) -> int | None:
        """POSIX seconds of a cosignature of `text`, or None for a log's signature, which has no time.

        Raises TlogError (`signature-invalid`) unless the signature is this key's over `text`.
        """
        body, message, time = signature.body, text, None
        if self.kind == ED25519_COSIGNATURE:
            time, body = int.from_bytes(body[:8], "big"), body[8:]
            message = _cosigned(text, time)
        is_whole = len(signature.body) == _SIGNATURE_BYTES + (0 if time is None else 8)
        if not is_whole or (time is not None and time > _MAX_TIME):
            raise TlogError("signature-invalid", name=self.name)
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(self.public).verify(body, message)
        except InvalidSignature as error:
            raise TlogError("signature-invalid", name=self.name) from error
        return time


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """An Ed25519 key of a log. Made by `parse_skey` or from 32 random bytes. It has no repr: it is secret."""

    name: str
    seed: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.seed) != _KEY_BYTES:
            raise TlogError("key-malformed", what=f"a seed has {_KEY_BYTES} bytes")

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey(self.name, ED25519, self._public())

    @property
    def cosigner(self) -> VerifierKey:
        """The key as that of a cosigner. Use one key for one of both purposes only."""
        return VerifierKey(self.name, ED25519_COSIGNATURE, self._public())

    @property
    def skey(self) -> str:
        """The secret line, in the form of Go's `sumdb/note`."""
        encoded = base64.b64encode(bytes([ED25519]) + self.seed).decode()
        return f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{encoded}"

    def sign(self, text: bytes) -> Signature:
        """The signature of a note's text. Raises TlogError when the text cannot be that of a note."""
        _check_text(text)
        return Signature(self.name, self.verifier.key_id, self._private().sign(text))

    def cosign(self, text: bytes, time: int) -> Signature:
        """The cosignature (type 0x04) of a checkpoint's text at `time`, POSIX seconds."""
        _check_text(text)
        if not 0 <= time <= _MAX_TIME:
            raise ValueError(f"the time {time} is not between 0 and 2^63 - 1")
        signature = self._private().sign(_cosigned(text, time))
        return Signature(self.name, self.cosigner.key_id, time.to_bytes(8, "big") + signature)

    def _private(self) -> ed25519.Ed25519PrivateKey:
        return ed25519.Ed25519PrivateKey.from_private_bytes(self.seed)

    def _public(self) -> bytes:
        return self._private().public_key().public_bytes_raw()


def _cosigned(text: bytes, time: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % time + text


def parse_vkey(text: str) -> VerifierKey:
    """The key of a `name+id+key` line. Raises TlogError (`key-malformed`)."""
    name, key_id, encoded = _split_key(text)
    key = _decode_key(encoded)
    if key[:1] not in (b"\x01", b"\x04") or len(key) != 1 + _KEY_BYTES:
        raise TlogError("key-malformed", what="it is no Ed25519 key of type 1 or 4")
    found = VerifierKey(name, key[0], key[1:])
    if found.key_id.hex() != key_id:
        what = f"its id is {found.key_id.hex()}, but the line says {key_id[:20]!r}"
        raise TlogError("key-malformed", what=what)
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(found.public)
    except ValueError as error:
        raise TlogError("key-malformed", what="it is no point of the curve") from error
    return found


def parse_skey(text: str) -> Signer:
    """The signer of a `PRIVATE+KEY+…` line. Raises TlogError (`key-malformed`), without quoting the line."""
    if not text.startswith(_PRIVATE):
        raise TlogError("key-malformed", what="it does not begin with PRIVATE+KEY+")
    name, key_id, encoded = _split_key(text.removeprefix(_PRIVATE))
    key = _decode_key(encoded)
    if key[:1] != b"\x01" or len(key) != 1 + _KEY_BYTES:
        raise TlogError("key-malformed", what="it is no Ed25519 seed of type 1")
    signer = Signer(name, key[1:])
    if signer.verifier.key_id.hex() != key_id:
        raise TlogError("key-malformed", what="its id does not fit the key")
    return signer


def parse_note(data: bytes) -> Note:
    """The parts of a signed note. Raises TlogError (`note-malformed`) unless it is spelled exactly."""
    if len(data) > MAX_NOTE_BYTES:
        raise _malformed(f"it has more than {MAX_NOTE_BYTES} bytes")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8") from error
    if re.search(r"[\x00-\x09\x0b-\x1f]", whole):
        raise _malformed("it has a control character")
    text, blank, rest = whole.rpartition("\n\n")
    if not blank or not text:
        raise _malformed("no empty line parts text and signatures")
    if not rest.endswith("\n"):
        raise _malformed("the last signature line has no newline")
    lines = rest[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise _malformed(f"it has more than {MAX_SIGNATURES} signatures")
    signatures = tuple(_parse_signature(number, line) for number, line in enumerate(lines, 1))
    return Note((text + "\n").encode(), signatures)


def _parse_signature(number: int, line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not is_name(name):
        raise _malformed(f"signature line {number} is not “— name signature”")
    decoded = decode_base64(encoded)
    if decoded is None or len(decoded) < 5:
        raise _malformed(f"signature line {number} has no signature in canonical base64")
    return Signature(name, decoded[:4], decoded[4:])


def format_note(text: bytes, signatures: Sequence[Signature]) -> bytes:
    """The note with these signature lines, in this order."""
    _check_text(text)
    return text + b"\n" + "".join([signature.line for signature in signatures]).encode()


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int | None]:
    """The keys that signed `note`, each with the time of its cosignature or None. Unknown lines are ignored.

    A key that signed more than once counts with its first signature, and all of them must hold.
    Raises TlogError: `signature-invalid` when one signature of a known key does not hold, and
    `note-unsigned` when no known key signed.
    """
    known = {(key.name, key.key_id): key for key in keys}
    signed: dict[VerifierKey, int | None] = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            signed.setdefault(key, key.time_of(note.text, signature))
    if not signed:
        names = ", ".join(sorted({key.name for key in known.values()})) or "none"
        raise TlogError("note-unsigned", names=names)
    return signed


def is_name(name: str) -> bool:
    """Whether a key may have this name: not empty, no space of any script, no plus, no control character."""
    return bool(name) and not any(
        c == "+" or c.isspace() or unicodedata.category(c) in ("Cc", "Zs", "Zl", "Zp") for c in name
    )


def decode_base64(text: str) -> bytes | None:
    """What standard base64 stands for; None unless `text` is its only, canonical spelling."""
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return decoded if base64.b64encode(decoded).decode() == text else None


def _split_key(text: str) -> tuple[str, str, str]:
    name, plus, rest = text.partition("+")
    key_id, second, encoded = rest.partition("+")
    if not plus or not second:
        raise TlogError("key-malformed", what="it has no three parts with + between them")
    _check_name(name)
    return name, key_id, encoded


def _decode_key(encoded: str) -> bytes:
    key = decode_base64(encoded)
    if key is None:
        raise TlogError("key-malformed", what="its last part is not canonical base64")
    return key


def _check_name(name: str) -> None:
    if not is_name(name):
        raise TlogError("key-malformed", what="its name is empty or has a space or +")


def _check_text(text: bytes) -> None:
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        raise _malformed("its text is not UTF-8") from error
    if not decoded.endswith("\n") or re.search(r"[\x00-\x09\x0b-\x1f]", decoded):
        raise _malformed("its text must end in a newline, without control characters")


def _malformed(what: str) -> TlogError:
    return TlogError("note-malformed", what=what)
