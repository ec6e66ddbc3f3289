"""What there is to look at, sorted by kind, and what there is not: an audit says both.

An object that is there twice (a dump and a manifest) counts once, the first by file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gatereeve.api.plain_objects import RawDoc
from gatereeve.cluster_audit.kinds import ALIASES, KINDS, NOT_EXAMINED, GroupKind
from gatereeve.core.refs import Ref

NONE_THERE = "no object and no empty list of it"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inventory:
    """docs: by kind, in order of their references. seen: how many of each kind that was listed.

    unseen: kinds of which nothing is known, and why. not_examined: objects of kinds that expose
    things in ways that are not followed. others: how many objects of any other kind were passed by.
    """

    docs: Mapping[GroupKind, tuple[RawDoc, ...]]
    seen: Mapping[str, int]
    unseen: Mapping[str, str]
    not_examined: tuple[RawDoc, ...]
    others: Mapping[str, int]

    def of(self, *keys: GroupKind) -> tuple[RawDoc, ...]:
        """The objects of these kinds."""
        return tuple(doc for key in keys for doc in self.docs.get(key, ()))

    def is_listed(self, kind: str) -> bool:
        """Whether it is known which objects of the kind there are, none included."""
        return kind in self.seen


def gather(
    docs: Iterable[RawDoc], *, listed: Iterable[str] = (), refused: Mapping[str, str] | None = None
) -> Inventory:
    """Sorts `docs`.

    listed: kinds, plurals or resources (`ingresses.networking.k8s.io`) that were listed, so that
    none of them means none. refused: kinds that could not be listed, and why.
    """
    known = {kind.key for kind in KINDS}
    found: defaultdict[GroupKind, dict[Ref, RawDoc]] = defaultdict(dict)
    apart: dict[Ref, RawDoc] = {}
    others: Counter[str] = Counter()
    for doc in docs:
        key = (doc.ref.group, doc.ref.kind)
        key = ALIASES.get(key, key)
        if key in known:
            found[key].setdefault(doc.ref, doc)
        elif key in NOT_EXAMINED:
            apart.setdefault(doc.ref, doc)
        else:
            others[doc.ref.kind] += 1
    names = {name.lower() for name in listed}
    seen: dict[str, int] = {}
    unseen: dict[str, str] = {}
    for kind in KINDS:
        there = found.get(kind.key, {})
        if refused is not None and kind.kind in refused:
            unseen[kind.kind] = refused[kind.kind]
        elif there or names & {kind.kind.lower(), kind.plural, kind.resource}:
            seen[kind.kind] = len(there)
        else:
            unseen[kind.kind] = NONE_THERE
    unseen |= {kind: why for kind, why in (refused or {}).items() if kind not in unseen}
    return Inventory(
        docs={key: tuple(d for _, d in sorted(there.items())) for key, there in found.items()},
        seen=seen,
        unseen=unseen,
        not_examined=tuple(doc for _, doc in sorted(apart.items())),
        others=dict(sorted(others.items())),
    )
