"""What commands share of the terminal: consoles, a failing sentence, findings as lines.

Colours only where a person looks; plain text into pipes.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from gatereeve.core.errors import GatereeveError, LedgerError
from gatereeve.core.findings import Finding, Severity

# No markup: file names, messages and what callers sent are printed as they are.
OUT = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
ERR = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)

DEFAULT_STATE = "$GATEREEVE_STATE, else .gatereeve"
"""What help pages say about `--state`."""

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def fail(message: str, hint: str = "") -> None:
    """One sentence about what went wrong, and one about what helps, on standard error."""
    ERR.print(Text.assemble(("error: ", "bold red"), message))
    if hint:
        ERR.print(Text.assemble(("hint:  ", "dim"), hint))


def fail_with(error: GatereeveError) -> None:
    """The same for an error of ours; a refusal of the ledger begins with its code."""
    code = f"{error.reason}: " if isinstance(error, LedgerError) and error.reason else ""
    fail(f"{code}{error}", error.hint)


def print_findings(findings: Iterable[Finding], console: Console = OUT) -> None:
    """Findings as people read them: place, severity, code, message; then the hint."""
    for finding in findings:
        place = str(finding.where or finding.origin or "")
        console.print(
            Text.assemble(
                (place, "bold"),
                ": " if place else "",
                (finding.severity.name.lower(), STYLES[finding.severity]),
                f" {finding.code}: {finding.message}",
            )
        )
        if finding.hint:
            console.print(Text.assemble("    ", ("hint: ", "dim"), finding.hint))


def summary(findings: Iterable[Finding]) -> str:
    """`2 errors, 1 warning`, or `no findings`."""
    counts = dict.fromkeys(reversed(Severity), 0)
    for finding in findings:
        counts[finding.severity] += 1
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
    parts = [counted(count, words[severity]) for severity, count in counts.items() if count]
    return ", ".join(parts) or "no findings"


def counted(count: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def printable(text: str) -> str:
    """Control characters made visible: callers choose some of these texts."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
