"""A folder of what `kubectl get … -o yaml` or `-o json` wrote, as plain objects.

Unlike `files`, nothing is watched, kept or compiled, and objects of any kind are taken as they are.
Secrets are dropped as they are met: an audit does not need their bytes. JSON has no lines
but no bounds beyond those of a file either; YAML has both, so large clusters are dumped as JSON.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from gatereeve.api import plain_objects, yaml
from gatereeve.core import errors, findings, refs
from gatereeve.core.report import describe
from gatereeve.sources.folder import listing, named_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """What a folder holds.

    docs: in order of files and then of places in them. empty: what is known to be listed and empty:
    the kind of a typed list, or the name of the file (without suffix) of a plain one.
    findings: what could not be read.
    """

    docs: tuple[plain_objects.RawDoc, ...]
    empty: frozenset[str]
    findings: tuple[findings.Finding, ...]


def read_dump(folder: Path) -> Dump:
    """Everything beneath `folder`. Raises SourceError when it cannot be listed."""
    try:
        files = listing.scan(folder)
    except OSError as error:
        raise errors.SourceError(
            f"{folder} cannot be listed: {error.strerror}",
            hint="name an existing folder that this process may read",
        ) from error
    found = list(files.found)
    parts = []
    for path in files.files:
        text = _text(folder, path, found)
        if text is not None:
            parts.append(parse_dump(text, path))
    return Dump(
        docs=tuple(doc for part in parts for doc in part.docs),
        empty=frozenset().union(*(part.empty for part in parts)),
        findings=findings.order([*found, *(f for part in parts for f in part.findings)]),
    )


def parse_dump(text: str, path: str) -> Dump:
    """One file. Any text gives a result; what is no object is left out."""
    docs: list[plain_objects.RawDoc] = []
    empty: set[str] = set()
    found: list[findings.Finding] = []
    for value, lines in _values(text, path, found):
        kind = plain_objects.empty_list(value)
        if kind is not None:
            empty.add(kind or PurePosixPath(path).stem)
        docs += (doc for doc in plain_objects.objects(value, path, lines) if not _is_secret(doc))
    return Dump(docs=tuple(docs), empty=frozenset(empty), findings=findings.order(found))


def _is_secret(doc: plain_objects.RawDoc) -> bool:
    return doc.ref.kind == "Secret" and doc.ref.group == ""


def _text(folder: Path, path: str, found: list[findings.Finding]) -> str | None:
    try:
        return named_files.read_bounded(folder / path, listing.MAX_FILE_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        found.append(listing.at(path, describe("unreadable-file.not-utf8")))
    except OSError as error:
        found.append(
            listing.at(
                path,
                describe(
                    "unreadable-file", error=error.strerror, limit=listing.MAX_FILE_BYTES // 2**20
                ),
            )
        )
    return None


def _values(
    text: str, path: str, found: list[findings.Finding]
) -> Iterator[tuple[yaml.Plain, yaml.Lines | dict[str, int]]]:
    if path.casefold().endswith(".json"):
        yield from ((value, {}) for value in _json(text, path, found))
        return
    for chunk in yaml.split(text):
        trees, problem = yaml.read(chunk.text)
        if not trees and problem is None:
            # `yaml.read` gives the items of a List, so nothing at all is an empty one.
            yield {"apiVersion": "v1", "kind": "List", "items": []}, {}
        yield from ((tree.value, tree.lines.shifted(chunk.before)) for tree in trees)
        if problem is not None:
            finding = problem.finding
            if finding.code == "document-too-large":
                finding = describe("document-too-large.dump", problem=finding.message)
            where = refs.Where(path, chunk.before + problem.line)
            found.append(dataclasses.replace(finding, where=where))


def _json(text: str, path: str, found: list[findings.Finding]) -> list[yaml.Plain]:
    if not text.strip():
        return []
    try:
        return [msgspec.json.decode(text)]
    except (msgspec.DecodeError, RecursionError) as error:
        found.append(listing.at(path, describe("yaml-syntax.json", error=error)))
    return []
