"""From a folder and a request that disagree to small ones that still do, greedily and in bounded time.

Whole documents first, in halves and then one by one; then what stands in them, outermost first; then
the request. Not minimal in any strict sense, but short enough to read.
"""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gatereeve.decide.request import Request
from tests.differential.documents import Document

Path = tuple[str | int, ...]
Fails = Callable[[list[Document], Request], bool]

_KEPT = frozenset({"apiVersion", "kind", "metadata", "name", "namespace"})


def reduce(
    documents: Sequence[Document], request: Request, fails: Fails, *, within_s: float
) -> tuple[list[Document], Request]:
    """fails: whether a folder and a request still show the same disagreement."""
    deadline = time.monotonic() + within_s
    kept, asked = list(documents), request
    while time.monotonic() < deadline:
        before = (len(str(kept)), len(str(asked)))
        kept = _fewer(kept, lambda tried: fails(tried, asked), deadline)  # noqa: B023  # used at once
        asked = _plainer(kept, asked, fails, deadline)
        kept = _smaller(kept, lambda tried: fails(tried, asked), deadline)  # noqa: B023
        if (len(str(kept)), len(str(asked))) == before:
            break
    return kept, asked


def _fewer(
    documents: list[Document], fails: Callable[[list[Document]], bool], deadline: float
) -> list[Document]:
    size = max(1, len(documents) // 2)
    while True:
        at = 0
        while at < len(documents):
            if time.monotonic() > deadline:
                return documents
            tried = documents[:at] + documents[at + size :]
            if fails(tried):
                documents = tried
            else:
                at += size
        if size == 1:
            return documents
        size //= 2


def _smaller(
    documents: list[Document], fails: Callable[[list[Document]], bool], deadline: float
) -> list[Document]:
    for path in sorted(_places(documents), key=lambda p: (len(p), [str(part) for part in p])):
        if time.monotonic() > deadline:
            break
        tried = _without(documents, path)
        if tried is not None and fails(tried):
            documents = tried
    return documents


def _places(value: Any, at: Path = ()) -> Iterator[Path]:
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = [(key, inner) for key, inner in value.items() if key not in _KEPT]
    elif isinstance(value, list):
        items = list(reversed(list(enumerate(value))))  # later places first: indices stay right
    for key, inner in items:
        if at:
            yield (*at, key)
        yield from _places(inner, (*at, key))


def _without(documents: list[Document], path: Path) -> list[Document] | None:
    """The documents without what stands at `path`; None when it is gone already."""
    made = list(documents)
    first = path[0]
    if not isinstance(first, int) or first >= len(made):
        return None
    made[first] = copy.deepcopy(made[first])
    inner: Any = made
    for key in path[:-1]:
        try:
            inner = inner[key]
        except (KeyError, IndexError):
            return None
    try:
        del inner[path[-1]]
    except (KeyError, IndexError):
        return None
    return made


def _plainer(documents: list[Document], request: Request, fails: Fails, deadline: float) -> Request:
    for number in reversed(range(len(request.headers))):
        headers = request.headers[:number] + request.headers[number + 1 :]
        tried = dataclasses.replace(request, headers=headers)
        if time.monotonic() < deadline and fails(documents, tried):
            request = tried
    for change in (
        {"body": b""},
        {"certificate": None},
        {"peer": "127.0.0.1"},
        {"method": "GET"},
        {"path": request.path.partition("?")[0]},
        {"path": "/"},
        {"scheme": "http", "sni": None, "certificate": None},
        {"host": request.sni or request.host},
    ):
        tried = dataclasses.replace(request, **change)
        if tried != request and time.monotonic() < deadline and fails(documents, tried):
            request = tried
    return request
