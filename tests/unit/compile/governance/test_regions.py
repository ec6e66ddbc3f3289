"""Region groups and provider groups to what they stand for."""

from __future__ import annotations

import pytest

from gatereeve.compile.governance.regions import expand_regions, group_match
from gatereeve.ir import access as ir

GROUPS = {"eu": ("de", "fr"), "empty": ()}


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ((), ()),
        (("us",), ("us",)),
        (("eu",), ("de", "eu", "fr")),
        (("fr", "eu", "us"), ("de", "eu", "fr", "us")),
        (("empty",), ("empty",)),
    ],
)
def test_expand_regions(regions: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert expand_regions(regions, GROUPS) == expected


@pytest.mark.parametrize(
    ("text", "provider", "group"),
    [("corp/staff", "corp", "staff"), ("corp/a/b", "corp", "a/b"), ("corp/", "corp", "")],
)
def test_group_match(text: str, provider: str, group: str) -> None:
    assert group_match(text) == ir.InGroup(provider=provider, group=group)
