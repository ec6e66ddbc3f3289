"""The page of faults in a log, and of the reasons for which its writer refuses to start."""

from __future__ import annotations

from gatereeve.ledger.tlog.faults import texts


def faults_page() -> str:
    """Every code with what it means, its message and what to do."""
    lines = [
        "# Faults of the ledger",
        "",
        "For operators and auditors: what the verifier reports about a log, and why the writer refuses to open one.",
        "The code is stable; the message names the values of the case.",
        "The format is described in [ledger-format](ledger-format.md).",
        "",
        "| Code | Meaning | Message | What to do |",
        "|---|---|---|---|",
        *(
            f"| `{code}` | {text.about} | {text.message} | {text.hint} |"
            for code, text in texts().items()
        ),
        "",
    ]
    return "\n".join(lines)
