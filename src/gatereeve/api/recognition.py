"""Which kind an `apiVersion` and a `kind` mean, also where they are misspelled."""

from __future__ import annotations

from gatereeve.api import diagnose, registry
from gatereeve.api.yaml import Plain
from gatereeve.core import refs


def read_head(value: Plain) -> tuple[str, str] | None:
    """The apiVersion and kind of a mapping that has both."""
    if not isinstance(value, dict):
        return None
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str) or not api_version or not kind:
        return None
    return api_version, kind


def recognise(api_version: str, name: str) -> tuple[registry.Kind | None, str]:
    """The kind that is meant, and a hint if it is misspelled.

    None and "" for a kind that is not read here. None and a hint for an unknown kind of our group: the
    document may be of any kind.
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


def foreign_hint(name: str) -> str:
    """The hint for an object of a kind that is not read."""
    same = next((k for k in registry.EVERY if k.kind == name), None)
    if same is not None:
        return f"it has no effect on the gate; the {name} that is read has {_api_version(same)}"
    return "nothing to do; it has no effect on the gate"


def _api_version(kind: registry.Kind) -> str:
    return f"{kind.group}/{kind.versions[0]}" if kind.group else kind.versions[0]
