"""People in documents: when two names are one person, and which names are no person's.

Authors and approvers are compared by `read_name`, never by their letters, or `Mia` could approve what
`mia` made. A name is refused when a reader could take it for another one: with characters that cannot
be seen, with letters of several scripts, or made wholly of letters that look like Latin ones.
Where documents name the people (`People`), the others are unknown and do not count. Pure.

Sources: Unicode Standard Annex 15 (NFKC), Technical Standard 39 section 5 (restriction levels), and
`DerivedCoreProperties.txt` for Default_Ignorable_Code_Point.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gatereeve.api.people import ANONYMOUS_NAMES, EVERYBODY

ANYBODY: Final = frozenset((*EVERYBODY, *ANONYMOUS_NAMES))
"""Names of the API server's that stand for no one person."""

_ACCOUNT: Final = re.compile(
    r"(?:system:)?serviceaccounts?[:/](?P<namespace>[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)"
    r"[:/](?P<name>[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)"
)
_LIKE_ACCOUNT: Final = re.compile(r"system:serviceaccount|serviceaccounts?[:/]")

_UNSEEN: Final = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164),
        (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF),
    )
    for code in range(first, last + 1)
)  # fmt: skip
"""Default_Ignorable_Code_Point among letters and marks; the others are of the categories C."""

_SCRIPTS: Final = {
    name: group
    for group, names in {
        "Latin": ("LATIN",), "Greek": ("GREEK",), "Cyrillic": ("CYRILLIC",), "Armenian": ("ARMENIAN",),
        "Hebrew": ("HEBREW",), "Arabic": ("ARABIC",), "Devanagari": ("DEVANAGARI",), "Bengali": ("BENGALI",),
        "Tamil": ("TAMIL",), "Thai": ("THAI",), "Georgian": ("GEORGIAN",), "Ethiopic": ("ETHIOPIC",),
        "East Asian": ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"),
    }.items()
    for name in names
}  # fmt: skip
"""The first word of a character's Unicode name, to its script. Han, kana and Hangul stand together."""

_LATIN: Final = frozenset("æœøđłþðħß")
"""Latin letters that are neither ASCII nor an ASCII letter with marks, and look like no other."""

_LIKE_LATIN: Final = frozenset("авекмнорстухіјѕһԁԛԝьѵαβεζηικμνορτυχγωօոսցհզ")
"""Letters of other scripts, after case folding, that look like Latin ones in some case."""


class UnclearError(Exception):
    """A name that is no person's; the text says why."""


def read_name(name: str) -> str:
    """The one spelling of a person's name: NFKC, without case; service accounts as
    `system:serviceaccount:namespace:name`. Raises UnclearError."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    if not text:
        raise UnclearError("it is empty")
    letters = [c for c in text if not "!" <= c <= "~"]
    for character in letters:
        _check_character(character)
    scripts = {_script(c) for c in letters}
    if any("a" <= c <= "z" for c in text):
        scripts.add("Latin")
    if len(scripts) > 1:
        raise UnclearError(f"it mixes letters of several scripts ({', '.join(sorted(scripts))})")
    if letters and all(c in _LIKE_LATIN for c in text if c.isalpha()):
        raise UnclearError(f"all its letters are {scripts.pop()} and look like Latin ones")
    return _account(text)


def _check_character(character: str) -> None:
    """Raises UnclearError for what is no letter, mark or digit that can be seen and distinguished."""
    known = unicodedata.name(character, f"U+{ord(character):04X}")
    category = unicodedata.category(character)
    if category[0] in "CZ" or character in _UNSEEN:
        raise UnclearError(f"it has a character that cannot be seen (U+{ord(character):04X})")
    if (
        category not in ("Ll", "Lo", "Lu", "Lt", "Mn", "Mc", "Nd")
        or known.split()[0] not in _SCRIPTS
    ):
        raise UnclearError(f"it has a character that names do not have ({known})")
    if known.startswith("LATIN"):
        base = unicodedata.normalize("NFD", character)[0]
        if not "a" <= base <= "z" and character not in _LATIN:
            raise UnclearError(f"it has a letter that looks like another ({known})")


def _script(character: str) -> str:
    return _SCRIPTS[unicodedata.name(character).split()[0]]


def _account(text: str) -> str:
    if text in ANYBODY:
        raise UnclearError("it stands for no one person")
    account = _ACCOUNT.fullmatch(text)
    if account is not None:
        return f"system:serviceaccount:{account['namespace']}:{account['name']}"
    if _LIKE_ACCOUNT.match(text):
        raise UnclearError("it is no system:serviceaccount:<namespace>:<name>")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person. id: the same for all their names. roles: in which they may decide; None for any."""

    id: str
    roles: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Who is who. listed: by each name as `read_name` gives it; None where no document names people."""

    listed: Mapping[str, Person] | None = None

    def find(self, name: str, role: str | None = None) -> Person:
        """The person of this name. Raises UnclearError for a name that is no person's or unknown, and
        for a person who may not decide in `role`."""
        spelled = read_name(name)
        if self.listed is None:
            return Person(id=spelled)
        person = self.listed.get(spelled)
        if person is None:
            raise UnclearError("no People document names it")
        if role is not None and person.roles is not None and role not in person.roles:
            raise UnclearError(f"its People document does not give it the role {role}")
        return person
