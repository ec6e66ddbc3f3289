"""Findings as SARIF 2.1.0 (OASIS), which code hosts show beside the line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gatereeve import __version__
from gatereeve.core.findings import Finding, Severity, registry

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def to_sarif(
    findings: Iterable[Finding], properties: Mapping[str, object] | None = None
) -> dict[str, object]:
    """One run with its rules and results. properties: of the run, such as what was looked at."""
    collected = list(findings)
    codes = sorted({f.code for f in collected})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": registry()[code].about},
            "helpUri": f"https://gatereeve.dev/findings/{code}",
            "defaultConfiguration": {"level": _LEVELS[registry()[code].severity]},
        }
        for code in codes
    ]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "gatereeve",
                        "version": __version__,
                        "informationUri": "https://gatereeve.dev",
                        "rules": rules,
                    }
                },
                "results": [_result(f, codes.index(f.code)) for f in collected],
                **({"properties": dict(properties)} if properties else {}),
            }
        ],
    }


def _result(finding: Finding, rule: int) -> dict[str, object]:
    text = finding.message + (f". {finding.hint}" if finding.hint else "")
    result: dict[str, object] = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
    }
    location: dict[str, object] = {}
    if finding.where is not None:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": finding.where.file},
            "region": {"startLine": max(finding.where.line, 1)},
        }
    if finding.origin is not None:
        location["logicalLocations"] = [{"fullyQualifiedName": str(finding.origin)}]
    if location:
        result["locations"] = [location]
    return result
