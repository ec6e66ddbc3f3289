"""The page about conformance says what the run claims, and what it is let off."""

from __future__ import annotations

from pathlib import Path

from tests.cluster import conformance

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"


def test_it_names_every_claim_and_every_miss_and_no_others() -> None:
    text = PAGE.read_text()
    claimed = text.partition("are claimed")[2].partition("\n")[0]
    assert [word.strip("`., ") for word in claimed.partition(": ")[2].split(", ")] == list(
        conformance.EXTENDED
    )
    assert all(f"`{name}`" in text for name in conformance.MISSES)
    assert f"{37 - len(conformance.MISSES)} of 37" in text
    assert conformance.GRANTS.strip() in text
