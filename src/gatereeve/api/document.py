"""Reads one tree as a document: its kind, its metadata and its spec, or the findings about them.

Our own kinds are read strictly, those of Kubernetes as far as they are used here; other kinds give a
finding. `status` is not read. A document that cannot be used becomes a `Broken`, so that a missing
policy does not open a model; so does everything that may be a document of ours (`resemblance`).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from gatereeve.api import affected, diagnose, kube, recognition, registry, resemblance, yaml
from gatereeve.api.document_report import DocumentReport
from gatereeve.api.metadata import DOCUMENT_FIELDS, METADATA_FIELDS, MetadataReader
from gatereeve.api.world import AnyDoc, Broken, Doc, broken_document
from gatereeve.core import canonical, findings, refs

_MAX_SAFE_INTEGER = 2**53 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """At most one of doc and broken. nameless: there is a document, but its name is not readable."""

    doc: AnyDoc | None = None
    broken: Broken | None = None
    findings: tuple[findings.Finding, ...] = ()
    nameless: bool = False


def read(tree: yaml.Tree, file: str, before: int) -> Outcome:
    """The document in `tree`.

    file: "" for a document that is in no file; its findings then have no `where`.
    before: lines of the file above the text that the tree was read from.
    """
    return _DocumentReader(tree, file, before).read()


def find_ours(tree: yaml.Tree, namespace: str) -> Broken | None:
    """The document of ours that `tree` is, even if other parts of it are wrong; None if it is none.

    namespace: of a document that names none in `tree`, which may be the part of it that is legible.
    """
    return _DocumentReader(tree, "", 0).find_ours(namespace)


def is_named(ref: refs.Ref) -> bool:
    """Whether the name and the namespace of a document could be made out."""
    namespaced = registry.BY_KIND[ref.group, ref.kind].namespaced
    return bool(ref.name and (ref.namespace or not namespaced))


class _DocumentReader:
    """Reads one document and collects every finding about it."""

    def __init__(self, tree: yaml.Tree, file: str, before: int) -> None:
        self._tree = tree
        self._file = file
        self._before = before
        self._report = DocumentReport(tree, file, before)

    def read(self) -> Outcome:
        value = self._tree.value
        if value is None and not self._tree.problems:
            return Outcome()
        head = recognition.read_head(value)
        if head is None or not isinstance(value, dict):
            self._report.fail("not-an-object", "")
            return self._close_unknown(value)
        kind, doubt = recognition.recognise(*head)
        if kind is None:
            like = "" if doubt else resemblance.of_ours(value)
            if like:
                version, name = head
                self._report.fail("unknown-kind", "kind", version=version, kind=name, likeness=like)
            else:
                self._report_foreign(*head, doubt)
            if like or doubt:
                return self._close_unknown(value)
            return Outcome(findings=tuple(self._report.findings))
        if kind.kind != "AccessPolicy" and resemblance.has_deny_rules(value):
            self._report.fail("unknown-kind.deny-rules", "kind", kind=head[1])
            return self._close_unknown(value)
        ref = self._report.ref = self._read_ref(kind, value)
        if doubt:
            path = "apiVersion" if kind.kind == head[1] else "kind"
            self._report_misspelled(path, *head, doubt)
        self._report_problems()
        meta = MetadataReader(self._report).read(kind, value)
        spec = self._read_spec(kind, value)
        if self._report.is_failed or spec is None or meta is None:
            sure = not self._tree.problems
            broken = Broken(
                ref=ref,
                models=affected.models_of(kind, value, sure=sure),
                rejects=affected.rejected_versions(kind, value, sure=sure),
                where=self._report.locate(self._tree.lines[""]),
            )
            nameless = not is_named(ref)
            return Outcome(broken=broken, findings=tuple(self._report.findings), nameless=nameless)
        return Outcome(
            doc=Doc(
                ref=ref,
                meta=meta,
                spec=spec,
                digest=_digest(head, spec),
                file=self._file,
                lines=self._tree.lines.shifted(self._before),
            ),
            findings=tuple(self._report.findings),
        )

    def _close_unknown(self, value: yaml.Plain) -> Outcome:
        """What may be a document of ours, of a kind that cannot be made out."""
        namespace = ""
        if isinstance(value, dict) and not self._is_doubtful("metadata") and "items" not in value:
            metadata = value.get("metadata")
            plain = isinstance(metadata, dict) and metadata.keys() <= set(METADATA_FIELDS)
            namespace = affected.namespace_of(metadata, "default") if plain else ""
        broken = broken_document(namespace, self._report.locate(self._tree.lines[""]))
        return Outcome(broken=broken, findings=tuple(self._report.findings), nameless=True)

    def _read_ref(self, kind: registry.Kind, value: Mapping[str, yaml.Plain]) -> refs.Ref:
        """The reference, without a namespace where two are written or its items may have others."""
        ref = affected.ref_of(kind, value)
        unsure = self._is_doubtful("metadata") or (kind.ours and "items" in value)
        return refs.Ref(ref.group, ref.kind, "", ref.name) if unsure else ref

    def _is_doubtful(self, path: str) -> bool:
        """Whether something at or below `path` is written in a way that is not understood."""
        below = (path + ".", path + "[")
        return any(p.path == path or p.path.startswith(below) for p in self._tree.problems)

    def find_ours(self, namespace: str) -> Broken | None:
        value = self._tree.value
        head = recognition.read_head(value)
        if head is None or not isinstance(value, dict):
            return None
        kind, _ = recognition.recognise(*head)
        if kind is None or not kind.ours:
            return None
        ref = affected.ref_of(kind, value, namespace)
        if not ref.name:
            return None
        own = kind.kind in ("Model", "ModelVersion", "Rollout")
        return Broken(
            ref=ref,
            models=affected.models_of(kind, value, sure=True) if own else None,
            rejects=affected.rejected_versions(kind, value, sure=False),
        )

    def _report_problems(self) -> None:
        for problem in self._tree.problems:
            if problem.path != "status" and not problem.path.startswith(("status.", "status[")):
                self._report.fail_with(problem.path, problem.finding, problem.line)

    def _report_misspelled(self, path: str, version: str, name: str, suggestion: str) -> None:
        self._report.fail(
            "unknown-kind.misspelled", path, version=version, kind=name, suggestion=suggestion
        )

    def _report_foreign(self, version: str, name: str, suggestion: str) -> None:
        known = recognition.known_version(name)
        if suggestion:
            self._report_misspelled("kind", version, name, suggestion)
        elif known:
            self._report.add(
                "foreign-kind.version", "kind", version=version, kind=name, known=known
            )
        else:
            self._report.add("foreign-kind", "kind", version=version, kind=name)

    def _read_spec(self, kind: registry.Kind, value: Mapping[str, yaml.Plain]) -> BaseModel | None:
        prefix = "spec" if kind.body == "spec" else ""
        if kind.body == "body":
            content: yaml.Plain = {k: v for k, v in value.items() if k not in DOCUMENT_FIELDS}
        elif value.get("spec") is None:
            if kind.ours:
                self._report.fail("missing-field", "spec", field="spec")
                return None
            content = {}
        else:
            content = value["spec"]
        if not isinstance(content, dict):
            self._report.fail("invalid-field.mapping", "spec", field="spec")
            return None
        spec = self._validate_spec(kind, content, prefix)
        if isinstance(spec, kube.SecretSpec):
            self._check_base64(spec)
        return spec

    def _validate_spec(
        self, kind: registry.Kind, content: dict[str, yaml.Plain], prefix: str
    ) -> BaseModel | None:
        try:
            return _validate(kind, content)
        except ValidationError as error:
            if self._convert_words(error, content, prefix):
                try:
                    return _validate(kind, content)
                except ValidationError as again:
                    error = again
            secret = kind.kind == "Secret"
            for diagnosis in diagnose.diagnose(
                error, content, kind.spec, prefix=prefix, confidential=secret
            ):
                self._report.fail_with(diagnosis.path, diagnosis.finding)
            return None

    def _convert_words(
        self, error: ValidationError, content: dict[str, yaml.Plain], prefix: str
    ) -> bool:
        """Turns a bare `yes` or `off` into the boolean where a boolean is wanted; whether any."""
        changed = False
        for item in error.errors(include_url=False, include_context=False):
            if item["type"] not in ("bool_type", "literal_error"):
                continue
            if diagnose.join(prefix, item["loc"]) not in self._tree.words:
                continue
            here: yaml.Plain = content
            for step in item["loc"][:-1]:
                if isinstance(here, dict):
                    here = here.get(str(step))
                elif isinstance(here, list) and isinstance(step, int):
                    here = here[step]
            word = item["input"]
            if isinstance(here, dict) and isinstance(word, str):
                here[str(item["loc"][-1])] = yaml.BOOLEAN_WORDS[word]
                changed = True
        return changed

    def _check_base64(self, secret: kube.SecretSpec) -> None:
        for key, value in secret.data.items():
            try:
                base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                self._report.fail("invalid-field.base64", f"data.{key}", field=f"data.{key[:200]}")


def _validate(kind: registry.Kind, content: dict[str, yaml.Plain]) -> BaseModel:
    """As the API server would: from JSON, without conversions, under the documented names only.

    In Kubernetes' own kinds a null is an absent field: an API server writes `endpoints: null` for an
    EndpointSlice without any. In ours it stays a mistake.
    """
    if not kind.ours:
        content = {
            key: _without_nulls(value) for key, value in content.items() if value is not None
        }
    return kind.spec.model_validate_json(
        json.dumps(content), strict=True, by_alias=True, by_name=False
    )


def _without_nulls(value: yaml.Plain) -> yaml.Plain:
    """A value without the fields that are null; nulls in lists stay."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _digest(head: tuple[str, str], spec: BaseModel) -> str:
    """The digest of the content: a document with a default written out has the same digest.

    So a document has one digest in a folder and in a cluster that filled the defaults in.
    """
    content = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    document: dict[str, canonical.Json] = {"apiVersion": head[0], "kind": head[1], "spec": content}
    try:
        return canonical.digest(document)
    except ValueError:
        return canonical.digest(_canonical(document))


def _canonical(value: object) -> canonical.Json:
    """Numbers without a canonical form become text: they occur in foreign kinds only."""
    if isinstance(value, dict):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int) and abs(value) <= _MAX_SAFE_INTEGER:
        return value
    return str(value)
