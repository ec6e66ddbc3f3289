"""The examined objects by kind, and the kinds that could not be examined.

An object with two copies (a dump and a manifest) counts once, as in the first file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gatereeve.api.plain_objects import RawDoc
from gatereeve.cluster_audit.kinds import ALIASES, KINDS, NOT_EXAMINED, GroupKind
from gatereeve.core.refs import Ref

NOT_LISTED = "no object and no empty list of it"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inventory:
    """docs: by kind, sorted by reference. seen: the number of objects by kind, for listed kinds.

    unseen: kinds that were not listed, and why. not_examined: objects that may expose Services in ways
    that are not examined. others: the number of objects of other kinds.
    """

    docs: Mapping[GroupKind, tuple[RawDoc, ...]]
    seen: Mapping[str, int]
    unseen: Mapping[str, str]
    not_examined: tuple[RawDoc, ...]
    others: Mapping[str, int]

    def of(self, *keys: GroupKind) -> tuple[RawDoc, ...]:
        """Return the objects of these kinds."""
        return tuple(doc for key in keys for doc in self.docs.get(key, ()))

    def is_listed(self, kind: str) -> bool:
        """Whether all objects of the kind are known."""
        return kind in self.seen


def make_inventory(
    docs: Iterable[RawDoc], *, listed: Iterable[str] = (), refused: Mapping[str, str] | None = None
) -> Inventory:
    """Sort objects by kind.

    listed: kinds, plurals or resources (`ingresses.networking.k8s.io`) that were listed completely.
    refused: kinds that could not be listed, and why.
    """
    known = {kind.key for kind in KINDS}
    by_kind: defaultdict[GroupKind, dict[Ref, RawDoc]] = defaultdict(dict)
    not_examined: dict[Ref, RawDoc] = {}
    others: Counter[str] = Counter()
    for doc in docs:
        key = (doc.ref.group, doc.ref.kind)
        key = ALIASES.get(key, key)
        if key in known:
            by_kind[key].setdefault(doc.ref, doc)
        elif key in NOT_EXAMINED:
            not_examined.setdefault(doc.ref, doc)
        else:
            others[doc.ref.kind] += 1
    names = {name.lower() for name in listed}
    seen: dict[str, int] = {}
    unseen: dict[str, str] = {}
    for kind in KINDS:
        objects = by_kind.get(kind.key, {})
        if refused is not None and kind.kind in refused:
            unseen[kind.kind] = refused[kind.kind]
        elif objects or names & {kind.kind.lower(), kind.plural, kind.resource}:
            seen[kind.kind] = len(objects)
        else:
            unseen[kind.kind] = NOT_LISTED
    unseen |= {kind: why for kind, why in (refused or {}).items() if kind not in unseen}
    return Inventory(
        docs={key: tuple(d for _, d in sorted(docs.items())) for key, docs in by_kind.items()},
        seen=seen,
        unseen=unseen,
        not_examined=tuple(doc for _, doc in sorted(not_examined.items())),
        others=dict(sorted(others.items())),
    )
