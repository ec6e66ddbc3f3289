"""Region groups and provider groups: names in documents to the matches that they stand for."""

from __future__ import annotations

from collections.abc import Mapping

from gatereeve.ir import access as ir


def expand_regions(
    regions: tuple[str, ...], groups: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """Regions with every group replaced by its members (and its own name, which a claim may say)."""
    expanded: set[str] = set()
    for region in regions:
        expanded.add(region)
        expanded.update(groups.get(region, ()))
    return tuple(sorted(expanded))


def group_match(group: str) -> ir.InGroup:
    """`provider/group` as a match; the text after the first `/` is the group."""
    provider, _, name = group.partition("/")
    return ir.InGroup(provider=provider, group=name)
