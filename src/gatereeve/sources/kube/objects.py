"""One object of the API server → one document, read exactly as a file's would be (`api.document`).

What is not read here is dropped first: status, managedFields, the copy that kubectl keeps. What is
left makes the object's mark; an object with the same mark is the same document, so a write of
status, ours or another's, changes no World. Pure.
"""

from __future__ import annotations

import dataclasses
import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import msgspec

from gatereeve.api import document, registry, yaml
from gatereeve.api.world import AnyDoc, Broken
from gatereeve.core import findings, refs
from gatereeve.core.report import describe
from gatereeve.sources.kube import api_json, resources

_READ = frozenset(
    {"name", "namespace", "labels", "annotations", "uid", "generation", "creationTimestamp"}
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_NOWHERE = yaml.Lines({"": 0}, array("I", [0]), 0)
_MAX_DEPTH = yaml.MAX_DEPTH

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredObject:
    """An object as it was last seen: one document, or its broken form.

    mark: of what was read; uid: of the object.
    """

    uid: str
    mark: bytes
    docs: tuple[AnyDoc, ...] = ()
    broken: tuple[Broken, ...] = ()
    findings: tuple[findings.Finding, ...] = ()
    kept: tuple[AnyDoc, ...] = ()


def read(kind: registry.Kind, item: api_json.Item, before: StoredObject | None) -> StoredObject:
    """The entry of an object of `kind`; `before` itself when nothing that is read has changed.

    before: of the object of that name.
    """
    value = _value(item.raw, kind)
    data = None if value is None else _encoded(value)
    mark = hashlib.blake2b(bytes(item.raw) if data is None else data, digest_size=16).digest()
    if before is not None and (before.uid, before.mark) == (item.meta.uid, mark):
        return before
    if value is None or data is None:
        outcome = _too_large(kind, item.meta)
    else:
        outcome = document.read(
            yaml.Tree(value=value, lines=_NOWHERE, problems=(), words=frozenset()), "", 0
        )
    ref = refs.Ref(kind.group, kind.kind, item.meta.namespace, item.meta.name)
    broken = outcome.broken or Broken(ref=ref, models=None, rejects=None)
    return StoredObject(
        uid=item.meta.uid,
        mark=mark,
        docs=() if outcome.doc is None else (outcome.doc,),
        broken=(dataclasses.replace(broken, ref=ref, uid=item.meta.uid),)
        if outcome.doc is None
        else (),
        findings=outcome.findings,
    )


def holder(kind: registry.Kind, key: Key) -> str:
    """How an object is called in the store of documents."""
    return "/".join((kind.group, kind.kind, *key))


def _value(raw: msgspec.Raw, kind: registry.Kind) -> dict[str, yaml.Plain] | None:
    """What is read of the object; None when it is nested beyond measure.

    Lists of built-in kinds leave out what each object is.
    """
    try:
        value = msgspec.json.decode(raw, type=dict)
    except RecursionError:
        try:
            value = msgspec.json.decode(api_json.without_managed_fields(bytes(raw)), type=dict)
        except RecursionError:
            return None
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        value["metadata"] = {name: metadata[name] for name in metadata.keys() & _READ}
        annotations = metadata.get("annotations")
        if isinstance(annotations, dict):
            annotations.pop(_LAST_APPLIED, None)
    value.pop("status", None)
    value.setdefault("apiVersion", resources.of_kind(kind).api_version)
    value.setdefault("kind", kind.kind)
    return cast("dict[str, yaml.Plain]", value)


def _encoded(value: dict[str, yaml.Plain]) -> bytes | None:
    """The same text for the same value; None when it is beyond the bounds of a document."""
    try:
        data = msgspec.json.encode(value, order="deterministic")
    except RecursionError:
        return None
    # Fewer brackets than levels, and fewer characters than values, need no counting.
    if data.count(b"{") + data.count(b"[") <= _MAX_DEPTH and len(data) <= yaml.MAX_NODES:
        return data
    return data if _fits(value) else None


def _fits(value: object) -> bool:
    """The bounds of a document in a file, on depth and number of values."""
    layer: list[object] = [value]
    seen = depth = 0
    while layer:
        depth += 1
        seen += len(layer)
        if depth > _MAX_DEPTH or seen > yaml.MAX_NODES:
            return False
        layer = [inner for one in layer for inner in _inside(one)]
    return True


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_large(kind: registry.Kind, meta: api_json.ObjectMeta) -> document.Outcome:
    ref = refs.Ref(kind.group, kind.kind, meta.namespace, meta.name)
    finding = describe(
        "document-too-large",
        refs.Origin(ref),
        problem=f"{ref} is nested too deep or has too many values",
        bounds=f"{yaml.MAX_NODES} values and {_MAX_DEPTH} levels",
    )
    ours = kind.ours and kind.kind not in ("Gate", "HostGrant")
    rejects = None if kind.kind == "Approval" else ()
    broken = Broken(ref=ref, models=None if ours else (), rejects=rejects)
    return document.Outcome(broken=broken, findings=(finding,))
