"""Words that the documentation and the code use no more, with what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

RETIRED = {
    "whoever": "the actor: the user, the caller, the process",
    "whatever": "everything that, or the thing itself",
    "nobody": "no caller, no person, none",
    "somebody": "a user, a caller, another program",
    "told": "reported, written, known",
    "tells": "reports, shows, says",
    "heard": "received, knows",
}
"""Of texts. Names of codes, files and options that are public stay (`stream-told-by-body`, `--stamps nobody`)."""

CODED = {
    "Telling": "StatusWriter", "ClaimRows": "CompiledRoutes", "ModelPlan": "ModelPolicy",
    "Nowhere": "UnresolvedBackend", "ToServers": "ServiceBackend", "ToModel": "ModelBackend",
    "Departures": "DeletionLog", "Roster": "RemoteGates", "Elsewhere": "RemoteGateDiscovery",
    "Guarding": "GuardReconciler", "_House": "a process class for each command",
    "Beside": "TaskInputs", "FindPlace": "ReserveAddress", "Doubts": "Unreadable",
}  # fmt: skip
"""Names in code that are gone, with what replaced them."""

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md"))
    if not path.read_text("utf-8").startswith("<!-- generated")
    and not (path.parent.name == "decisions" and path.name < "0080")
)
"""Pages that are written by hand, without the older decision records."""

PACKAGES = sorted(path.parent.name for path in (ROOT / "src" / "gatereeve").glob("*/__init__.py"))

_PUBLIC = re.compile(r'stream-told-by-body|"nobody"|nobody holds this key')


def uses(path: Path, words: dict[str, str]) -> Iterator[str]:
    retired = re.compile(rf"\b({'|'.join(words)})\b", re.IGNORECASE)
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        for match in retired.finditer(_PUBLIC.sub("", line)):
            instead = words.get(match.group(1)) or words[match.group(1).lower()]
            yield f"{path.relative_to(ROOT)}:{number}: {match.group(1)!r}: write {instead}"


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_in_plain_words(page: str) -> None:
    assert not list(uses(ROOT / page, RETIRED))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_code_is_in_plain_words(package: str) -> None:
    files = sorted((ROOT / "src" / "gatereeve" / package).rglob("*.py"))
    assert files
    assert not [use for path in files for use in uses(path, RETIRED)]


def test_names_that_were_replaced_are_gone() -> None:
    named = re.compile(rf"\b(?:class|def) ({'|'.join(CODED)})\b")
    files = sorted((ROOT / "src").rglob("*.py"))
    found = [
        f"{path.relative_to(ROOT)}: {match.group(1)}: now {CODED[match.group(1)]}"
        for path in files
        for match in named.finditer(path.read_text("utf-8"))
    ]
    assert not found
