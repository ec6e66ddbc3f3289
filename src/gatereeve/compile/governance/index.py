"""Documents of governance by the model they speak of, in shards that keep their identity.

A World has one mapping per kind; a model's plan reads a few documents of each. `index_governance` sorts them
by model, kind by kind, and cuts each kind into the same fixed number of shards. A shard of one kind
is the same object as long as its documents are, so one changed document costs the sorting of its
kind and one shard, whatever the number of models.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from gatereeve.api.world import (
    AccessPolicyDoc,
    ApprovalDoc,
    Doc,
    Key,
    ModelDoc,
    ModelVersionDoc,
    RolloutDoc,
    World,
)
from gatereeve.compile.governance.access import policies_for
from gatereeve.compile.governance.unreadable import Unreadable, find_unreadable
from gatereeve.compile.report import finding
from gatereeve.core.findings import Finding
from gatereeve.core.memo import Memo

SHARDS = 128
_AT_ONCE = 64

D_co = TypeVar("D_co", bound=Doc[object], covariant=True)
_D = TypeVar("_D", bound=Doc[object])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part(Generic[D_co]):
    """One kind's documents in one shard, by model, in key order. Equal by identity: a memo key."""

    docs: Mapping[Key, tuple[D_co, ...]]

    def of(self, model: Key) -> tuple[D_co, ...]:
        return self.docs.get(model, ())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sorted(Generic[D_co]):
    """One kind. parts: by shard number. astray: documents that name something which does not exist.
    findings: about those."""

    parts: tuple[Part[D_co], ...]
    astray: tuple[D_co, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BySelector:
    """Policies with a selector, by namespace: only they must be held against every model."""

    docs: Mapping[str, tuple[AccessPolicyDoc, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The documents of some models. Equal, and hashed, by the identity of its parts: a memo key.

    naming: policies that name a model.
    """

    models: Part[ModelDoc]
    versions: Part[ModelVersionDoc]
    approvals: Part[ApprovalDoc]
    naming: Part[AccessPolicyDoc]
    rollouts: Part[RolloutDoc]
    selecting: BySelector


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernanceIndex:
    """Documents of governance by the model they speak of, and what of them cannot be read."""

    shards: tuple[Shard, ...]
    doubts: Unreadable
    findings: tuple[Finding, ...]


def index_governance(world: World, memo: Memo | None = None) -> GovernanceIndex:
    """The documents of governance, sorted; kinds that did not change are taken from the memo.

    approvals are keyed by (namespace, model) through the version they name.
    Findings: model-not-found, version-not-found and policy-matches-nothing for documents that
    speak of nothing.
    """
    memo = memo or Memo()
    models = tuple(world.models.values())
    versions = tuple(world.model_versions.values())
    policies = tuple(world.access_policies.values())
    approvals = tuple(world.approvals.values())
    rollouts = tuple(world.rollouts.values())
    by_model = memo.get(("gather.models", models), partial(_models, models, memo))
    known = memo.get(("gather.known", by_model), partial(_known, by_model))
    selectors = tuple(policy for policy in policies if policy.spec.models is None)
    selecting = memo.get(("gather.selecting", selectors), partial(_selecting, selectors))
    of_versions = memo.get(
        ("gather.versions", versions, known), partial(_versions, versions, known, memo)
    )
    of_approvals = memo.get(
        ("gather.approvals", approvals, versions, known),
        partial(_approvals, approvals, versions, known, memo),
    )
    of_policies = memo.get(
        ("gather.naming", policies, known), partial(_naming, policies, known, memo)
    )
    of_rollouts = memo.get(
        ("gather.rollouts", rollouts, known), partial(_rollouts, rollouts, known, memo)
    )
    idle = memo.get(("gather.idle", selecting, models), partial(_idle, selecting, models))
    doubt = find_unreadable(
        world,
        (*of_policies.astray, *idle),
        (doc for doc in of_approvals.astray if doc.spec.decision == "reject"),
    )
    doubts = memo.get(("gather.doubts", doubt.models, doubt.versions, doubt.more), doubt.doubts)
    return GovernanceIndex(
        shards=tuple(
            Shard(
                models=by_model.parts[number],
                versions=of_versions.parts[number],
                approvals=of_approvals.parts[number],
                naming=of_policies.parts[number],
                rollouts=of_rollouts.parts[number],
                selecting=selecting,
            )
            for number in range(SHARDS)
        ),
        doubts=doubts,
        findings=(
            *of_versions.findings,
            *of_approvals.findings,
            *of_policies.findings,
            *of_rollouts.findings,
            *map(_selects_nothing, idle),
            *doubt.findings,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Known:
    """The models that exist: the number of each one's shard. Equal by identity."""

    numbers: Mapping[Key, int]


def _known(models: Sorted[ModelDoc]) -> _Known:
    return _Known(
        numbers={key: number for number, part in enumerate(models.parts) for key in part.docs}
    )


class _Sorter(Generic[_D]):
    """Documents of one kind on their way into shards. Those of models that do not exist stay out."""

    def __init__(self, known: _Known) -> None:
        self.findings: list[Finding] = []
        self.astray: list[_D] = []
        self._numbers = known.numbers
        self._shards: list[dict[Key, tuple[_D, ...]]] = [{} for _ in range(SHARDS)]

    def put(self, doc: _D, model: str, path: str) -> None:
        """One document about `model`, as `path` says."""
        key = (doc.ref.namespace, model)
        number = self._numbers.get(key)
        if number is None:
            self.astray.append(doc)
            self.findings.append(_missing_model(doc, path, model))
            return
        shard = self._shards[number]
        there = shard.get(key, ())
        if not there or there[-1] is not doc:  # a policy may name a model twice
            shard[key] = (*there, doc)

    def sorted(self, kind: str, memo: Memo) -> Sorted[_D]:
        return Sorted(
            parts=_parts(kind, self._shards, memo),
            astray=tuple(dict.fromkeys(self.astray)),
            findings=tuple(self.findings),
        )


def _parts(kind: str, shards: list[dict[Key, tuple[_D, ...]]], memo: Memo) -> tuple[Part[_D], ...]:
    memo = memo.part(("gather", kind))
    return tuple(
        memo.get((number, *docs.items()), partial(_part, docs))
        for number, docs in enumerate(shards)
    )


def _part(docs: Mapping[Key, tuple[_D, ...]]) -> Part[_D]:
    return Part(docs=docs)


def _models(docs: tuple[ModelDoc, ...], memo: Memo) -> Sorted[ModelDoc]:
    shards: list[dict[Key, tuple[ModelDoc, ...]]] = [{} for _ in range(SHARDS)]
    for doc in docs:
        namespace, name = doc.ref.namespace, doc.ref.name
        number = zlib.crc32(f"{namespace}/{name}".encode()) % SHARDS
        shards[number][namespace, name] = (doc,)
    return Sorted(parts=_parts("models", shards, memo), astray=(), findings=())


def _versions(
    docs: tuple[ModelVersionDoc, ...], known: _Known, memo: Memo
) -> Sorted[ModelVersionDoc]:
    sorter: _Sorter[ModelVersionDoc] = _Sorter(known)
    for doc in docs:
        sorter.put(doc, doc.spec.model, "spec.model")
    return sorter.sorted("versions", memo)


def _rollouts(docs: tuple[RolloutDoc, ...], known: _Known, memo: Memo) -> Sorted[RolloutDoc]:
    sorter: _Sorter[RolloutDoc] = _Sorter(known)
    for doc in docs:
        sorter.put(doc, doc.spec.model, "spec.model")
    return sorter.sorted("rollouts", memo)


def _approvals(
    docs: tuple[ApprovalDoc, ...],
    versions: tuple[ModelVersionDoc, ...],
    known: _Known,
    memo: Memo,
) -> Sorted[ApprovalDoc]:
    sorter: _Sorter[ApprovalDoc] = _Sorter(known)
    model_of = {(v.ref.namespace, v.ref.name): v.spec.model for v in versions} if docs else {}
    for doc in docs:
        namespace, name = doc.ref.namespace, doc.spec.subject.name
        model = model_of.get((namespace, name))
        if model is None:
            sorter.astray.append(doc)
            sorter.findings.append(
                finding(doc, "version-not-found", "spec.subject.name",
                        f"there is no ModelVersion {namespace}/{name}",
                        "an approval stands in the namespace of the version it names")
            )  # fmt: skip
        elif (namespace, model) in known.numbers:  # else the version's own finding says it
            sorter.put(doc, model, "spec.subject.name")
    return sorter.sorted("approvals", memo)


def _naming(
    docs: tuple[AccessPolicyDoc, ...], known: _Known, memo: Memo
) -> Sorted[AccessPolicyDoc]:
    sorter: _Sorter[AccessPolicyDoc] = _Sorter(known)
    part = memo.part("gather.names")
    for start in range(0, len(docs), _AT_ONCE):
        some = docs[start : start + _AT_ONCE]
        for doc, name, path in part.get(some, partial(_names, some)):
            sorter.put(doc, name, path)
    return sorter.sorted("naming", memo)


def _names(docs: tuple[AccessPolicyDoc, ...]) -> tuple[tuple[AccessPolicyDoc, str, str], ...]:
    return tuple(
        (doc, name, f"spec.models[{index}]")
        for doc in docs
        for index, name in enumerate(doc.spec.models or ())
    )


def _selecting(docs: tuple[AccessPolicyDoc, ...]) -> BySelector:
    found: defaultdict[str, list[AccessPolicyDoc]] = defaultdict(list)
    for doc in docs:
        found[doc.ref.namespace].append(doc)
    return BySelector(docs={namespace: tuple(policies) for namespace, policies in found.items()})


def _idle(selecting: BySelector, models: tuple[ModelDoc, ...]) -> tuple[AccessPolicyDoc, ...]:
    """Policies whose selector matches no Model of their namespace."""
    by_namespace: defaultdict[str, list[ModelDoc]] = defaultdict(list)
    for model in models:
        if model.ref.namespace in selecting.docs:
            by_namespace[model.ref.namespace].append(model)
    return tuple(
        policy
        for namespace, policies in selecting.docs.items()
        for policy in policies
        if not any(policies_for(model, (policy,)) for model in by_namespace[namespace])
    )


def _selects_nothing(policy: AccessPolicyDoc) -> Finding:
    return finding(policy, "policy-matches-nothing", "spec.selector",
                   f"the selector matches no Model in namespace {policy.ref.namespace}",
                   "label a Model so, or correct the selector; until then the policy says nothing")  # fmt: skip


def _missing_model(doc: Doc[object], path: str, name: str) -> Finding:
    return finding(doc, "model-not-found", path, f"there is no Model {doc.ref.namespace}/{name}",
                   "create the Model in the same namespace, or correct the name")  # fmt: skip
