"""Conditions from findings: reasons are codes in CamelCase, messages what the findings say, bounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gatereeve.core.conditions import MAX_MESSAGE, Condition
from gatereeve.core.findings import Finding, Severity

_SHOWN = 5


def reason(code: str) -> str:
    """`version-unapproved` as `VersionUnapproved`."""
    return "".join(part[:1].upper() + part[1:] for part in code.split("-"))


def text(findings: Sequence[Finding]) -> str:
    """What the first findings say, with their hints, in one printable line."""
    texts = [
        f"{finding.message}: {finding.hint}" if finding.hint else finding.message
        for finding in findings
    ]
    texts = list(dict.fromkeys(texts))
    more = f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return bounded("; ".join(texts[:_SHOWN]) + more)


def bounded(message: str) -> str:
    """At most MAX_MESSAGE characters."""
    return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"


def true(of: str, why: str, message: str = "") -> Condition:
    return Condition(type=of, status="True", reason=why, message=bounded(message))


def false(of: str, why: str, message: str = "") -> Condition:
    return Condition(type=of, status="False", reason=why, message=bounded(message))


def unknown(of: str, why: str, message: str = "") -> Condition:
    return Condition(type=of, status="Unknown", reason=why, message=bounded(message))


def from_findings(of: str, findings: Sequence[Finding]) -> Condition:
    """False, for the reason of the first finding, of which there is at least one."""
    return false(of, reason(findings[0].code), text(findings))


def accepted(findings: Sequence[Finding], *elsewhere: str) -> Condition:
    """`Accepted`: False with the errors; True with the other findings as its message.

    elsewhere: codes that another condition of the object reports.
    """
    findings = [finding for finding in findings if finding.code not in elsewhere]
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        return from_findings("Accepted", errors)
    return true("Accepted", "Accepted", text(findings))


def of_codes(findings: Iterable[Finding], *codes: str) -> list[Finding]:
    """Those of these codes, in the order of the codes."""
    collected = list(findings)
    return [finding for code in codes for finding in collected if finding.code == code]
