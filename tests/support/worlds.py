"""Worlds from YAML text, for tests of everything behind parsing."""

from __future__ import annotations

import textwrap
from datetime import datetime

from gatereeve.api import parse
from gatereeve.api.world import World
from gatereeve.sources.store import assemble
from tests.support.clocks import AT

__all__ = ["AT", "codes", "world_of"]


def world_of(*texts: str, at: datetime = AT) -> World:
    """The World of these documents; each text is one file, indentation is removed. "" is no file."""
    parsed = [
        parse.parse_text(textwrap.dedent(text), f"{n}.yaml") for n, text in enumerate(texts) if text
    ]
    return assemble(parsed, at=at)


def codes(findings: object) -> set[str]:
    return {str(f.code) for f in findings}  # type: ignore[attr-defined]  # any iterable of findings
