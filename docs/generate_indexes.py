"""CHANGELOG.md from `changes/`, and the index of decision records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_KINDS = {"feature": "Added", "fix": "Fixed"}


def changelog(root: Path) -> str:
    """The news of the next release: one file for each, named `NUMBER.topic.KIND.md`."""
    lines = [
        "# Changes",
        "",
        "News for users, newest work first. Each entry is one file in `changes/`, written with the change.",
        "",
        "## Not released yet (0.1.0)",
        "",
    ]
    news: dict[str, list[tuple[int, str, str]]] = {kind: [] for kind in _KINDS}
    for path in (root / "changes").glob("[0-9]*.md"):
        number, topic, kind = path.name.removesuffix(".md").split(".")
        news[kind].append((-int(number), topic, " ".join(path.read_text("utf-8").split())))
    for kind, title in _KINDS.items():
        lines += [f"### {title}", "", *(f"* {text}" for *_, text in sorted(news[kind])), ""]
    return "\n".join(lines)


def decisions(root: Path) -> str:
    """Every decision record by number."""
    rows = list(_titles(root / "docs" / "decisions"))
    used = {number for number, *_ in rows}
    missing = ", ".join(f"{n:04d}" for n in range(1, max(used)) if n not in used)
    lines = [
        "# Decision records",
        "",
        "For contributors: why something is built as it is, and what else was considered.",
        "A decision is changed by a new record that names the old one.",
        "",
        "| Number | Decision |",
        "|---|---|",
        *(f"| [{number:04d}]({name}) | {title} |" for number, name, title in rows),
        "",
        f"These numbers were never used: {missing}.",
        "",
    ]
    return "\n".join(lines)


def _titles(folder: Path) -> Iterator[tuple[int, str, str]]:
    for path in sorted(folder.glob("[0-9]*.md")):
        heading = path.read_text("utf-8").splitlines()[0]
        title = re.sub(r"^# (?:\d+\. )?", "", heading)
        yield int(path.name[:4]), path.name, title
