"""Findings: diagnoses of the documents, as data. Their codes and texts stand in `findings.toml`.

The same value becomes the CLI line, the SARIF result, the status condition, the admission answer,
the console row and the ledger fact. Nothing here raises for what a user wrote, formats for a
terminal, or knows what a document is.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from importlib import resources
from typing import NewType

from gatereeve.core.refs import Origin, Ref, Where

FindingCode = NewType("FindingCode", str)

MAX_TEXT = 500
"""Characters of a message or hint; escapes may double them."""


class Severity(IntEnum):
    """error: something is not served or not in force · warning: served, look at it · info."""

    INFO = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One diagnosis. `message` says what is wrong, `hint` what would be right.

    Both quote what users wrote, and are shown on terminals and in logs: they are one printable line
    of at most MAX_TEXT characters.
    origin: the document and place; None when a file holds no readable document.
    where: file and line; filled by the source, so equal documents give equal findings but for it.
    cause: another document because of which this one is not served.
    """

    code: FindingCode
    message: str
    hint: str
    origin: Origin | None = None
    where: Where | None = None
    cause: Ref | None = None

    def __post_init__(self) -> None:
        for name, text in (("message", self.message), ("hint", self.hint)):
            if len(text) > MAX_TEXT or not text.isprintable():
                object.__setattr__(self, name, _one_line(text))

    @property
    def severity(self) -> Severity:
        return registry()[self.code].severity


def _one_line(text: str) -> str:
    """Characters that a terminal would act on, or that hide others, become escapes."""
    short = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    shown = (
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in short
    )
    return "".join(shown)[: MAX_TEXT * 2]


@dataclass(frozen=True, slots=True)
class Text:
    """Message and hint of a finding, with `{placeholders}` for the values of the case."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Code:
    """A registered code: its severity, one sentence on why it matters, and its texts.

    texts: by name, which is the code, or code and case (`backend-not-found.service`).
    """

    code: FindingCode
    severity: Severity
    about: str
    texts: Mapping[str, Text]


@functools.cache
def registry() -> Mapping[FindingCode, Code]:
    """Every code, in the order of `findings.toml`."""
    data = resources.files(__package__).joinpath("findings.toml").read_text(encoding="utf-8")
    return {
        FindingCode(name): _read_code(name, table) for name, table in tomllib.loads(data).items()
    }


@functools.cache
def texts() -> Mapping[str, tuple[FindingCode, Text]]:
    """Every text of every code, by its name."""
    return {name: (code.code, t) for code in registry().values() for name, t in code.texts.items()}


def _read_code(name: str, table: Mapping[str, object]) -> Code:
    """A code from its table; tables in it are further texts, for cases of the code."""
    cases = {f"{name}.{case}": t for case, t in table.items() if isinstance(t, dict)}
    texts = {case: _read_text({**table, **own}) for case, own in cases.items()}
    if "message" in table:
        texts[name] = _read_text(table)
    severity = Severity[str(table["severity"]).upper()]
    return Code(FindingCode(name), severity, str(table["about"]), texts)


def _read_text(table: Mapping[str, object]) -> Text:
    return Text(message=str(table["message"]), hint=str(table["hint"]))


def order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, then by place, code and message; duplicates removed."""
    return tuple(
        sorted(
            set(findings),
            key=lambda f: (
                -f.severity,
                (f.where.file, f.where.line) if f.where else ("", 0),
                str(f.origin) if f.origin else "",
                f.code,
                f.message,
            ),
        )
    )
