"""Documents of governance that cannot be read, and the models and versions that they close.

Closed on doubt (P2), by one rule. A document that may be a policy or rollout and cannot be read
closes the models that it may be about: those that it names if they exist, else all of its namespace,
and if that is not known, every model. An approval closes the versions that it may reject. A policy
whose deny rules name or select no model is such a document too: its author meant another model.

In a folder, a namespace with no other document counts as not known: it may be misspelled. A deny
rule for a Model that only other namespaces have may be meant for those too. In a cluster the API
server knows the namespace. Before this rule, last good documents replace those that cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gatereeve.api.world import AccessPolicyDoc, ApprovalDoc, Key, World
from gatereeve.core.findings import Finding
from gatereeve.core.report import finding

ANYWHERE = ""
"""As a namespace or name: it is not known, so it may be any."""

_POLICIES = frozenset({"AccessPolicy", "Rollout", ""})
_TABLES = ("models", "model_versions", "services", "endpoint_slices", "ingresses", "http_routes")
"""Documents that show that a namespace exists. Not Secrets: a namespace may hold only a Gate's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """By (namespace, name), either of them ANYWHERE: what documents that cannot be read may be about.

    models: names of Models, with why a policy or rollout may be about them. versions: names of
    ModelVersion documents, with the approval that may reject them. more: names of Models, with a
    ModelVersion of theirs that cannot be read: without a Rollout they may have several versions.
    """

    models: Mapping[Key, str]
    versions: Mapping[Key, str]
    more: Mapping[Key, str]

    def about_more_versions(self, namespace: str, name: str) -> str | None:
        """Why a Model may have one more version than can be read."""
        return _look_up(self.more, namespace, name)

    def about_model(self, namespace: str, name: str) -> str | None:
        """Why an unreadable document may be about a Model; None if there is no such document."""
        return _look_up(self.models, namespace, name)

    def about_version(self, namespace: str, name: str) -> str | None:
        """The document that may reject a ModelVersion."""
        return _look_up(self.versions, namespace, name)


@dataclass(frozen=True, slots=True)
class UnreadableModels:
    """What unreadable documents may be about, and findings about policies that name no model."""

    unreadable: Unreadable
    findings: tuple[Finding, ...]


def find_unreadable(
    world: World, astray: Iterable[AccessPolicyDoc], rejecting: Iterable[ApprovalDoc]
) -> UnreadableModels:
    """Return what is refused because of documents that cannot be read.

    astray: policies that name a Model which does not exist, or select none. rejecting: rejections of
    a version that does not exist. Of several documents about one thing, the first is named.
    """
    denying = [doc for doc in astray if _may_deny(doc)]
    places = UnreadableScopes(world)
    models: dict[Key, str] = {}
    versions: dict[Key, str] = {}
    more: dict[Key, str] = {}
    for item in world.broken:
        namespace = places.namespace(item.ref.namespace, in_folder=item.where is not None)
        if item.ref.kind in _POLICIES:
            names = places.models_named(namespace, item.models)
            _note(models, namespace, names, f"{item.called} cannot be read")
        elif item.ref.kind == "ModelVersion":
            names = places.models_named(namespace, item.models)
            _note(more, namespace, names, f"{item.called} cannot be read")
        elif item.ref.kind == "Approval":
            names = places.versions_named(namespace, item.rejects)
            _note(versions, namespace, names, item.called)
    findings = [
        _note_astray(models, places, doc)
        for doc in denying
        if places.models_named(doc.ref.namespace, doc.spec.models) is None
    ]
    for approval in rejecting:
        for key in places.versions_of(approval.spec.subject.digest):
            versions.setdefault(key, str(approval.ref))
    return UnreadableModels(
        Unreadable(models=models, versions=versions, more=more), tuple(findings)
    )


def _may_deny(doc: AccessPolicyDoc) -> bool:
    """Whether the policy has deny rules; one without any rule may have been cut off."""
    spec = doc.spec
    return spec.mode == "enforce" and bool(spec.deny or not spec.allow)


class UnreadableScopes:
    """What exists in a World, whether it can be read or not."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._models = {*world.models, *_unreadable(world, "Model")}
        self._versions = {*world.model_versions, *_unreadable(world, "ModelVersion")}
        self.namespaces = {name for _, name in world.namespaces}
        for table in _TABLES:
            self.namespaces.update(namespace for namespace, _ in getattr(world, table))
        self.namespaces.update(namespace for namespace, _ in self._models | self._versions)

    def namespace(self, namespace: str, *, in_folder: bool) -> str:
        """The namespace, or ANYWHERE when it may be a misspelled one."""
        return ANYWHERE if in_folder and namespace not in self.namespaces else namespace

    def models_named(self, namespace: str, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """The names, if there is a Model for each of them; None: it may be every Model."""
        return _existing(self._models, namespace, names)

    def versions_named(
        self, namespace: str, names: tuple[str, ...] | None
    ) -> tuple[str, ...] | None:
        """The names, if there is a ModelVersion for each of them; None: it may be every one."""
        return _existing(self._versions, namespace, names)

    def versions_of(self, digest: str) -> list[Key]:
        return [key for key, doc in self._world.model_versions.items() if doc.digest == digest]


def _unreadable(world: World, kind: str) -> set[Key]:
    return {(b.ref.namespace, b.ref.name) for b in world.broken if b.ref.kind == kind}


def _existing(
    known: set[Key], namespace: str, names: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    if names is None:
        return None
    here = {name for place, name in known if namespace in (ANYWHERE, place)}
    return names if here.issuperset(names) else None


def _note_astray(models: dict[Key, str], places: UnreadableScopes, doc: AccessPolicyDoc) -> Finding:
    """A policy that denies callers on Models which its namespace does not have."""
    namespace = places.namespace(doc.ref.namespace, in_folder=bool(doc.file))
    why = f"{doc.ref} denies callers on no Model that exists"
    _note(models, namespace, None, why)
    elsewhere = places.models_named(ANYWHERE, doc.spec.models) if doc.file else None
    if namespace != ANYWHERE and elsewhere is not None:
        _note(models, ANYWHERE, elsewhere, why)
    return _astray(doc, namespace, elsewhere or ())


def _astray(doc: AccessPolicyDoc, namespace: str, elsewhere: tuple[str, ...]) -> Finding:
    places = f"namespace {namespace}" if namespace else "every namespace of the folder"
    if namespace and elsewhere:
        places += f", and of other namespaces those named {', '.join(elsewhere)},"
    path = "spec.models" if doc.spec.models is not None else "spec.selector"
    return finding(
        doc, "deny-matches-nothing.policy", path, namespace=doc.ref.namespace, places=places
    )


def _note(reasons: dict[Key, str], namespace: str, names: tuple[str, ...] | None, why: str) -> None:
    for name in (ANYWHERE,) if names is None else names:
        reasons.setdefault((namespace, name), why)


def _look_up(reasons: Mapping[Key, str], namespace: str, name: str) -> str | None:
    if not reasons:
        return None
    places = ((n, m) for n in (namespace, ANYWHERE) for m in (name, ANYWHERE))
    return next((reasons[place] for place in places if place in reasons), None)
