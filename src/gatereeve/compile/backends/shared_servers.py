"""Models that share a server: a body may choose between them only when their policies are equal.

The gate reads the model's name in a body as strict JSON, the last of two equal keys. A server may
read the first, or `Model`, and then another of its models answers than the one that was governed
(docs/decisions/0058). So models that share a server with an OpenAI model are held to one policy.
Models of other protocols are distinguished by the path, which has one meaning (`core.plain_values`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from gatereeve.api.world import Key, ModelVersionDoc
from gatereeve.compile.backends import addresses
from gatereeve.compile.digests import combine, value_hash
from gatereeve.compile.governance.model_policy import ModelPolicy
from gatereeve.core.derived import Derived, Reader, Stage, Table
from gatereeve.core.findings import Finding
from gatereeve.core.refs import PolicyHash, Ref
from gatereeve.core.report import finding
from gatereeve.ir.access import Rule

Shared = Mapping[tuple[str, addresses.Server], tuple[ModelVersionDoc, ...]]
"""Servers, by namespace, behind which versions of several models stand, ready or not, with those versions."""


Place: TypeAlias = tuple[str, addresses.Server]
"""A server of a namespace."""


class ModelPlace(NamedTuple):
    """A server that a model shares, and those of its versions that stand behind it."""

    place: Place
    versions: tuple[ModelVersionDoc, ...]


def by_model(shared: Shared) -> Iterator[tuple[Key, ModelPlace]]:
    """Each shared server, once for each of its models."""
    for place, versions in shared.items():
        of_model: defaultdict[Key, list[ModelVersionDoc]] = defaultdict(list)
        for version in versions:
            of_model[_model(version)].append(version)
        for key, its_versions in of_model.items():
            yield key, ModelPlace(place, tuple(its_versions))


class SeparatedPolicies(Stage):
    """The policies of one gate, where models that share a server with unequal policies refuse every
    request. Findings in the rows: shared-server.

    A model that has versions there and no readable Model document has no policy that could be equal.
    """

    def __init__(
        self,
        policies: Table[Key, ModelPolicy],
        shared: Table[Place, tuple[ModelVersionDoc, ...]],
        places: Table[Key, tuple[ModelPlace, ...]],
    ) -> None:
        self._evaluated = policies
        self._shared = shared
        self._places = places
        self._speaks_openai = Derived(self._find_openai)
        self._terms = Derived(self._make_terms)
        self._unequal = Derived(self._compare)
        self.policies = Derived(self._separate)

    def update(self) -> None:
        """Follow the policies."""
        self._speaks_openai.update(self._places)
        self._terms.update(self._places)
        self._unequal.update(self._shared)
        self.policies.update(self._evaluated)

    def _find_openai(self, key: Key, read: Reader) -> bool:
        policy = read.get(self._evaluated, key)
        return policy is not None and policy.protocol == "openai"

    def _make_terms(self, key: Key, read: Reader) -> Mapping[Ref, str]:
        """By ModelVersion, a digest of everything that must be equal; nothing without a policy."""
        policy = read.get(self._evaluated, key)
        if policy is None:
            return {}
        versions = (v for _, its in read.get(self._places, key) or () for v in its)
        return {
            version.ref: value_hash(_policy(policy, version)) for version in dict.fromkeys(versions)
        }

    def _compare(self, place: Place, read: Reader) -> tuple[str, ...]:
        """The models of a server whose policies differ, by name; none when they are equal."""
        versions = read.row(self._shared, place)
        keys = dict.fromkeys(map(_model, versions))
        speaks_openai = read.mapping(self._speaks_openai)
        if not any(speaks_openai.get(key) for key in keys):
            return ()
        of_models = read.mapping(self._terms)
        terms_of = {key: of_models.get(key, {}) for key in keys}
        terms = {terms_of[_model(version)].get(version.ref, "") for version in versions}
        if len(terms) == 1 and "" not in terms:
            return ()
        return tuple(sorted("/".join(key) for key in keys))

    def _separate(self, key: Key, read: Reader) -> ModelPolicy:
        policy = read.row(self._evaluated, key)
        reasons = [
            (f"{address}:{port}", ", ".join(name for name in names if name != policy.doc.ref.short))
            for place, _ in read.get(self._places, key) or ()
            for _, (address, port) in [place]
            if (names := read.get(self._unequal, place))
        ]
        return _refused(policy, *min(reasons)) if reasons else policy


def _model(version: ModelVersionDoc) -> Key:
    return version.ref.namespace, version.spec.model


def _policy(model_policy: ModelPolicy, version: ModelVersionDoc) -> tuple[object, ...]:
    """Everything that must be equal: who may do what, what is recorded, where, and whether at all."""
    access, spec = model_policy.access, model_policy.doc.spec
    sides = (access.deny, access.allow, access.shadow_deny, access.shadow_allow)
    return (
        tuple(tuple(_rule(rule) for rule in rules) for rules in sides),
        model_policy.refuse,
        spec.risk_class,
        spec.audit,
        spec.residency,
        version.spec.region,
        any(candidate.doc is version for candidate in model_policy.candidates),
    )


def _rule(rule: Rule) -> tuple[object, ...]:
    return rule.subjects, rule.regions, rule.purposes, rule.operations, rule.limit


def _refused(model_policy: ModelPolicy, place: str, rest: str) -> ModelPolicy:
    problem: Finding = finding(
        model_policy.doc,
        "shared-server",
        "spec",
        model=model_policy.doc.ref.short,
        server=place,
        others=rest,
    )
    return replace(
        model_policy,
        refuse=model_policy.refuse or "no-eligible-version",
        policy=PolicyHash(combine([model_policy.policy, "shared-server"])),
        findings=(*model_policy.findings, problem),
    )
