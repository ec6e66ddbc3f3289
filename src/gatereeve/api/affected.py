"""The reference of a document that cannot be used, and the models that it may concern.

Of a tree that is not a valid document (`models_of`, `rejected_versions`), and of a valid one that may not
be used (`broken_form`).
"""

from __future__ import annotations

from collections.abc import Mapping

from gatereeve.api import diagnose, governance, registry
from gatereeve.api.metadata import LABEL, METADATA_FIELDS
from gatereeve.api.world import AnyDoc, Broken
from gatereeve.api.yaml import Plain
from gatereeve.core import refs


def ref_of(kind: registry.Kind, value: Mapping[str, Plain], namespace: str = "default") -> refs.Ref:
    """The reference of a document; name and namespace are "" where they cannot be made out."""
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    namespace_ = _namespace(kind, metadata, namespace)
    return refs.Ref(kind.group, kind.kind, namespace_, name if isinstance(name, str) else "")


def _namespace(kind: registry.Kind, metadata: Plain, otherwise: str) -> str:
    """The namespace; `otherwise` only where it is plain that none was named."""
    if not kind.namespaced or not isinstance(metadata, dict):
        return ""
    misspelt = kind.ours and not metadata.keys() <= set(METADATA_FIELDS)
    return namespace_of(metadata, "" if misspelt else otherwise)


def namespace_of(metadata: Plain, otherwise: str) -> str:
    """The namespace that is written; `otherwise` where none is, "" where it is none."""
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    if namespace is None or namespace == "":
        return otherwise
    return namespace if isinstance(namespace, str) and LABEL.fullmatch(namespace) else ""


def models_of(
    kind: registry.Kind, value: Mapping[str, Plain], *, sure: bool
) -> tuple[str, ...] | None:
    """The models that a document is about; None when they are not known.

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


def rejected_versions(
    kind: registry.Kind, value: Mapping[str, Plain], *, sure: bool
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


def broken_form(doc: AnyDoc) -> Broken:
    """What a usable document that may not be used could have spoken of."""
    spec = doc.spec
    models: tuple[str, ...] | None = ()
    rejects: tuple[str, ...] = ()
    if isinstance(spec, governance.ModelSpec):
        models = (doc.ref.name,)
    elif isinstance(spec, governance.ModelVersionSpec | governance.RolloutSpec):
        models = (spec.model,)
    elif isinstance(spec, governance.AccessPolicySpec):
        models = spec.models
    elif isinstance(spec, governance.ApprovalSpec):
        models = None
        rejects = (spec.subject.name,) if spec.decision == "reject" else ()
    return Broken(ref=doc.ref, models=models, rejects=rejects, where=doc.where())
