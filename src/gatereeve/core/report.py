"""Makes findings: the text of a code from `findings.toml`, with the values of the case."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from gatereeve.core.findings import Finding, texts
from gatereeve.core.refs import Origin, Ref, Where


class Document(Protocol):
    """What a finding can be about."""

    @property
    def ref(self) -> Ref: ...

    def origin(self, path: str = "") -> Origin: ...

    def where(self, path: str = "") -> Where | None: ...


def describe(
    name: str, origin: Origin | None = None, where: Where | None = None, /, **values: object
) -> Finding:
    """A finding with the text `name`: a code, or a code and a case (`host-invalid.empty`).

    values: what the placeholders of the text stand for; several things are listed with commas.
    """
    code, text = texts()[name]
    shown = {key: _show(value) for key, value in values.items()}
    return Finding(
        code=code,
        message=text.message.format_map(shown),
        hint=text.hint.format_map(shown),
        origin=origin,
        where=where,
    )


def finding(doc: Document, name: str, path: str = "", /, **values: object) -> Finding:
    """A finding about `path` of `doc`, with its line."""
    return describe(name, doc.origin(path), doc.where(path), **values)


def place(doc: Document, path: str, problem: Finding) -> Finding:
    """`problem` as a finding about `path` of `doc`."""
    return replace(problem, origin=doc.origin(path), where=doc.where(path))


D_co = TypeVar("D_co", bound=Document, covariant=True)


@dataclass(frozen=True, slots=True)
class Report(Generic[D_co]):
    """Collects the findings about one document."""

    doc: D_co
    findings: list[Finding] = field(default_factory=list)

    def __call__(self, name: str, path: str = "", /, **values: object) -> Finding:
        problem = finding(self.doc, name, path, **values)
        self.findings.append(problem)
        return problem


def _show(value: object) -> object:
    """A list as text; other values as they are, so that a text may ask for `{name!r}`."""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "none"
    return value
