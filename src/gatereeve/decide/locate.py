"""The file and line of an `Origin`, from the documents of a World."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from gatereeve.api import registry
from gatereeve.api.tables import table_of
from gatereeve.api.world import AnyDoc, Key, World
from gatereeve.core.refs import Origin, Where


def locate(world: World, origin: Origin) -> Where | None:
    """Return file and line of `origin`, or of the nearest field around it.

    None if the document is not in this World or did not come from a file.
    """
    ref = origin.ref
    kind = registry.BY_KIND.get((ref.group, ref.kind))
    if kind is None:
        return None
    doc = cast("Mapping[Key, AnyDoc]", table_of(world, kind)).get((ref.namespace, ref.name))
    return None if doc is None else doc.where(origin.path)
