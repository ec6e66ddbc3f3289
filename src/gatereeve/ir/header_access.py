"""Which request headers the governed rows of a virtual host read, and which they write.

The reference decision and the Envoy builders refuse the same odd headers (`core.plain_values`), because
both take the names from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from gatereeve.ir.identity import Attributes, HeaderSource
from gatereeve.ir.routes import CallerHeader, Forward, Route, StickyHeader

CALLER_HEADERS: Final[dict[CallerHeader, tuple[str, ...]]] = {
    "principal": ("x-gatereeve-provider", "x-gatereeve-principal"),
    "groups": ("x-gatereeve-groups",),
    "region": ("x-gatereeve-region",),
    "purpose": ("x-gatereeve-purpose",),
    "record": ("x-gatereeve-record",),
}
"""What the gate says to models that ask for it. The beginning `x-gatereeve-` is the gate's alone."""


def read_headers(attributes: Attributes, rows: Sequence[Route]) -> tuple[str, ...]:
    """Lower-case names, sorted, without repetition; empty when no row is governed.

    attributes: of the gate. rows: of one virtual host. A header that chooses one governed row must
    be plain on all of them: an odd value falls through to a row that does not name the header.
    Credentials are not among them: their own rules answer 401.
    """
    governed = [row for row in rows if row.governance is not None]
    if not governed:
        return ()
    sources = (*attributes.region, *attributes.purpose)
    found = {source.name for source in sources if isinstance(source, HeaderSource)}
    for row in governed:
        found.update(_headers(row))
    return tuple(sorted(found))


def read_parameters(rows: Sequence[Route]) -> tuple[str, ...]:
    """Names of query parameters that choose governed rows; as `read_headers`."""
    governed = (row for row in rows if row.governance is not None)
    return tuple(sorted({wanted.name for row in governed for wanted in row.match.query}))


def _headers(row: Route) -> Iterator[str]:
    yield from (header.name for header in row.match.headers)
    if isinstance(row.action, Forward):
        yield from (key.name for key in row.action.sticky if isinstance(key, StickyHeader))
