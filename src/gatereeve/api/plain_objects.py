"""Objects of a cluster as they are: plain values with a name, for those who look and do not act.

Nothing is checked against a schema and nothing is refused: what has no kind and name is no object,
and every accessor answers with something empty where it does not find what it was asked for.
Governance never decides by these (that is `document` and `World`); an audit reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias, cast

from gatereeve.api.world import Doc, Meta
from gatereeve.api.yaml import Plain
from gatereeve.core.refs import Ref

RawDoc: TypeAlias = Doc[Mapping[str, Plain]]
"""`spec` is the whole object, apiVersion and kind included; `digest` is empty."""

MAX_LIST_DEPTH = 4
"""Lists may contain Lists, up to this depth."""

_MAX_NAME = 253

_NOTHING: Mapping[str, Plain] = MappingProxyType({})
_NO_LINES: Mapping[str, int] = MappingProxyType({})


def objects(
    value: Plain, file: str = "", lines: Mapping[str, int] = _NO_LINES, depth: int = 0
) -> Iterator[RawDoc]:
    """The objects in `value`: itself, or the items of a `List` or a typed list (`IngressList`).

    Items of a typed list carry no kind of their own; they get the list's. What is no object is
    left out. lines: places of the whole value; those of items inside a list are not kept.
    """
    body = mapping(value)
    kind, version = text(body.get("kind")), text(body.get("apiVersion"))
    items = body.get("items")
    if kind.endswith("List") and isinstance(items, list):
        if depth < MAX_LIST_DEPTH:
            head: dict[str, Plain] = {"apiVersion": version, "kind": kind.removesuffix("List")}
            for item in items:
                whole = {**head, **mapping(item)} if head["kind"] else item
                yield from objects(whole, file, _NO_LINES, depth + 1)
        return
    metadata = mapping(body.get("metadata"))
    name = text(metadata.get("name"))
    namespace = text(metadata.get("namespace"))
    if not (kind and version and name and all(map(_is_legible, (kind, version, name, namespace)))):
        return
    group = version.partition("/")[0] if "/" in version else ""
    yield Doc(
        ref=Ref(group, kind, namespace, name),
        meta=Meta(labels=texts(metadata.get("labels")), annotations=texts(metadata.get("annotations"))),
        spec=body,
        digest="",
        file=file,
        lines=lines,
    )  # fmt: skip


def _is_legible(name: str) -> bool:
    """Names are shown on terminals; none that Kubernetes would take is longer or unprintable."""
    return len(name) <= _MAX_NAME and name.isprintable()


def empty_list(value: Plain) -> str | None:
    """The kind of an empty list: `Ingress` for an IngressList, "" for a plain List; else None."""
    body = mapping(value)
    kind = text(body.get("kind"))
    return kind.removesuffix("List") if kind.endswith("List") and body.get("items") == [] else None


def get(value: Plain | Mapping[str, Plain], *path: str) -> Plain:
    """The value at `path`; None if there is none."""
    for step in path:
        # `dict`, not `Mapping`: this is the innermost loop, and trees are made of dicts.
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return cast("Plain", value)


def mapping(value: Plain | Mapping[str, Plain]) -> Mapping[str, Plain]:
    """The mapping, or an empty one."""
    return value if isinstance(value, dict) else _NOTHING


def sequence(value: Plain) -> list[Plain]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else []


def text(value: Plain) -> str:
    """The text, or an empty one; numbers and truth values are none."""
    return value if isinstance(value, str) else ""


def texts(value: Plain) -> Mapping[str, str]:
    """Those entries of a mapping that are text."""
    return {k: v for k, v in mapping(value).items() if isinstance(k, str) and isinstance(v, str)}


def words(value: Plain) -> tuple[str, ...]:
    """Those items of a list that are text."""
    return tuple(item for item in sequence(value) if isinstance(item, str))
