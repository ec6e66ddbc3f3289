"""Whether something that is not a document of ours may be meant as one.

A deny rule that is written under a wrong group or kind would deny nothing, and without a finding. So
an object that looks like ours and is not read closes every model that it may be about
(`world.broken_document`). Pure; reads plain trees.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping

from gatereeve.api import diagnose, registry
from gatereeve.api.yaml import Plain
from gatereeve.core.refs import GATEREEVE_GROUP

_PRODUCT = GATEREEVE_GROUP.partition(".")[0]
_GROUP_CUTOFF = 0.75
_MAX_LOOKED_AT = 100_000
"""Values of one foreign document; what is larger is of another program."""

_TARGETS = frozenset({"models", "selector"})


def of_ours(value: Mapping[str, Plain]) -> str:
    """Why an object of another group, or an unread kind of ours, may be meant as ours; "" if not.

    The sentence goes on after the object's name. Looked at are its group, its kind, the fields of
    its spec, and the objects inside it (a list or template of another kind).
    """
    version, kind = value.get("apiVersion"), value.get("kind")
    if isinstance(version, str) and is_our_group(version):
        # GuardParameters are ours and written by `gatereeve guards`; no World holds them.
        return "" if kind == registry.GUARD_PARAMETERS.kind else "is written like a kind of ours"
    if isinstance(kind, str) and isinstance(version, str):
        if kind.casefold() == "list":
            return "is a List of which the items cannot be made out"
        spec = value.get("spec")
        ours = _our_kind(kind)
        if ours is not None and ("/" not in version or _has_only_fields_of(spec, ours)):
            return f"is written like {ours.kind} of {GATEREEVE_GROUP}"
        if has_deny_rules(value):
            return "has deny rules like an AccessPolicy"
    if any(map(_is_inner, _objects_inside(value))):
        return f"holds documents of {GATEREEVE_GROUP}, which are read at the top only"
    return ""


def has_deny_rules(value: Mapping[str, Plain]) -> bool:
    """Whether an object that is read as another kind has fields that only an AccessPolicy has."""
    spec = value.get("spec")
    return isinstance(spec, dict) and "deny" in spec and bool(spec.keys() & _TARGETS)


def is_our_group(api_version: str) -> bool:
    """Whether an apiVersion is of our group, or misspells it."""
    plain = unicodedata.normalize("NFKC", api_version).casefold().strip()
    if _PRODUCT in plain:
        return True
    group = plain.partition("/")[0]
    return diagnose.nearest(group, (GATEREEVE_GROUP,), cutoff=_GROUP_CUTOFF) is not None


def _our_kind(kind: str) -> registry.Kind | None:
    """Our kind of that name, however its letters are spelled."""
    plain = "".join(filter(str.isalnum, unicodedata.normalize("NFKC", kind))).casefold()
    return next((k for k in registry.KINDS if k.ours and k.kind.casefold() == plain), None)


def _has_only_fields_of(spec: Plain, kind: registry.Kind) -> bool:
    known = {field.alias or name for name, field in kind.spec.model_fields.items()}
    return isinstance(spec, dict) and bool(spec) and spec.keys() <= known


def _is_inner(value: Mapping[str, Plain]) -> bool:
    version = value.get("apiVersion")
    ours = isinstance(version, str) and is_our_group(version)
    return ours and ("spec" in value or "metadata" in value)


def _objects_inside(value: Mapping[str, Plain]) -> Iterator[Mapping[str, Plain]]:
    """Every mapping below `value`, itself left out; the first _MAX_LOOKED_AT values."""
    waiting: list[Plain] = list(value.values())
    for _ in range(_MAX_LOOKED_AT):
        if not waiting:
            return
        here = waiting.pop()
        if isinstance(here, dict):
            yield here
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
