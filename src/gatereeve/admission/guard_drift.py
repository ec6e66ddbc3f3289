"""Compares the installed guards with the guards that the documents require. Pure.

Admission policies cannot check admission objects, so a user with the right to change a guard could remove
it unnoticed. An installed guard may have additional fields only where the API server writes defaults
(DEFAULTS); an added exclusion is a change.
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
"""Fields that the API server sets, and their values."""

_NOT_COMPARED = frozenset(("metadata", "status", "apiVersion", "kind"))
_EMPTY: tuple[Json, ...] = ("", None, [], {})
"""Values that the API server omits."""
_MAX_SHOWN = 160
_BINDING = "ValidatingAdmissionPolicyBinding"


def find_drift(wanted: Iterable[Object], installed: Iterable[Object]) -> tuple[Finding, ...]:
    """Return findings about missing, changed and superfluous guards.

    installed: at least all objects of the kinds of `wanted`. The caBundle of a webhook is compared only if
    `wanted` has one, because controllers fill it in. If all guards were made for the same other
    namespaces, there is one finding.
    Findings: guard-missing, guard-changed, guard-stale, guard-superfluous.
    """
    guards = {ref_of(guard): guard for guard in wanted}
    objects = {ref_of(item): item for item in installed}
    problems: list[Finding] = []
    new, old = _find_namespaces(guards), _find_namespaces(objects)
    if new is not None and old is not None and new.all != old.all:
        objects = {ref: _update(item, guards.get(ref), old, new) for ref, item in objects.items()}
        problems.append(_make_stale_finding(new.all, old.all))
    for ref, guard in guards.items():
        if ref not in objects:
            problems.append(describe("guard-missing", refs.Origin(ref), guard=ref))
            continue
        path = next(_find_changes(guard, objects[ref]), None)
        if path is not None:
            origin = refs.Origin(ref, path[:_MAX_SHOWN])
            problems.append(describe("guard-changed", origin, guard=ref, place=path))
    controllers = next((guard["subjects"] for ref, guard in guards.items()
                        if ref.kind == "ClusterRoleBinding" and ref.name == KEEPER), None)  # fmt: skip
    problems += [
        describe("guard-superfluous", refs.Origin(ref), guard=ref, why=why)
        for ref, item in objects.items()
        # The chart gives roles to the controllers, too; those bindings are not guards.
        if ref not in guards and (controllers is None or item.get("subjects") != controllers)
        and (why := _describe_guard(item))
    ]  # fmt: skip
    return findings.order(problems)


@dataclass(frozen=True, slots=True)
class _Namespaces:
    """The namespaces for which guards were made. all: also that of the controllers, which has no guards."""

    all: frozenset[str]
    guarded: frozenset[str]


def _find_namespaces(objects: Mapping[refs.Ref, Object]) -> _Namespaces | None:
    """Read them from two bindings; None without these bindings."""
    others = guarded = None
    for ref, item in objects.items():
        if ref.kind == _BINDING:
            operator, names = _read_selector(item)
            if operator == "NotIn" and ref.name == "gatereeve-unguarded":
                others = names
            elif operator == "In" and ref.name == "gatereeve-approvals":
                guarded = names
    return None if others is None or guarded is None else _Namespaces(others, guarded)


def _get(item: Json, *path: str) -> Json:
    for key in path:
        item = item.get(key) if isinstance(item, Mapping) else None
    return item


def _read_selector(binding: Object) -> tuple[Json, frozenset[str]]:
    """Return operator and names of a binding's only condition on namespaces."""
    conditions = _get(binding, "spec", "matchResources", "namespaceSelector", "matchExpressions")
    if isinstance(conditions, list) and len(conditions) == 1 and isinstance(conditions[0], dict):
        values = conditions[0].get("values")
        names = frozenset(map(str, values)) if isinstance(values, list) else frozenset()
        return conditions[0].get("operator"), names
    return None, frozenset()


def _update(item: Object, wanted: Object | None, old: _Namespaces, new: _Namespaces) -> Object:
    """Return a binding for exactly the old namespaces with the new ones in their place."""
    if wanted is None or item.get("kind") != _BINDING:
        return item
    if (_read_selector(item), _read_selector(wanted)) not in (
        (("In", old.guarded), ("In", new.guarded)),
        (("NotIn", old.all), ("NotIn", new.all)),
    ) or old.all - old.guarded != new.all - new.guarded:
        return item
    spec = cast("Object", item["spec"])
    selector = _get(wanted, "spec", "matchResources", "namespaceSelector")
    matching = {**cast("Object", spec["matchResources"]), "namespaceSelector": selector}
    return {**item, "spec": {**spec, "matchResources": matching}}


def _make_stale_finding(new: frozenset[str], old: frozenset[str]) -> Finding:
    differences = [f"they lack {', '.join(sorted(new - old))}"] if new - old else []
    differences += [f"they still have {', '.join(sorted(old - new))}"] if old - new else []
    return describe("guard-stale", differences="; ".join(differences))


def is_guard(item: Object) -> bool:
    """Whether an installed object is one of the guards, or binds one of our roles."""
    return bool(_describe_guard(item))


def _describe_guard(item: Object) -> str:
    """Return why an object is a guard, or ""."""
    role = str(_get(item, "roleRef", "name"))
    if role.startswith("gatereeve-"):
        return f"gives the role {role}"
    labels = _get(item, "metadata", "labels")
    if isinstance(labels, Mapping) and MANAGED.items() <= labels.items():
        return "has the labels of guards"
    return ""


def _find_changes(wanted: Object, installed: Object) -> Iterator[str]:
    """Yield the paths of differences, in order."""
    for key in sorted({*wanted, *installed} - _NOT_COMPARED):
        yield from _compare(wanted.get(key), installed.get(key), key)
    for key, value in MANAGED.items():
        if _get(installed, "metadata", "labels", key) != value:
            yield f"metadata.labels.{key}"


def _compare(wanted: Json, installed: Json, path: str) -> Iterator[str]:
    if isinstance(wanted, Mapping) and isinstance(installed, Mapping):
        for key in sorted({*wanted, *installed}):
            yield from _compare_field(wanted, installed, key, f"{path}.{key}")
    elif isinstance(wanted, list | tuple) and isinstance(installed, list | tuple):
        if len(wanted) != len(installed):
            yield path
            return
        for number, (left, right) in enumerate(zip(wanted, installed, strict=True)):
            yield from _compare(left, right, f"{path}[{number}]")
    elif wanted != installed:
        yield path


def _compare_field(
    wanted: Mapping[str, Json], installed: Mapping[str, Json], key: str, path: str
) -> Iterator[str]:
    """Compare one field of an object; one side may not have it."""
    if key in wanted and key in installed:
        yield from _compare(wanted[key], installed[key], path)
    elif key in wanted:
        if wanted[key] not in _EMPTY:
            yield path
    elif key != "caBundle" and installed[key] not in DEFAULTS.get(key, ()):
        yield path


def ref_of(item: Object) -> refs.Ref:
    """Return the reference of an object."""
    group, _, _ = str(item.get("apiVersion", "")).rpartition("/")
    namespace, name = (str(_get(item, "metadata", key) or "") for key in ("namespace", "name"))
    return refs.Ref(group, str(item.get("kind", "")), namespace, name)
