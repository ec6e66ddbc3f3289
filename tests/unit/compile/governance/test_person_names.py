"""Names of people: which are one person, and which are nobody's."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatereeve.compile.governance.person_names import Directory, Person, UnclearError, read_name

ONE = (
    ("mia", "Mia", "MIA", "ＭＩＡ", "ⅿia", "𝓂𝒾𝒶"),
    ("mia@corp.example", "Mia@Corp.Example", "ｍia＠corp.example"),
    ("müller", "mu\u0308ller", "MÜLLER"),
    ("strasse", "straße", "STRASSE"),
    ("kim", "\u212aim"),
    ("fiona", "ﬁona"),
    ("мария", "МАРИЯ"),
    ("system:serviceaccount:ci:bot", "System:ServiceAccount:CI:Bot", "serviceaccount:ci:bot", "system:serviceaccount:ci/bot", "system:serviceaccounts:ci:bot"),
    ("田中",), ("أحمد",), ("oidc:mia",), ("mia+x",), ("j.o'hara",), ("ci/bot",), ("1000",),
)  # fmt: skip

NOBODY = (
    "mіa", "miа", "mıa", "mɑa", "міа", "ΜΙΑ", "Міа", "αβ", "օօօ", "мария@corp.example", "田中tanaka", "mia田", "aбв",
    "mia\u200b", "\u200bmia", "m\u200dia", "mia\ufeff", "mi\u00ada", "mia\u202e", "mia\u2066x", "mia\u2060", "mia\ufe0f", "mi\u034fa", "mia\u3164", "mia\uffa0",
    "mia\U000e0041", "mia\U000e0100", "mia\u180e", "mia\u00a0", "mia\u2003", "mia\u2028", "mia ", " mia", "mia\t", "mia\n", "mia\x00", "mia\x7f", "mia\x85", "mia\ue000", "mia\ud800", "mia\uffff",
    "mia\u0338", "mia\u20dd", "mia\u2010x", "mia·x", "mia™️", "ʻmia", "mia\u02b9", "😀", "mia¹²½", "",
    "system:anonymous", "SYSTEM:Anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts",
    "system:serviceaccount", "system:serviceaccount:ci", "system:serviceaccount::bot", "system:serviceaccount:ci:", "system:serviceaccount:ci:bot:x", "system:serviceaccount:ci:b_t",
    "system:serviceaccount:ci bot", "serviceaccount:ci", "system:serviceaccount:-ci:bot", "system:serviceaccount/",
)  # fmt: skip


@pytest.mark.parametrize("names", ONE, ids=range(len(ONE)))
def test_names_of_one_person(names: tuple[str, ...]) -> None:
    assert {read_name(name) for name in names} == {names[0]}


def test_names_of_different_people() -> None:
    assert len({read_name(names[0]) for names in ONE}) == len(ONE)


@pytest.mark.parametrize("name", NOBODY, ids=range(len(NOBODY)))
def test_names_of_nobody(name: str) -> None:
    with pytest.raises(UnclearError):
        read_name(name)


@given(st.text(max_size=20))
def test_a_name_once_read_reads_the_same(name: str) -> None:
    try:
        spelled = read_name(name)
    except UnclearError:
        return
    assert read_name(spelled) == spelled
    assert read_name(name.upper()) == read_name(name.lower()) or not name.isascii()


@given(
    st.from_regex(r"[a-z][a-z0-9.@-]{0,12}", fullmatch=True),
    st.characters(categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"]),
    st.integers(min_value=0, max_value=12),
)
def test_what_cannot_be_seen_is_refused_wherever_it_stands(
    name: str, unseen: str, place: int
) -> None:
    with pytest.raises(UnclearError):
        read_name(name[:place] + unseen + name[place:])


@given(
    st.from_regex(r"[a-z]{2,8}", fullmatch=True),
    st.characters(min_codepoint=0x370, max_codepoint=0x10FFF, categories=["L"]),
)
def test_a_foreign_letter_in_a_latin_name_is_refused_or_latin_after_all(
    name: str, letter: str
) -> None:
    try:
        spelled = read_name(name + letter)
    except UnclearError:
        return
    assert all(unicodedata.name(c).startswith("LATIN") for c in spelled)


def test_who_is_listed() -> None:
    mia = Person(id="mia", roles=frozenset({"owner"}))
    directory = Directory(listed={"mia": mia, "m.weber@corp.example": mia})
    assert directory.find("Mia") == directory.find("M.Weber@corp.example", "owner") == mia
    with pytest.raises(UnclearError, match="no People document"):
        directory.find("olga")
    with pytest.raises(UnclearError, match="role risk"):
        directory.find("mia", "risk")
