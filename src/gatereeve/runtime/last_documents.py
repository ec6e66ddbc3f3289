"""The documents of a folder that were in force, kept across restarts.

When a file cannot be read at a cold start, its last good documents stand in for it, as they would have
while running. A private journal holds them, because Secrets are among them. It is written before a
World is handed out: after a kill it is never older than what gates were given. A journal that is
damaged, or of another folder, counts as empty: what cannot be read is then closed, never as it was at
some earlier time.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
from pydantic import BaseModel

from gatereeve.api import document, registry, yaml
from gatereeve.api.tables import Table, table_of
from gatereeve.api.world import AnyDoc, Key, World
from gatereeve.core.derived import changed_keys
from gatereeve.core.logs import EventLog
from gatereeve.core.refs import Ref
from gatereeve.runtime.journal import Journal

_LOG = EventLog(__name__)

_FOLDER: Final = "folder"
_NOWHERE: Final = yaml.Lines({"": 0}, array("I", [0]), 0)


class LastDocuments:
    """Implements `sources.folder.folder_source.Memory`. One caller at a time; `load` before the first `save`."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._folder = str(folder.absolute()).encode()
        self._journal = Journal(path)
        self._tables: dict[str, Table] = {}
        self._is_whole = False

    def load(self) -> tuple[AnyDoc, ...]:
        """What was in force when an earlier process ended; nothing when that is not known for sure."""
        stored = self._journal.load()
        folder = stored.pop(_FOLDER, None)
        if self._journal.is_damaged:
            _LOG.error(
                "last_documents_damaged",
                file=self._path,
                consequence="what cannot be read in the folder is closed until it is corrected",
            )
            return ()
        if folder != self._folder:
            return ()
        documents = tuple(doc for key, value in stored.items() if (doc := self._read(key, value)))
        self._is_whole = len(documents) == len(stored)
        tables: dict[str, dict[Key, AnyDoc]] = {}
        for doc in documents:
            kind = registry.BY_KIND[doc.ref.group, doc.ref.kind]
            tables.setdefault(kind.world, {})[doc.ref.namespace, doc.ref.name] = doc
        self._tables = {**tables}
        return documents

    def _read(self, key: str, value: bytes) -> AnyDoc | None:
        try:
            file, content = msgspec.msgpack.decode(value, type=tuple[str, dict[str, object]])
        except msgspec.MsgspecError:
            file, content = "", {}
        tree = yaml.Tree(value=_plain(content), lines=_NOWHERE, problems=(), words=frozenset())
        outcome = document.read(tree, file, 0)
        if outcome.doc is None or _key(outcome.doc.ref) != key:
            _LOG.warning("last_document_unusable", file=self._path, document=key)
            return None
        return outcome.doc

    def save(self, world: World) -> None:
        """Keep what is in force now; on disk when this returns.

        What cannot be written must not be older either: then there is nothing to load later.
        """
        tables = {kind.world: table_of(world, kind) for kind in registry.KINDS}
        changed: dict[str, bytes | None] = {}
        for name, table in tables.items():
            before = self._tables.get(name, {})
            if table is not before:
                changed.update(_changes(before, table))
        if changed or not self._is_whole:
            try:
                self._write(changed, tables)
            except OSError as error:
                self._forget(error)
                return
        self._tables, self._is_whole = tables, True

    def _write(self, changed: Mapping[str, bytes | None], tables: Mapping[str, Table]) -> None:
        def everything() -> Iterator[tuple[str, bytes]]:
            yield _FOLDER, self._folder
            yield from ((_key(doc.ref), _stored(doc)) for doc in _in_files(tables))

        if not self._is_whole:
            self._journal = Journal(self._path)  # unknown to it, so the file is made anew
        self._journal.save(changed, everything)

    def _forget(self, error: OSError) -> None:
        self._is_whole = False
        self._tables = {}
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            _LOG.exception(
                "last_documents_outdated",
                file=self._path,
                consequence="older documents may stand in after a restart",
            )
        else:
            _LOG.error(
                "last_documents_not_written",
                file=self._path,
                error=error,
                consequence="after a restart, what cannot be read is closed",
            )


def _changes(before: Table, now: Table) -> Iterator[tuple[str, bytes | None]]:
    """What to write for the documents of one kind: those from files, and None for those that went."""
    for key in changed_keys(before, now):
        doc, known = now.get(key), before.get(key)
        if doc is not None and doc.file:
            yield _key(doc.ref), _stored(doc)
        elif known is not None and known.file:
            yield _key(known.ref), None


def _in_files(tables: Mapping[str, Table]) -> Iterator[AnyDoc]:
    return (doc for table in tables.values() for doc in table.values() if doc.file)


def _key(ref: Ref) -> str:
    return f"{ref.group} {ref.kind} {ref.namespace} {ref.name}"


def _stored(doc: AnyDoc) -> bytes:
    """The file, and the object as it was read: defaults and what is not read are left out."""
    kind = registry.BY_KIND[doc.ref.group, doc.ref.kind]
    spec = doc.spec
    content = (
        spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        if isinstance(spec, BaseModel)
        else {}
    )
    metadata: dict[str, object] = {
        "name": doc.ref.name,
        "labels": dict(doc.meta.labels),
        "annotations": dict(doc.meta.annotations),
    }
    if kind.namespaced:
        metadata["namespace"] = doc.ref.namespace
    if doc.meta.created is not None:
        metadata["creationTimestamp"] = doc.meta.created.isoformat()
    if doc.meta.uid:
        metadata["uid"] = doc.meta.uid
    if doc.meta.generation:
        metadata["generation"] = doc.meta.generation
    version = f"{kind.group}/{kind.versions[0]}" if kind.group else kind.versions[0]
    value = {"apiVersion": version, "kind": kind.kind, "metadata": metadata}
    value.update(content if kind.body == "body" else {"spec": content})
    return msgspec.msgpack.encode((doc.file, value))


def _plain(value: object) -> yaml.Plain:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str) else None
