"""Drift: the guards that are installed, compared with those that the documents ask for. Pure.

Admission policies cannot look at admission objects, so whoever may change a guard can take it away
unseen; this is how it is seen. An installed guard may say more only where the API server itself
writes defaults (DEFAULTS): an exclusion that somebody added is a change like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from gatereeve.admission.guards.roles import KEEPER
from gatereeve.admission.guards.settings import MANAGED, Object
from gatereeve.core import findings, refs
from gatereeve.core.canonical import Json
from gatereeve.core.findings import Finding
from gatereeve.core.report import describe

DEFAULTS: dict[str, tuple[Json, ...]] = {
    "namespaceSelector": ({},),
    "objectSelector": ({},),
    "matchPolicy": ("Equivalent",),
    "scope": ("*",),
    "reinvocationPolicy": ("Never",),
    "apiGroup": ("", "rbac.authorization.k8s.io"),
    "port": (443,),
}
"""Fields that the API server fills in, and with what."""

_WATCHED = ("metadata", "status", "apiVersion", "kind")
_NOTHING: tuple[Json, ...] = ("", None, [], {})
"""What the API server leaves out."""
_MAX_SHOWN = 160
_BINDING = "ValidatingAdmissionPolicyBinding"


def drift(wanted: Iterable[Object], installed: Iterable[Object]) -> tuple[Finding, ...]:
    """What is missing, changed or superfluous among the installed guards.

    installed: at least every object of the kinds of `wanted`; others are no harm. A webhook's
    caBundle counts only where `wanted` says one: whoever issues certificates fills it in.
    Guards that were made for other namespaces, all for the same, leave no gap and are one finding.
    Findings: guard-missing, guard-changed, guard-stale, guard-superfluous.
    """
    asked = {ref_of(one): one for one in wanted}
    there = {ref_of(one): one for one in installed}
    found: list[Finding] = []
    now, then = _known(asked), _known(there)
    if now is not None and then is not None and now.all != then.all:
        there = {ref: _as_of(one, asked.get(ref), then, now) for ref, one in there.items()}
        found.append(_stale(now.all, then.all))
    for ref, one in asked.items():
        if ref not in there:
            found.append(describe("guard-missing", refs.Origin(ref), guard=ref))
            continue
        place = next(_changes(one, there[ref]), None)
        if place is not None:
            found.append(
                describe(
                    "guard-changed", refs.Origin(ref, place[:_MAX_SHOWN]), guard=ref, place=place
                )
            )
    controllers = next((one["subjects"] for ref, one in asked.items()
                        if ref.kind == "ClusterRoleBinding" and ref.name == KEEPER), None)  # fmt: skip
    found += [
        describe("guard-superfluous", refs.Origin(ref), guard=ref, why=why)
        for ref, one in there.items()
        if ref not in asked and not _is_for(one, controllers) and (why := _is_ours(one))
    ]
    return findings.order(found)


@dataclass(frozen=True, slots=True)
class _Namespaces:
    """For which namespaces guards were made. all: those, and ours, which no guard looks at."""

    all: frozenset[str]
    guarded: frozenset[str]


def _known(objects: Mapping[refs.Ref, Object]) -> _Namespaces | None:
    """As the binding for all others says it, and any that is in force; None without those."""
    others = guarded = None
    for ref, one in objects.items():
        if ref.kind == _BINDING:
            operator, names = _selected(one)
            if operator == "NotIn" and ref.name == "gatereeve-unguarded":
                others = names
            elif operator == "In" and ref.name == "gatereeve-approvals":
                guarded = names
    return None if others is None or guarded is None else _Namespaces(others, guarded)


def _selected(binding: Object) -> tuple[Json, frozenset[str]]:
    """Operator and names of a binding's one condition on namespaces."""
    spec = binding.get("spec")
    resources = spec.get("matchResources") if isinstance(spec, Mapping) else None
    selector = resources.get("namespaceSelector") if isinstance(resources, Mapping) else None
    conditions = selector.get("matchExpressions") if isinstance(selector, Mapping) else None
    if isinstance(conditions, list) and len(conditions) == 1 and isinstance(conditions[0], dict):
        values = conditions[0].get("values")
        names = frozenset(map(str, values)) if isinstance(values, list) else frozenset()
        return conditions[0].get("operator"), names
    return None, frozenset()


def _as_of(one: Object, wanted: Object | None, then: _Namespaces, now: _Namespaces) -> Object:
    """A binding for exactly the namespaces of then, as it would be for those of now."""
    if wanted is None or one.get("kind") != _BINDING:
        return one
    before, after = _selected(one), _selected(wanted)
    if (before, after) not in (
        (("In", then.guarded), ("In", now.guarded)),
        (("NotIn", then.all), ("NotIn", now.all)),
    ) or then.all - then.guarded != now.all - now.guarded:
        return one
    spec, asked = cast("Object", one["spec"]), cast("Object", wanted["spec"])
    selector = cast("Object", asked["matchResources"])["namespaceSelector"]
    matching = {**cast("Object", spec["matchResources"]), "namespaceSelector": selector}
    return {**one, "spec": {**spec, "matchResources": matching}}


def _stale(now: frozenset[str], then: frozenset[str]) -> Finding:
    differences = [f"they lack {', '.join(sorted(now - then))}"] if now - then else []
    differences += [f"they still have {', '.join(sorted(then - now))}"] if then - now else []
    return describe("guard-stale", differences="; ".join(differences))


def _is_for(one: Object, controllers: Json) -> bool:
    """Whether it binds nobody but the controllers: what the chart gives them is no guard of people."""
    return controllers is not None and one.get("subjects") == controllers


def is_guard(one: Object) -> bool:
    """Whether an installed object is one of the guards, or gives one of our roles."""
    return bool(_is_ours(one))


def _is_ours(one: Object) -> str:
    """Why an object that nobody asked for matters; "" when it does not."""
    role = one.get("roleRef")
    if isinstance(role, Mapping) and str(role.get("name", "")).startswith("gatereeve-"):
        return f"gives the role {role['name']}"
    metadata = one.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    if isinstance(labels, Mapping) and MANAGED.items() <= labels.items():
        return "is labelled as one of the guards"
    return ""


def _changes(wanted: Object, installed: Object) -> Iterator[str]:
    """Places at which they differ, in order."""
    for key in sorted({*wanted, *installed} - set(_WATCHED)):
        yield from _differences(wanted.get(key), installed.get(key), key)
    for key, value in MANAGED.items():
        metadata = installed.get("metadata")
        labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
        if not isinstance(labels, Mapping) or labels.get(key) != value:
            yield f"metadata.labels.{key}"


def _differences(wanted: Json, installed: Json, path: str) -> Iterator[str]:
    if isinstance(wanted, Mapping) and isinstance(installed, Mapping):
        for key in sorted({*wanted, *installed}):
            yield from _in_field(wanted, installed, key, f"{path}.{key}")
    elif isinstance(wanted, list | tuple) and isinstance(installed, list | tuple):
        if len(wanted) != len(installed):
            yield path
            return
        for number, (one, other) in enumerate(zip(wanted, installed, strict=True)):
            yield from _differences(one, other, f"{path}[{number}]")
    elif wanted != installed:
        yield path


def _in_field(
    wanted: Mapping[str, Json], installed: Mapping[str, Json], key: str, place: str
) -> Iterator[str]:
    """One field of an object, of which one side may know nothing."""
    if key in wanted and key in installed:
        yield from _differences(wanted[key], installed[key], place)
    elif key in wanted:
        if wanted[key] not in _NOTHING:
            yield place
    elif key != "caBundle" and installed[key] not in DEFAULTS.get(key, ()):
        yield place


def ref_of(one: Object) -> refs.Ref:
    """Which object it is."""
    group, _, _ = str(one.get("apiVersion", "")).rpartition("/")
    metadata = one.get("metadata")
    told = metadata if isinstance(metadata, Mapping) else {}
    return refs.Ref(
        group, str(one.get("kind", "")), str(told.get("namespace") or ""), str(told.get("name", ""))
    )
