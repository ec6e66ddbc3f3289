"""One tree to one document: its kind, its metadata, its spec, or what is wrong with them.

Follows `registry`: our own kinds are read strictly, Kubernetes' kinds as far as they matter here,
everything else is named in a finding and left alone. `status` is never read. A document of a known
kind that cannot be used becomes a `Broken`, so that nothing opens because it is missing; so does
everything that may be one of ours and is not understood (`resemblance`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from pydantic import BaseModel, ValidationError

from gatereeve.api import diagnose, kube, registry, resemblance, yaml
from gatereeve.api.world import AnyDoc, Broken, Doc, Meta, broken_document
from gatereeve.core import canonical, findings, refs

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_TOP = ("apiVersion", "kind", "metadata", "spec", "status")
_METADATA = (
    "name", "namespace", "labels", "annotations", "uid", "generation", "creationTimestamp",
    "resourceVersion", "generateName", "deletionTimestamp", "deletionGracePeriodSeconds",
    "finalizers", "ownerReferences", "managedFields", "selfLink",
)  # fmt: skip
_OURS_HINT = f"correct `apiVersion` and `kind` (`{refs.GATEREEVE_GROUP}/v1alpha1`), or move it out of the folder"
_MAX_SAFE_INTEGER = 2**53 - 1
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """At most one of doc and broken. nameless: a document was here whose name cannot be told."""

    doc: AnyDoc | None = None
    broken: Broken | None = None
    findings: tuple[findings.Finding, ...] = ()
    nameless: bool = False


def read(tree: yaml.Tree, file: str, before: int) -> Outcome:
    """The document in `tree`.

    file: "" for a document that stands in none; its findings then have no `where`.
    before: lines of the file above the text that the tree was read from.
    """
    return _Reading(tree, file, before).outcome()


def named(tree: yaml.Tree, namespace: str) -> Broken | None:
    """Which of our documents `tree` is, whatever else is wrong with it.

    namespace: of a document that names none in `tree`, which may be the part of it that is legible.
    """
    return _Reading(tree, "", 0).broken(namespace)


def is_told(ref: refs.Ref) -> bool:
    """Whether the name and the namespace of a document could be made out."""
    namespaced = registry.BY_KIND[ref.group, ref.kind].namespaced
    return bool(ref.name and (ref.namespace or not namespaced))


def ref_of(
    kind: registry.Kind, value: Mapping[str, yaml.Plain], namespace: str = "default"
) -> refs.Ref:
    """The reference of a document; name and namespace are "" where they cannot be made out."""
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    place = _place(kind, metadata, namespace)
    return refs.Ref(kind.group, kind.kind, place, name if isinstance(name, str) else "")


def _place(kind: registry.Kind, metadata: yaml.Plain, otherwise: str) -> str:
    """The namespace; `otherwise` only where it is plain that none was named."""
    if not kind.namespaced or not isinstance(metadata, dict):
        return ""
    misspelt = kind.ours and not metadata.keys() <= set(_METADATA)
    return _namespace_of(metadata, "" if misspelt else otherwise)


def _namespace_of(metadata: yaml.Plain, otherwise: str) -> str:
    """The namespace that is written; `otherwise` where none is, "" where it is none."""
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    if namespace is None or namespace == "":
        return otherwise
    return namespace if isinstance(namespace, str) and _LABEL.fullmatch(namespace) else ""


class _Reading:
    """One document while it is read: what is found is gathered, so that all of it is told."""

    def __init__(self, tree: yaml.Tree, file: str, before: int) -> None:
        self._tree = tree
        self._file = file
        self._before = before
        self._ref: refs.Ref | None = None
        self._findings: list[findings.Finding] = []
        self._failed = False

    def outcome(self) -> Outcome:
        value = self._tree.value
        if value is None and not self._tree.problems:
            return Outcome()
        head = _head(value)
        if head is None or not isinstance(value, dict):
            self._fail(
                "not-an-object",
                "",
                "this is no Kubernetes object",
                "it needs `apiVersion`, `kind` and `metadata.name`, as text; "
                "until then every model that it may concern is refused",
            )
            return self._not_understood(value)
        kind, doubt = _recognise(*head)
        if kind is None:
            like = "" if doubt else resemblance.of_ours(value)
            if like:
                self._fail("unknown-kind", "kind", f"{head[0]} {head[1]} {like}", _OURS_HINT)
            else:
                self._foreign(*head, doubt)
            if like or doubt:
                return self._not_understood(value)
            return Outcome(findings=tuple(self._findings))
        if kind.kind != "AccessPolicy" and resemblance.has_deny_rules(value):
            self._fail("unknown-kind", "kind", f"{head[1]} has no deny rules", _OURS_HINT)
            return self._not_understood(value)
        self._ref = self._named(kind, value)
        if doubt:
            path = "apiVersion" if kind.kind == head[1] else "kind"
            self._fail("unknown-kind", path, f"{head[0]} has no kind {head[1]}", doubt)
        self._problems()
        meta = self._meta(kind, value)
        spec = self._spec(kind, value)
        if self._failed or spec is None or meta is None:
            sure = not self._tree.problems
            broken = Broken(
                ref=self._ref,
                models=_models(kind, value, sure=sure),
                rejects=_rejects(kind, value, sure=sure),
                where=self._where(self._tree.lines[""]),
            )
            nameless = not is_told(self._ref)
            return Outcome(broken=broken, findings=tuple(self._findings), nameless=nameless)
        return Outcome(
            doc=Doc(
                ref=self._ref,
                meta=meta,
                spec=spec,
                digest=_digest(head, spec),
                file=self._file,
                lines=self._tree.lines.shifted(self._before),
            ),
            findings=tuple(self._findings),
        )

    def _not_understood(self, value: yaml.Plain) -> Outcome:
        """What may be a document of ours, of a kind that cannot be made out."""
        namespace = ""
        if isinstance(value, dict) and not self._doubts("metadata") and "items" not in value:
            metadata = value.get("metadata")
            plain = isinstance(metadata, dict) and metadata.keys() <= set(_METADATA)
            namespace = _namespace_of(metadata, "default") if plain else ""
        broken = broken_document(namespace, self._where(self._tree.lines[""]))
        return Outcome(broken=broken, findings=tuple(self._findings), nameless=True)

    def _named(self, kind: registry.Kind, value: Mapping[str, yaml.Plain]) -> refs.Ref:
        """The reference, without a namespace where two are written or its items may have others."""
        ref = ref_of(kind, value)
        unsure = self._doubts("metadata") or (kind.ours and "items" in value)
        return refs.Ref(ref.group, ref.kind, "", ref.name) if unsure else ref

    def _doubts(self, path: str) -> bool:
        """Whether something at or below `path` is written in a way that is not understood."""
        below = (path + ".", path + "[")
        return any(p.path == path or p.path.startswith(below) for p in self._tree.problems)

    def _where(self, line: int) -> refs.Where | None:
        return refs.Where(self._file, self._before + line) if self._file else None

    def broken(self, namespace: str) -> Broken | None:
        value = self._tree.value
        head = _head(value)
        if head is None or not isinstance(value, dict):
            return None
        kind, _ = _recognise(*head)
        if kind is None or not kind.ours:
            return None
        ref = ref_of(kind, value, namespace)
        if not ref.name:
            return None
        own = kind.kind in ("Model", "ModelVersion", "Rollout")
        return Broken(
            ref=ref,
            models=_models(kind, value, sure=True) if own else None,
            rejects=_rejects(kind, value, sure=False),
        )

    def _tell(self, code: str, path: str, message: str, hint: str, line: int | None = None) -> None:
        origin = refs.Origin(self._ref, path) if self._ref is not None else None
        while path and path not in self._tree.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        line = self._tree.lines[path] if line is None else line
        self._findings.append(
            findings.Finding(
                code=findings.FindingCode(code),
                message=message,
                hint=hint,
                origin=origin,
                where=self._where(line),
            )
        )

    def _fail(self, code: str, path: str, message: str, hint: str, line: int | None = None) -> None:
        self._failed = True
        self._tell(code, path, message, hint, line)

    def _problems(self) -> None:
        for problem in self._tree.problems:
            if problem.path != "status" and not problem.path.startswith(("status.", "status[")):
                self._fail(problem.code, problem.path, problem.message, problem.hint, problem.line)

    def _foreign(self, api_version: str, name: str, doubt: str) -> None:
        if doubt:
            self._fail("unknown-kind", "kind", f"{api_version} has no kind {name}", doubt)
        else:
            self._tell(
                "foreign-kind",
                "kind",
                f"{api_version} {name} is not read here",
                _foreign_hint(name),
            )

    def _meta(self, kind: registry.Kind, value: Mapping[str, yaml.Plain]) -> Meta | None:
        metadata = value.get("metadata")
        if not isinstance(metadata, dict):
            self._fail(
                "missing-field", "metadata", "`metadata` is required", "add `metadata:` with a name"
            )
            return None
        if kind.ours:
            self._unknown(value, _TOP, "")
            self._unknown(metadata, _METADATA, "metadata.")
        self._name(kind, metadata)
        self._namespace(kind, metadata)
        uid, generation = metadata.get("uid"), metadata.get("generation")
        return Meta(
            labels=self._texts(metadata, "labels"),
            annotations=self._texts(metadata, "annotations"),
            created=self._created(metadata),
            uid=uid if isinstance(uid, str) else "",
            generation=generation if isinstance(generation, int) else 0,
        )

    def _unknown(
        self, value: Mapping[str, yaml.Plain], known: tuple[str, ...], prefix: str
    ) -> None:
        for key in list(value.keys() - set(known))[: diagnose.MAX_DIAGNOSES]:
            near = diagnose.nearest(key, known)
            hint = (
                f"did you mean `{near}`?"
                if near
                else f"the fields here are: {', '.join(known[:5])}"
            )
            path = prefix + key
            self._fail("unknown-field", path, f"there is no field `{path[:200]}`", hint)

    def _name(self, kind: registry.Kind, metadata: Mapping[str, yaml.Plain]) -> None:
        name = metadata.get("name")
        if name is None:
            self._fail(
                "missing-field", "metadata.name", "`metadata.name` is required", "give it a name"
            )
            return
        grammar = _LABEL if kind.kind in ("Namespace", "Service") else _NAME
        if not isinstance(name, str) or not grammar.fullmatch(name):
            self._fail(
                "invalid-name",
                "metadata.name",
                f"{diagnose.shown(name)} is no name that Kubernetes accepts",
                "lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit"
                + ("; in quotes" if not isinstance(name, str) else ""),
            )

    def _namespace(self, kind: registry.Kind, metadata: Mapping[str, yaml.Plain]) -> None:
        namespace = metadata.get("namespace")
        if namespace is None or namespace == "":
            return
        if not kind.namespaced:
            self._fail(
                "invalid-name",
                "metadata.namespace",
                f"{kind.kind} is a cluster kind and has no namespace",
                "remove `metadata.namespace`",
            )
        elif not isinstance(namespace, str) or not _LABEL.fullmatch(namespace):
            self._fail(
                "invalid-name",
                "metadata.namespace",
                f"{diagnose.shown(namespace)} is no namespace that Kubernetes accepts",
                "lower-case letters, digits and `-`, at most 63 characters, as text",
            )

    def _texts(self, metadata: Mapping[str, yaml.Plain], key: str) -> Mapping[str, str]:
        given = metadata.get(key)
        if given is None:
            return _NO_TEXTS
        if not isinstance(given, dict):
            self._fail(
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
                self._fail(
                    "invalid-field",
                    path,
                    f"`{path[:200]}`: {diagnose.shown(value)} is not text",
                    f'put it in quotes: "{value}"'
                    if isinstance(value, bool | int | float)
                    else "write text",
                )
        return texts

    def _created(self, metadata: Mapping[str, yaml.Plain]) -> datetime | None:
        given = metadata.get("creationTimestamp")
        if given is None:
            return None
        try:
            created = datetime.fromisoformat(given if isinstance(given, str) else "")
        except ValueError:
            created = None
        if created is None or created.tzinfo is None:
            self._fail(
                "invalid-field",
                "metadata.creationTimestamp",
                f"{diagnose.shown(given)} is no time",
                "remove it; the API server sets it",
            )
        return created

    def _spec(self, kind: registry.Kind, value: Mapping[str, yaml.Plain]) -> BaseModel | None:
        prefix = "spec" if kind.body == "spec" else ""
        if kind.body == "body":
            content: yaml.Plain = {k: v for k, v in value.items() if k not in _TOP}
        elif value.get("spec") is None:
            if kind.ours:
                self._fail("missing-field", "spec", "`spec` is required", "add `spec:`")
                return None
            content = {}
        else:
            content = value["spec"]
        if not isinstance(content, dict):
            self._fail(
                "invalid-field", "spec", "`spec` is no mapping", "write `field: value` lines"
            )
            return None
        spec = self._validated(kind, content, prefix)
        if isinstance(spec, kube.SecretSpec):
            self._base64(spec)
        return spec

    def _validated(
        self, kind: registry.Kind, content: dict[str, yaml.Plain], prefix: str
    ) -> BaseModel | None:
        try:
            return _validate(kind, content)
        except ValidationError as error:
            if self._words_meant(error, content, prefix):
                try:
                    return _validate(kind, content)
                except ValidationError as again:
                    error = again
            secret = kind.kind == "Secret"
            for found in diagnose.diagnose(
                error, content, kind.spec, prefix=prefix, confidential=secret
            ):
                self._fail(found.code, found.path, found.message, found.hint)
            return None

    def _words_meant(
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

    def _base64(self, secret: kube.SecretSpec) -> None:
        for key, value in secret.data.items():
            try:
                base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                self._fail(
                    "invalid-field",
                    f"data.{key}",
                    f"`data.{key[:200]}` is not base64",
                    "encode it, or write it as it is under `stringData`",
                )


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


def _head(value: yaml.Plain) -> tuple[str, str] | None:
    """The apiVersion and kind of a mapping that has both."""
    if not isinstance(value, dict):
        return None
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str) or not api_version or not kind:
        return None
    return api_version, kind


def _recognise(api_version: str, name: str) -> tuple[registry.Kind | None, str]:
    """The kind that is meant, and what to write instead when it is not written so.

    None and "" for a kind that is nobody's business here; None and a hint for an unknown one of ours:
    it may be of any kind, whichever name is nearest.
    """
    group, _, version = api_version.rpartition("/")
    kind = registry.BY_KIND.get((group, name))
    if kind is not None:
        right = version in kind.versions
        return kind, "" if right else f"write `apiVersion: {_api_version(kind)}`"
    if (group, name) == (refs.GATEREEVE_GROUP, registry.GUARD_PARAMETERS.kind):
        return None, ""
    if group == refs.GATEREEVE_GROUP:
        names = [k.kind for k in registry.EVERY if k.ours]
        near = diagnose.nearest(name, names)
        if near is None:
            return None, f"the kinds of {api_version} are: {', '.join(names)}"
        sure = near == "AccessPolicy" or diagnose.nearest(name, (near,), cutoff=0.75) is not None
        meant = registry.BY_KIND[group, near] if sure else None
        return meant, f"did you mean `kind: {near}`?"
    other = next((k for k in registry.EVERY if k.kind == name), None)
    groups = {k.group for k in registry.EVERY if k.group}
    if (
        other is not None
        and other.group
        and diagnose.nearest(group, groups, cutoff=0.8) == other.group
    ):
        return other, f"write `apiVersion: {_api_version(other)}`"
    return None, ""


def _foreign_hint(name: str) -> str:
    same = next((k for k in registry.EVERY if k.kind == name), None)
    if same is not None:
        return f"it has no effect on the gate; the {name} that is read has {_api_version(same)}"
    return "nothing to do; it has no effect on the gate"


def _api_version(kind: registry.Kind) -> str:
    return f"{kind.group}/{kind.versions[0]}" if kind.group else kind.versions[0]


def _models(
    kind: registry.Kind, value: Mapping[str, yaml.Plain], *, sure: bool
) -> tuple[str, ...] | None:
    """The models a document speaks of; None when that cannot be made out.

    sure: every field that is there was read as it was written.
    """
    if not kind.ours or not kind.namespaced:
        return ()
    if not sure:
        return None
    spec = value.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    if kind.kind == "Model":
        ref = ref_of(kind, value)
        return (ref.name,) if ref.name else None
    if kind.kind in ("ModelVersion", "Rollout"):
        model = spec.get("model")
        return (model,) if isinstance(model, str) else None
    models = spec.get("models")
    if kind.kind != "AccessPolicy" or "selector" in spec or not isinstance(models, list):
        return None
    if any(diagnose.nearest(key, ("models", "selector")) for key in spec if key != "models"):
        return None
    names = tuple(name for name in models if isinstance(name, str))
    return names if names and len(names) == len(models) else None


def _rejects(
    kind: registry.Kind, value: Mapping[str, yaml.Plain], *, sure: bool
) -> tuple[str, ...] | None:
    """The ModelVersions that a broken Approval may have rejected; None for any.

    sure: every field that is there was read as it was written.
    """
    if kind.kind != "Approval" or not kind.ours:
        return ()
    spec = value.get("spec")
    if not sure or not isinstance(spec, dict):
        return None
    if spec.get("decision") == "approve":
        return ()
    subject = spec.get("subject")
    name = subject.get("name") if isinstance(subject, dict) else None
    return (name,) if isinstance(name, str) else None


def _digest(head: tuple[str, str], spec: BaseModel) -> str:
    """Of what the document says: a default written out is the same document.

    So a document has one digest in a folder and in a cluster that filled the defaults in.
    """
    content = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    said: dict[str, canonical.Json] = {"apiVersion": head[0], "kind": head[1], "spec": content}
    try:
        return canonical.digest(said)
    except ValueError:
        return canonical.digest(_canonical(said))


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
