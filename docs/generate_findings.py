"""The reference page of findings: texts from the registry, examples from the golden cases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from gatereeve.core.findings import Code, Severity, registry

_WINDOW = 16
"""Lines of an example. Of a longer document, those around the place of the finding."""
_HEAD = 4


def page(golden: Path) -> str:
    """Every finding code, by severity. golden: the folder of the golden cases."""
    examples = _examples(golden)
    lines = [
        "# Findings\n",
        "What `gatereeve check` and the running controllers report about documents: message and hint of each",
        "finding, why it matters, and an example. Words in braces stand for values of the case.",
        "An error means that something is not served or not in force; other documents are not affected.",
        "Codes that begin with `exposed-`, `nginx-` and `grant-` come from `gatereeve audit-cluster`.\n",
    ]
    for severity in reversed(Severity):
        lines.append(f"## {severity.name.capitalize()}\n")
        for code in registry().values():
            if code.severity is severity:
                lines += _section(code, examples.get(code.code))
    return "\n".join(lines)


def _section(code: Code, example: str | None) -> Iterator[str]:
    yield f"### `{code.code}`\n\n{code.about}\n"
    texts = dict.fromkeys((text.message, text.hint) for text in code.texts.values())
    yield "| message | what to do |\n|---|---|"
    yield from (f"| {_cell(message)} | {_cell(hint)} |" for message, hint in texts)
    yield f"\n{example}\n" if example else ""


def _cell(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}").replace("!r}", "}").replace("|", "\\|")


def _examples(golden: Path) -> Mapping[str, str]:
    """An example by code: of the case that is named after it, else of the shortest one."""
    chosen: dict[str, tuple[tuple[bool, int, str], str]] = {}
    for path in golden.glob("*/*/findings.yaml"):
        case = path.parent
        if not (case / "in.yaml").exists():
            continue
        text = (case / "in.yaml").read_text()
        for finding in yaml.safe_load(path.read_text()) or []:
            code, rank = finding["code"], (case.name != finding["code"], len(text), str(case))
            if finding.get("file") == "in.yaml" and (code not in chosen or rank < chosen[code][0]):
                chosen[code] = rank, _example(finding, text, case.relative_to(golden))
    return {code: example for code, (_, example) in chosen.items()}


def _example(finding: Mapping[str, object], text: str, case: Path) -> str:
    """The document of a finding, and what is reported about it."""
    line = int(str(finding.get("line") or 1))
    place = " ".join(str(finding[k]) for k in ("object", "path") if finding.get(k))
    shown = "\n".join(_excerpt(text.split("\n"), line - 1))
    return (
        f"Example (`tests/golden/{case}`):\n\n```yaml\n{shown}\n```\n\n"
        f"{f'`{place}`: ' if place else ''}{finding['message']}.\n"
        f"Repair: {finding['hint']}."
    )


def _excerpt(lines: list[str], at: int) -> Iterator[str]:
    """The lines of the document at index `at`; of a long one its head and those around `at`."""
    start = next((i + 1 for i in range(at, -1, -1) if lines[i].startswith("---")), 0)
    end = next((i for i in range(at + 1, len(lines)) if lines[i].startswith("---")), len(lines))
    document = [line[:120] for line in lines[start:end]]
    document = list(itertools.dropwhile(lambda line: not line.strip(), document))
    while document and not document[-1].strip():
        document.pop()
    at = min(at - start, len(document) - 1)
    if len(document) <= _WINDOW:
        yield from document
        return
    first = max(_HEAD, at - 4)
    last = min(len(document), first + _WINDOW - _HEAD)
    yield from document[:_HEAD]
    if first > _HEAD:
        yield "# …"
    yield from document[first:last]
    if last < len(document):
        yield "# …"
