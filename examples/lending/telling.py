"""How the walk is told: chapters, short prose, one line per expectation, a table at the end.

Holds every outcome; the story succeeded when all of them hold. Knows the terminal, not the gate.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDTH = 100


@dataclass(slots=True)
class Chapter:
    """held, failed: the expectations of the chapter, by what was asked."""

    title: str
    held: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Telling:
    """Prints as it goes. `chapter` first, then the rest."""

    console: Console = field(
        default_factory=lambda: Console(width=WIDTH, highlight=False, soft_wrap=False)
    )
    chapters: list[Chapter] = field(default_factory=list)

    def chapter(self, title: str, prose: str) -> None:
        """A new chapter, with a few sentences for somebody who reads this for the first time."""
        self.chapters.append(Chapter(title))
        self.console.print()
        self.console.rule(f"[bold]{len(self.chapters)}. {escape(title)}", align="left", style="dim")
        self.say(prose)
        self.console.print()

    def say(self, text: str) -> None:
        """Prose; white space is free."""
        self.console.print(Padding(escape(" ".join(text.split())), (0, 0, 0, 2), expand=False))

    def note(self, text: str) -> None:
        """One fact, aside."""
        self.console.print(Padding(f"[dim]{escape(text)}[/]", (0, 0, 0, 4), expand=False))

    def check(self, asked: str, *, expected: str, came: str, holds: bool, detail: str = "") -> None:
        """One expectation and what came of it. detail: who and where, shown small."""
        chapter = self.chapters[-1]
        if holds:
            chapter.held += 1
        else:
            chapter.failed.append(f"{asked}: expected {expected}, came {came}")
        mark = ("✔", "bold green") if holds else ("✘", "bold red")
        self.console.print(Text.assemble("  ", mark, " ", (asked, "bold")))
        if detail:
            self.console.print(Padding(f"[dim]{escape(detail)}[/]", (0, 0, 0, 6), expand=False))
        colour = "green" if holds else "red"
        line = f"expected [cyan]{escape(expected)}[/] · came [{colour}]{escape(came)}[/]"
        self.console.print(Padding(line, (0, 0, 0, 6), expand=False))

    def show(self, command: str, output: str, *, most: int = 40) -> None:
        """A command as one would type it, and what it printed: `most` lines, cut to the width."""
        chapter = self.chapters[-1]
        if chapter.held or chapter.failed:
            self.console.print()
        self.console.print(Padding(f"[bold]$ {escape(command)}[/]", (0, 0, 0, 4), expand=False))
        lines = output.rstrip().splitlines()
        for line in lines[:most]:
            text = Text(line, style="dim", no_wrap=True, overflow="ellipsis")
            self.console.print(Padding(text, (0, 0, 0, 4), expand=False))
        if len(lines) > most:
            self.note(f"… and {len(lines) - most} more lines")
        self.console.print()

    def summary(self) -> bool:
        """The table; whether every expectation held and there was at least one."""
        table = Table("", "chapter", "held", "failed", box=None, padding=(0, 2), header_style="dim")
        for number, chapter in enumerate(self.chapters, 1):
            failed = len(chapter.failed)
            table.add_row(
                str(number),
                escape(chapter.title),
                f"[green]{chapter.held}[/]",
                f"[bold red]{failed}[/]" if failed else "0",
            )
        self.console.print()
        self.console.rule("[bold]Summary", align="left", style="dim")
        self.console.print(table)
        failures = [text for chapter in self.chapters for text in chapter.failed]
        for text in failures:
            self.console.print(Padding(f"[red]✘ {escape(text)}[/]", (0, 0, 0, 2), expand=False))
        held = sum(chapter.held for chapter in self.chapters)
        self.console.print()
        if failures or not held:
            self.say(f"{len(failures)} of {held + len(failures)} expectations did not hold.")
        else:
            self.say(f"All {held} expectations held.")
        return not failures and held > 0
