"""The findings about one document, each with its place in the document and in the file."""

from __future__ import annotations

from gatereeve.api import yaml
from gatereeve.core import findings, refs


class DocumentReport:
    """Collects findings while a document is read. ref: of the document, as soon as it is known."""

    def __init__(self, tree: yaml.Tree, file: str, before: int) -> None:
        self._tree = tree
        self._file = file
        self._before = before
        self.ref: refs.Ref | None = None
        self.findings: list[findings.Finding] = []
        self.is_failed = False

    def locate(self, line: int) -> refs.Where | None:
        """The place of a line of the tree; None for a document that is in no file."""
        return refs.Where(self._file, self._before + line) if self._file else None

    def add(self, code: str, path: str, message: str, hint: str, line: int | None = None) -> None:
        origin = refs.Origin(self.ref, path) if self.ref is not None else None
        while path and path not in self._tree.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        line = self._tree.lines[path] if line is None else line
        self.findings.append(
            findings.Finding(
                code=findings.FindingCode(code),
                message=message,
                hint=hint,
                origin=origin,
                where=self.locate(line),
            )
        )

    def fail(self, code: str, path: str, message: str, hint: str, line: int | None = None) -> None:
        self.is_failed = True
        self.add(code, path, message, hint, line)
