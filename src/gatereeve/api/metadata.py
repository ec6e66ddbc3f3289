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
            self._report.fail(
                "missing-field", "metadata", "`metadata` is required", "add `metadata:` with a name"
            )
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
            near = diagnose.nearest(key, known)
            hint = (
                f"did you mean `{near}`?"
                if near
                else f"the fields here are: {', '.join(known[:5])}"
            )
            path = prefix + key
            self._report.fail("unknown-field", path, f"there is no field `{path[:200]}`", hint)

    def _check_name(self, kind: registry.Kind, metadata: Mapping[str, Plain]) -> None:
        name = metadata.get("name")
        if name is None:
            self._report.fail(
                "missing-field", "metadata.name", "`metadata.name` is required", "give it a name"
            )
            return
        grammar = LABEL if kind.kind in ("Namespace", "Service") else _NAME
        if not isinstance(name, str) or not grammar.fullmatch(name):
            self._report.fail(
                "invalid-name",
                "metadata.name",
                f"{diagnose.shown(name)} is no name that Kubernetes accepts",
                "lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit"
                + ("; in quotes" if not isinstance(name, str) else ""),
            )

    def _check_namespace(self, kind: registry.Kind, metadata: Mapping[str, Plain]) -> None:
        namespace = metadata.get("namespace")
        if namespace is None or namespace == "":
            return
        if not kind.namespaced:
            self._report.fail(
                "invalid-name",
                "metadata.namespace",
                f"{kind.kind} is a cluster kind and has no namespace",
                "remove `metadata.namespace`",
            )
        elif not isinstance(namespace, str) or not LABEL.fullmatch(namespace):
            self._report.fail(
                "invalid-name",
                "metadata.namespace",
                f"{diagnose.shown(namespace)} is no namespace that Kubernetes accepts",
                "lower-case letters, digits and `-`, at most 63 characters, as text",
            )

    def _read_texts(self, metadata: Mapping[str, Plain], key: str) -> Mapping[str, str]:
        given = metadata.get(key)
        if given is None:
            return _NO_TEXTS
        if not isinstance(given, dict):
            self._report.fail(
                "invalid-field",
                f"metadata.{key}",
                f"`metadata.{key}` is no mapping",
                "write `name: value` lines",
            )
            return _NO_TEXTS
        texts: dict[str, str] = {}
        for name, value in given.items():
            if isinstance(value, str):
                texts[name] = value
            else:
                path = f"metadata.{key}.{name}"
                self._report.fail(
                    "invalid-field",
                    path,
                    f"`{path[:200]}`: {diagnose.shown(value)} is not text",
                    f'put it in quotes: "{value}"'
                    if isinstance(value, bool | int | float)
                    else "write text",
                )
        return texts

    def _read_created(self, metadata: Mapping[str, Plain]) -> datetime | None:
        given = metadata.get("creationTimestamp")
        if given is None:
            return None
        try:
            created = datetime.fromisoformat(given if isinstance(given, str) else "")
        except ValueError:
            created = None
        if created is None or created.tzinfo is None:
            self._report.fail(
                "invalid-field",
                "metadata.creationTimestamp",
                f"{diagnose.shown(given)} is no time",
                "remove it; the API server sets it",
            )
        return created
