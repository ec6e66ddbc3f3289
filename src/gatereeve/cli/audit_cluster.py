"""`gatereeve audit-cluster`: what a cluster exposes, would lose, and gives away.

Reads a cluster, or what `kubectl get … -o yaml` wrote; nothing is changed.
Where objects come from is `_inventory`, and only there.
Exit code 0 without errors (warnings with --strict count as errors), 1 with them.
"""

from __future__ import annotations

import asyncio
import json
import textwrap
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from gatereeve.cli.check import Output, to_json
from gatereeve.cli.cluster import chosen
from gatereeve.cli.sarif import to_sarif
from gatereeve.cli.terminal import OUT, STYLES, summary
from gatereeve.cluster_audit import audit, inventory, kinds
from gatereeve.core.errors import SettingsError
from gatereeve.core.findings import Finding, FindingCode, Severity, order, registry
from gatereeve.runtime.cluster_reader import read_everything
from gatereeve.sources.folder import dumps
from gatereeve.sources.kube.access import Access
from gatereeve.sources.kube.whole_kinds import KindQuery

WIDTH = 80
SHOWN = 5
"""Findings of one code and remedy that are shown one by one, without --all."""

SECTIONS = (
    ("Models outside governance", ("exposed-", "exposure-", "model-")),
    ("Moving from ingress-nginx", ("nginx-",)),
    ("Risky rights", ("grant-",)),
    ("What could not be read", ("",)),
)
"""Title, and how the codes of a section begin; the first that fits."""

ASKED = (
    *(KindQuery(group=kind.group, kind=kind.kind, plural=kind.plural) for kind in kinds.KINDS),
    *(KindQuery(group=group, kind=kind) for group, kind in sorted(kinds.NOT_EXAMINED)),
)
"""What a live cluster is asked for."""

_ALL = typer.Option("--all", help="Show every finding by itself.")
_KINDS = typer.Option("--kinds", help="Print the kinds to dump, for kubectl, and stop.")


def audit_cluster(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A folder of dumps: what `kubectl get KINDS -A -o yaml` (or json) wrote, in any "
            "number of files.",
            show_default=False,
        ),
    ] = None,
    cluster: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--cluster", help="Read the cluster that kubectl would ask.")
    ] = False,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(help="The same, by this file.", show_default="$KUBECONFIG, ~/.kube/config"),
    ] = None,
    context: Annotated[str | None, typer.Option(help="Of the kubeconfig.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to write.")] = Output.human,
    strict: Annotated[bool, typer.Option(help="Warnings fail the audit, too.")] = False,  # noqa: FBT002 - a flag
    everything: Annotated[bool, _ALL] = False,  # noqa: FBT002 - a flag
    kinds_only: Annotated[bool, _KINDS] = False,  # noqa: FBT002 - a flag
) -> None:
    """Audit a cluster: models outside governance, settings of ingress-nginx that a migration would
    lose, and rights that undo governance. Looks only; changes nothing.
    """
    if kinds_only:
        typer.echo(",".join(kind.resource for kind in kinds.KINDS))
        return
    access = chosen(kubeconfig, context, cluster=cluster)
    if (access is None) == (folder is None):
        raise SettingsError(
            "there is nothing to audit"
            if access is None
            else "a folder and a cluster are two audits",
            hint="gatereeve audit-cluster --cluster, or --from FOLDER with dumps",
        )
    looked, unreadable = _inventory(folder, access)
    findings = order((*audit.audit(looked), *unreadable))
    if output is Output.sarif:
        typer.echo(json.dumps(to_sarif(findings, _looked(looked)), indent=2))
    elif output is Output.json:
        document = {**_looked(looked), "findings": [to_json(f) for f in findings]}
        typer.echo(json.dumps(document, indent=2))
    else:
        _print_human(findings, looked, shown=len(findings) if everything else SHOWN)
    worst = Severity.WARNING if strict else Severity.ERROR
    raise typer.Exit(1 if any(f.severity >= worst for f in findings) else 0)


def _inventory(
    folder: Path | None, access: Access | None
) -> tuple[inventory.Inventory, tuple[Finding, ...]]:
    """What there is to look at, and findings about what could not be read."""
    if access is not None:
        listed = asyncio.run(read_everything(access, ASKED))
        return inventory.make_inventory(
            listed.docs, listed=listed.kinds, refused=listed.refused
        ), ()
    dump = dumps.read_dump(folder or Path())
    return inventory.make_inventory(dump.docs, listed=dump.empty), dump.findings


def _looked(looked: inventory.Inventory) -> dict[str, object]:
    return {"seen": dict(looked.seen), "unseen": dict(looked.unseen), "others": dict(looked.others)}


def _print_human(findings: Iterable[Finding], looked: inventory.Inventory, *, shown: int) -> None:
    """By section, then by code and remedy; at most `shown` of each."""
    findings = tuple(findings)
    sections: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        sections[_section(finding.code)].append(finding)
    for title, _ in SECTIONS:
        if sections[title]:
            OUT.print(Text(f"\n{title}: {summary(sections[title])}", style="bold"))
            _print_section(sections[title], shown)
    OUT.print()
    for line in _describe_inventory(looked):
        OUT.print(_wrapped(line, "  ", first=""))
    OUT.print(f"audit: {summary(findings)}")


def _section(code: FindingCode) -> str:
    return next(title for title, starts in SECTIONS if code.startswith(starts))


def _print_section(findings: Iterable[Finding], shown: int) -> None:
    groups: defaultdict[tuple[FindingCode, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.code, finding.hint].append(finding)
    headed: FindingCode | None = None
    for (code, hint), group in sorted(
        groups.items(), key=lambda g: (-g[1][0].severity, list(registry()).index(g[0][0]))
    ):
        if headed != code:
            severity = group[0].severity
            OUT.print(
                Text.assemble("\n", (severity.name.lower(), STYLES[severity]), (f" {code}", "bold"))
            )
            OUT.print(_wrapped(registry()[code].about, "  "))
            headed = code
        for finding in group[:shown]:
            OUT.print(
                _wrapped(f"{finding.where or ''} {_who(finding)}".strip(), "      ", first="  - ")
            )
            OUT.print(_wrapped(finding.message, "      "))
        if len(group) > shown:
            OUT.print(f"  - and {len(group) - shown} more like these (--all shows them)")
        if hint:
            OUT.print(_wrapped(f"hint: {hint}", "    "))


def _who(finding: Finding) -> str:
    return str(finding.origin.ref) if finding.origin else ""


def _describe_inventory(looked: inventory.Inventory) -> Iterable[str]:
    """Return lines that say what was read, what could not be read and why, and what was skipped."""
    seen = ", ".join(f"{number} {kind}" for kind, number in looked.seen.items())
    yield f"looked at: {seen or 'nothing'}"
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for kind, reason in looked.unseen.items():
        by_reason[reason].append(kind)
    for reason, missing in by_reason.items():
        yield f"not seen, so nothing is known about them ({reason}): {', '.join(missing)}"
    if looked.others:
        passed = ", ".join(f"{number} {kind}" for kind, number in looked.others.items())
        yield f"passed by: {passed}"


def _wrapped(text: str, indent: str, *, first: str | None = None) -> Text:
    """At most 80 columns; names are never broken."""
    return Text(
        textwrap.fill(
            text, WIDTH, initial_indent=indent if first is None else first, subsequent_indent=indent,
            break_long_words=False, break_on_hyphens=False,
        )
    )  # fmt: skip
