"""Drift: the guards that are installed, compared with those that the documents ask for. Pure.

Admission policies cannot look at admission objects, so whoever may change a guard can take it away
unseen; this is how it is seen. An installed guard may say more only where the API server itself
writes defaults (DEFAULTS): an exclusion that somebody added is a change like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gatereeve.admission.guards.settings import MANAGED, Object
from gatereeve.core import findings, refs
from gatereeve.core.canonical import Json
from gatereeve.core.findings import Finding, FindingCode

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


def drift(wanted: Iterable[Object], installed: Iterable[Object]) -> tuple[Finding, ...]:
    """What is missing, changed or superfluous among the installed guards.

    installed: at least every object of the kinds of `wanted`; others are no harm. A webhook's
    caBundle counts only where `wanted` says one: whoever issues certificates fills it in.
    Findings: guard-missing, guard-changed, guard-superfluous.
    """
    asked = {_ref(one): one for one in wanted}
    there = {_ref(one): one for one in installed}
    found: list[Finding] = []
    for ref, one in asked.items():
        if ref not in there:
            found.append(
                _finding("guard-missing", ref, "", f"{ref} is not in the cluster",
                         "apply the guards: `gatereeve guards … | kubectl apply -f -`")
            )  # fmt: skip
            continue
        place = next(_changes(one, there[ref]), None)
        if place is not None:
            found.append(
                _finding("guard-changed", ref, place, f"{ref} differs from what the documents ask for at {place}",
                         "find out who changed it (the API server's audit log knows), and apply the guards again")
            )  # fmt: skip
    found += [
        _finding("guard-superfluous", ref, "", f"{ref} {why}, and the documents do not ask for it",
                 "delete it, or name the people in a Gate or HostGrant")
        for ref, one in there.items()
        if ref not in asked and (why := _is_ours(one))
    ]  # fmt: skip
    return findings.order(found)


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


def _ref(one: Object) -> refs.Ref:
    group, _, _ = str(one.get("apiVersion", "")).rpartition("/")
    metadata = one.get("metadata")
    told = metadata if isinstance(metadata, Mapping) else {}
    return refs.Ref(
        group, str(one.get("kind", "")), str(told.get("namespace") or ""), str(told.get("name", ""))
    )


def _finding(code: str, ref: refs.Ref, path: str, message: str, hint: str) -> Finding:
    return Finding(
        code=FindingCode(code),
        message=message,
        hint=hint,
        origin=refs.Origin(ref, path[:_MAX_SHOWN]),
    )
