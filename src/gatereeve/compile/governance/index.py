"""Documents of governance by the model that they name, and what of them names nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

from gatereeve.api.world import (
    AccessPolicyDoc,
    ApprovalDoc,
    Doc,
    Key,
)
from gatereeve.compile.governance.access import policies_for
from gatereeve.compile.governance.people import People, gather_people
from gatereeve.compile.governance.unreadable import Unreadable, UnreadableModels, find_unreadable
from gatereeve.compile.world_tables import WorldTables, by_namespace, group_by
from gatereeve.core.derived import Computed, Derived, Grouped, Reader, Stage
from gatereeve.core.findings import Finding
from gatereeve.core.report import finding


class Check(NamedTuple):
    """What one document names that does not exist. names_nothing: its author meant something else.

    models: those that it names or selects.
    """

    doc: Doc[object]
    findings: tuple[Finding, ...]
    names_nothing: bool
    models: tuple[str, ...] = ()


class UnreadableAbout(NamedTuple):
    """Why a document that cannot be read may concern a Model, and may be one more version of it."""

    model: str | None
    versions: str | None


class GovernanceIndex(Stage):
    """Tables of governance that hold for every gate.

    versions, policies, rollouts: by model. approvals: by ModelVersion. selecting: policies with a
    selector, by namespace. Findings: model-not-found, version-not-found, policy-matches-nothing.
    """

    def __init__(self, world: WorldTables) -> None:
        self._world = world
        self.versions = group_by(world.model_versions, lambda v: (v.ref.namespace, v.spec.model))
        self.approvals = group_by(world.approvals, lambda a: (a.ref.namespace, a.spec.subject.name))
        self.rollouts = group_by(world.rollouts, lambda r: (r.ref.namespace, r.spec.model))
        self.policies: Grouped[Key, AccessPolicyDoc] = Grouped(world.access_policies, _named)
        self.selecting: Grouped[str, AccessPolicyDoc] = Grouped(world.access_policies, _selecting)
        self.models_in = by_namespace(world.models)
        self.checked_versions = Derived(self._check_version)
        self.checked_approvals = Derived(self._check_approval)
        self.checked_policies = Derived(self._check_policy)
        self.checked_rollouts = Derived(self._check_rollout)
        self._stray_policies = Grouped(self.checked_policies, _strays)
        self._stray_approvals = Grouped(self.checked_approvals, _strays)
        self.unreadable = Computed(self._find_unreadable)
        self.unreadable_about = Derived(self._about_model)
        self.unreadable_versions = Derived(self._about_version)
        self.people: Computed[People] = Computed(lambda read: gather_people(world.read(read)))

    def update(self) -> None:
        """Follow the World."""
        world = self._world
        for grouped in (
            self.versions, self.approvals, self.rollouts, self.policies, self.selecting,
            self.models_in,
        ):  # fmt: skip
            grouped.update()
        self.checked_versions.update(world.model_versions)
        self.checked_approvals.update(world.approvals)
        self.checked_policies.update(world.access_policies)
        self.checked_rollouts.update(world.rollouts)
        self._stray_policies.update()
        self._stray_approvals.update()
        self.unreadable.update()
        self.unreadable_about.update(world.models)
        self.unreadable_versions.update(world.model_versions)
        self.people.update()

    def _check_version(self, key: Key, read: Reader) -> Check:
        doc = read.row(self._world.model_versions, key)
        return self._check(read, doc, [("spec.model", doc.spec.model)])

    def _check_rollout(self, key: Key, read: Reader) -> Check:
        doc = read.row(self._world.rollouts, key)
        return self._check(read, doc, [("spec.model", doc.spec.model)])

    def _check_approval(self, key: Key, read: Reader) -> Check:
        doc = read.row(self._world.approvals, key)
        subject = (doc.ref.namespace, doc.spec.subject.name)
        if read.get(self._world.model_versions, subject) is not None:
            return Check(doc, (), names_nothing=False)
        problem = finding(
            doc, "version-not-found", "spec.subject.name", version=f"{subject[0]}/{subject[1]}"
        )
        return Check(doc, (problem,), names_nothing=doc.spec.decision == "reject")

    def _check_policy(self, key: Key, read: Reader) -> Check:
        doc = read.row(self._world.access_policies, key)
        if doc.spec.models is not None:
            names = [(f"spec.models[{n}]", name) for n, name in enumerate(doc.spec.models)]
            return self._check(read, doc, names)
        models = read.get(self.models_in, doc.ref.namespace) or ()
        selected = tuple(model.ref.name for model in models if policies_for(model, (doc,)))
        if selected:
            return Check(doc, (), names_nothing=False, models=selected)
        problem = finding(
            doc, "policy-matches-nothing", "spec.selector", namespace=doc.ref.namespace
        )
        return Check(doc, (problem,), names_nothing=True)

    def _check(self, read: Reader, doc: Doc[object], named: Iterable[tuple[str, str]]) -> Check:
        """Whether the Models that a document names exist. named: paths and names."""
        findings, models = [], []
        for path, name in named:
            if read.get(self._world.models, (doc.ref.namespace, name)) is not None:
                models.append(name)
                continue
            findings.append(
                finding(doc, "model-not-found", path, model=f"{doc.ref.namespace}/{name}")
            )
        return Check(doc, tuple(findings), names_nothing=bool(findings), models=tuple(models))

    def _find_unreadable(self, read: Reader) -> UnreadableModels:
        broken = read.value(self._world.broken)
        policies = read.get(self._stray_policies, "") or ()
        approvals = read.get(self._stray_approvals, "") or ()
        if not (broken or policies or approvals):
            return UnreadableModels(Unreadable(models={}, versions={}, more={}), ())
        return find_unreadable(
            self._world.read(read),
            cast("tuple[AccessPolicyDoc, ...]", policies),
            cast("tuple[ApprovalDoc, ...]", approvals),
        )

    def _about_model(self, key: Key, read: Reader) -> UnreadableAbout:
        unreadable = read.value(self.unreadable).unreadable
        return UnreadableAbout(unreadable.about_model(*key), unreadable.about_more_versions(*key))

    def _about_version(self, key: Key, read: Reader) -> str | None:
        return read.value(self.unreadable).unreadable.about_version(*key)


def _named(doc: AccessPolicyDoc) -> list[tuple[Key, AccessPolicyDoc]]:
    return [((doc.ref.namespace, name), doc) for name in dict.fromkeys(doc.spec.models or ())]


def _selecting(doc: AccessPolicyDoc) -> list[tuple[str, AccessPolicyDoc]]:
    return [(doc.ref.namespace, doc)] if doc.spec.models is None else []


def _strays(check: Check) -> list[tuple[str, Doc[object]]]:
    return [("", check.doc)] if check.names_nothing else []
