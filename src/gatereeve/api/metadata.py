"""The metadata of a document: name, namespace, labels, annotations, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from gatereeve.api import diagnose, registry
from gatereeve.api.document_report import DocumentReport
from gatereeve.api.world import Meta
from gatereeve.api.yaml import Plain

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
DOCUMENT_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")
METADATA_FIELDS = (
    "name", "namespace", "labels", "annotations", "uid", "generation", "creationTimestamp",
    "resourceVersion", "generateName", "deletionTimestamp", "deletionGracePeriodSeconds",
    "finalizers", "ownerReferences", "managedFields", "selfLink",
)  # fmt: skip
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MetadataReader:
    """Reads metadata and adds findings to the report."""

    _report: DocumentReport

    def read(self, kind: registry.Kind, value: Mapping[str, Plain]) -> Meta | None:
        """The metadata of a document; None without any. What is wrong goes to the report."""
        metadata = value.get("metadata")
        if not isinstance(metadata, dict):
            self._report.fail("missing-field", "metadata", field="metadata")
            return None
        if kind.ours:
            self._report_unknown(value, DOCUMENT_FIELDS, "")
            self._report_unknown(metadata, METADATA_FIELDS, "metadata.")
        self._check_name(kind, metadata)
        self._check_namespace(kind, metadata)
        uid, generation = metadata.get("uid"), metadata.get("generation")
        return Meta(
            labels=self._read_texts(metadata, "labels"),
            annotations=self._read_texts(metadata, "annotations"),
            created=self._read_created(metadata),
            uid=uid if isinstance(uid, str) else "",
            generation=generation if isinstance(generation, int) else 0,
        )

    def _report_unknown(
        self, value: Mapping[str, Plain], known: tuple[str, ...], prefix: str
    ) -> None:
        for key in list(value.keys() - set(known))[: diagnose.MAX_DIAGNOSES]:
            path = prefix + key
            self._report.fail_with(path, diagnose.unknown_field(path[:200], key, known))

    def _check_name(self, kind: registry.Kind, metadata: Mapping[str, Plain]) -> None:
        name = metadata.get("name")
        if name is None:
            self._report.fail(
                "missing-field.below", "metadata.name",
                field="metadata.name", name="name", place="metadata",
            )  # fmt: skip
            return
        grammar = LABEL if kind.kind in ("Namespace", "Service") else _NAME
        if not isinstance(name, str) or not grammar.fullmatch(name):
            quotes = "" if isinstance(name, str) else "; in quotes"
            self._report.fail(
                "invalid-name", "metadata.name", name=diagnose.shown(name), quotes=quotes
            )

    def _check_namespace(self, kind: registry.Kind, metadata: Mapping[str, Plain]) -> None:
        namespace = metadata.get("namespace")
        if namespace is None or namespace == "":
            return
        if not kind.namespaced:
            self._report.fail("invalid-name.cluster-kind", "metadata.namespace", kind=kind.kind)
        elif not isinstance(namespace, str) or not LABEL.fullmatch(namespace):
            name = diagnose.shown(namespace)
            self._report.fail("invalid-name.namespace", "metadata.namespace", name=name)

    def _read_texts(self, metadata: Mapping[str, Plain], key: str) -> Mapping[str, str]:
        raw = metadata.get(key)
        if raw is None:
            return _NO_TEXTS
        if not isinstance(raw, dict):
            path = f"metadata.{key}"
            self._report.fail("invalid-field.mapping", path, field=path)
            return _NO_TEXTS
        texts: dict[str, str] = {}
        for name, value in raw.items():
            if isinstance(value, str):
                texts[name] = value
            else:
                path = f"metadata.{key}.{name}"
                is_plain = isinstance(value, bool | int | float)
                self._report.fail(
                    "invalid-field.text", path, field=path[:200], value=diagnose.shown(value),
                    instead=f'put it in quotes: "{value}"' if is_plain else "write text",
                )  # fmt: skip
        return texts

    def _read_created(self, metadata: Mapping[str, Plain]) -> datetime | None:
        raw = metadata.get("creationTimestamp")
        if raw is None:
            return None
        try:
            created = datetime.fromisoformat(raw if isinstance(raw, str) else "")
        except ValueError:
            created = None
        if created is None or created.tzinfo is None:
            self._report.fail(
                "invalid-field.time", "metadata.creationTimestamp", value=diagnose.shown(raw)
            )
        return created
