"""Golden cases: `in.yaml`, and the shared documents that its second line names.

# What the case shows.
# with: certificate.yaml, gate.yaml
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden"
SHARED = FOLDER / "shared"
_WITH = "# with: "


def texts_of(case: Path) -> dict[str, str]:
    """File name → text, its own first."""
    text = (case / "in.yaml").read_text()
    first, second = text.splitlines()[:2]
    assert first.startswith("# "), "the first line says what the case shows"
    names = second.removeprefix(_WITH).split(", ") if second.startswith(_WITH) else ()
    return {"in.yaml": text} | {name: (SHARED / name).read_text() for name in names}


def text_of(case: Path) -> str:
    """All its documents in one text."""
    return "---\n".join(texts_of(case).values())
