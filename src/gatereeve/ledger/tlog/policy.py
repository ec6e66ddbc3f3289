"""Trust policies: which logs are trusted, and how many witnesses must have signed.

Follows C2SP tlog-policy (https://c2sp.org/tlog-policy). Pure: a policy is text, and it is evaluated over the keys
whose signatures were verified by `notes`. URLs are kept and not used.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gatereeve.ledger.tlog import checkpoints, notes
from gatereeve.ledger.tlog.faults import TlogError
from gatereeve.ledger.tlog.notes import VerifierKey

MAX_POLICY_BYTES = 1_000_000
_NONE = "none"
_ALLOWED = re.compile(rb"[\x09\x0a\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True, slots=True)
class Group:
    """At least `threshold` of `members` (names of witnesses and groups) must have signed."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Made by `parse_policy`. quorum: the name of a witness or group, None where none is needed."""

    logs: tuple[VerifierKey, ...]
    witnesses: Mapping[str, VerifierKey]
    groups: Mapping[str, Group]
    quorum: str | None

    def is_met(self, signed: Collection[VerifierKey]) -> bool:
        """Whether the keys that signed meet the quorum."""
        return self.quorum is None or self._has_signed(self.quorum, signed)

    def _has_signed(self, name: str, signed: Collection[VerifierKey]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return self.witnesses[name] in signed
        return sum(self._has_signed(each, signed) for each in group.members) >= group.threshold


def open_with_policy(data: bytes, policy: Policy) -> checkpoints.Checkpoint:
    """The checkpoint of a signed note that a trusted log and a quorum of witnesses signed.

    A log is trusted for the checkpoints whose origin is the name of its key. Times are not judged.
    Raises TlogError: those of `checkpoints.open_checkpoint`, and `quorum-not-met`.
    """
    note = notes.parse_note(data)
    origin = note.text.partition(b"\n")[0].decode()
    logs = [key for key in policy.logs if key.name == origin]
    checkpoint = checkpoints.open_checkpoint(data, logs, origin)
    witnesses = policy.witnesses.values()
    signed = notes.verify_note(note, (*logs, *witnesses))
    if not policy.is_met(signed):
        names = ", ".join(name for name, key in policy.witnesses.items() if key in signed)
        raise TlogError("quorum-not-met", quorum=policy.quorum, names=names or "none")
    return checkpoint


def parse_policy(data: bytes) -> Policy:
    """The policy of a text. Raises TlogError (`policy-malformed`) with the number of the line."""
    if len(data) > MAX_POLICY_BYTES or not _ALLOWED.fullmatch(data):
        raise _malformed(1, f"it has control characters, or more than {MAX_POLICY_BYTES} bytes")
    parser = _Parser()
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        # Names compare as octets; Latin-1 gives each octet one character.
        words = [w for w in re.split(r"[ \t]+", line.decode("latin-1")) if w]
        if words and not words[0].startswith("#"):
            parser.read(number, words)
    if not parser.has_quorum:
        raise _malformed(len(lines), "no line says `quorum`")
    return Policy(
        logs=tuple(parser.logs),
        witnesses=parser.witnesses,
        groups=parser.groups,
        quorum=parser.quorum,
    )


class _Parser:
    """Reads one line after the other."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, VerifierKey] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self.has_quorum = False
        self._publics: set[bytes] = set()
        self._members: set[str] = set()

    def read(self, number: int, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self.logs.append(self._key(number, vkey, notes.ED25519))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self._define(number, name)
                self.witnesses[name] = self._key(number, vkey, notes.ED25519_COSIGNATURE)
            case ["group", name, threshold, *members] if members:
                self._define(number, name)
                self.groups[name] = self._group(number, threshold, members)
            case ["quorum", name]:
                self._quorum(number, name)
            case _:
                raise _malformed(
                    number, f"{words[0][:30]!r} is unknown or has a wrong number of words"
                )

    def _quorum(self, number: int, name: str) -> None:
        if self.has_quorum:
            raise _malformed(number, "a second `quorum`")
        if name != _NONE:
            self._check_defined(number, name)
        self.has_quorum, self.quorum = True, None if name == _NONE else name

    def _group(self, number: int, threshold: str, members: list[str]) -> Group:
        for member in members:
            self._check_defined(number, member)
            if member in self._members:
                raise _malformed(number, f"{member!r} is a member twice")
            self._members.add(member)
        words = {"all": len(members), "any": 1}
        count = words.get(threshold) or checkpoints.parse_number(threshold)
        if count is None or not 1 <= count <= len(members):
            raise _malformed(
                number, f"the threshold {threshold[:30]!r} is not all, any or 1 to {len(members)}"
            )
        return Group(count, tuple(members))

    def _key(self, number: int, vkey: str, kind: int) -> VerifierKey:
        try:
            key = notes.parse_vkey(vkey.encode("latin-1").decode())
        except (TlogError, UnicodeDecodeError) as error:
            raise _malformed(number, str(error)) from error
        if key.kind != kind:
            raise _malformed(number, f"the key has type {key.kind}, not {kind}")
        if key.public in self._publics:
            raise _malformed(number, "the public key is there twice")
        self._publics.add(key.public)
        return key

    def _define(self, number: int, name: str) -> None:
        if name == _NONE or name in self.witnesses or name in self.groups:
            raise _malformed(number, f"the name {name!r} is taken")

    def _check_defined(self, number: int, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise _malformed(number, f"{name!r} is not defined on an earlier line")


def _malformed(line: int, what: str) -> TlogError:
    return TlogError("policy-malformed", line=line, what=what)
