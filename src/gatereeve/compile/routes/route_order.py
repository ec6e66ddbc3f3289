"""The one total order: which document is older, and which row of a virtual host comes first.

Oldest first, then namespace, name and kind, then the place inside the document. A document without
a creation time (from a folder) is younger than every one with a time; among those the name decides.
Rows follow Gateway API's precedence (HTTPRouteRule, "Proxy or Load Balancer routing"): exact path,
pattern, longest prefix, method, most headers, most query parameters; then age.
"""

from __future__ import annotations

import math
from datetime import UTC
from typing import TypeAlias, TypeVar

from gatereeve.api.world import Doc
from gatereeve.ir.routes import PathMatch

Age: TypeAlias = tuple[float, str, str, str]
"""(creation in seconds since 1970, namespace, name, kind)."""

DocumentOrder: TypeAlias = tuple[Age, int, int]
"""A rule and match of a document; totally ordered over all route requests of one host."""

Precedence: TypeAlias = tuple[int, int, str, int, int, int, int]

_PATH_RANK = {"exact": 0, "regex": 1, "prefix": 2}

S = TypeVar("S")


def age(doc: Doc[S]) -> Age:
    """Sorts documents oldest first. A time without zone is read as UTC."""
    created = doc.meta.created
    if created is None:
        seconds = math.inf
    else:
        if created.tzinfo is None:
            created = created.replace(tzinfo=UTC)
        seconds = created.timestamp()
    return (seconds, doc.ref.namespace, doc.ref.name, doc.ref.kind)


def precedence(
    path: PathMatch,
    *,
    methods: tuple[str, ...],
    headers: int,
    query: int,
    by_body: bool,
) -> Precedence:
    """Sorts matches by how specific they are, most specific first.

    headers, query: how many are asked for. by_body: whether the model named in the body is asked
    for; the row that asks goes before the row of the same path that does not.
    """
    return (
        _PATH_RANK[path.kind],
        -len(path.value),
        path.value,
        0 if methods else 1,
        -headers,
        -query,
        0 if by_body else 1,
    )
