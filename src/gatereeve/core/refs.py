"""Names of things: references to documents and places inside them.

A `Ref` says which document, an `Origin` which line of thought inside it, a `Where` which file and
line. IR and findings carry them so that every line of Envoy configuration can name the document
that caused it. Ordering is by text and total; nothing here parses YAML or talks to anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

ConfigHash = NewType("ConfigHash", str)
"""Content hash of one gate's whole configuration, `sha256:` and 64 hexadecimal digits."""

PolicyHash = NewType("PolicyHash", str)
"""Content hash of everything that decides about one route of one model."""

PrincipalId = NewType("PrincipalId", str)
"""`provider/id`: unambiguous over all identity providers of a gate."""

SubjectId = NewType("SubjectId", str)
"""The person the data is about. Never assumed to be the principal."""

GATEREEVE_GROUP = "gatereeve.dev"


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """One document. `group` is "" for the Kubernetes core; `namespace` is "" for cluster kinds."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """`Model lending/credit`, the way people say it."""
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}"

    @property
    def short(self) -> str:
        """`namespace/name`, or the name alone for cluster kinds."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A place inside a document: `path` is like `spec.allow[0]`, "" for the document itself."""

    ref: Ref
    path: str = ""

    def __str__(self) -> str:
        return f"{self.ref} {self.path}" if self.path else str(self.ref)


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """A place a person can open: a file (or `cluster`) and a line, 1-based; 0 when unknown."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file
