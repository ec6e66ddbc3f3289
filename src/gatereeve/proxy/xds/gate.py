"""What one Gate is served: its snapshot, with the last good form of what a gate rejected.

`GateState` remembers three things beside the snapshot: what gates of this Gate acknowledged (`good`,
the two newest contents per name), what they rejected, and endpoints that came on the fast path. From
these `build_view` makes the `View` that sessions bring to the gates. Rejections count for all
replicas of a Gate, so that a gate which restarts, or a new one, starts with the last good.

Rules of the view (knowledge: xDS, last good; design P2):
1. Content that was rejected is not served again until it changes; the newest acknowledged content
   of that name stands in for it.
2. Routes and filter configurations of a listener whose new form was rejected stay at their last
   good form too: new routes under an old listener could miss a filter that protects them.
3. What a last good form needs is kept. While a listener, route or filter configuration is at
   its last good form, no cluster, endpoint or secret is removed.
4. Rejected content without a known good form is left alone: what a gate holds, it keeps.

No I/O and no clock. All methods are called from one event loop.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Final

from gatereeve.core import refs
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.proxy.xds.snapshot import CDS, ECDS, EDS, LDS, RDS, SDS, SRDS, TYPES

_GOOD_FORMS: Final = 2  # the newest may itself be rejected by another gate of the same Gate
_REFERRING: Final = (LDS, ECDS, SRDS, RDS)
_FROZEN_WITH_LISTENER: Final = frozenset({RDS, SRDS, ECDS})

Good = dict[snap.TypeUrl, dict[str, tuple[snap.Resource, ...]]]
"""Acknowledged contents per type and name, newest first, at most two."""

Rejected = dict[snap.TypeUrl, dict[str, frozenset[str]]]
"""Rejected versions per type and name."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TypeView:
    """One type as served. Compared by identity: an equal successor is the same object.

    suppressed: names whose content in the snapshot is not the content served.
    kept: those of them without a known good form; they are in `resources` under no content.
    """

    resources: snap.Resources
    versions: Mapping[str, str]
    suppressed: frozenset[str]
    kept: frozenset[str]
    version: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """What a gate is to hold: `version` is that of the snapshot it comes from."""

    version: refs.ConfigHash
    types: Mapping[snap.TypeUrl, TypeView]

    def is_whole(self) -> bool:
        """Whether everything in the snapshot is served as it stands there."""
        return not any(of_type.suppressed for of_type in self.types.values())


class GateState:
    """Everything remembered about one Gate; see the module."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.view: View | None = None
        self.snapshot: snap.Snapshot | None = None
        self._good: Good = {}
        self._rejected: Rejected = {}

    def publish(self, snapshot: snap.Snapshot) -> bool:
        """Serve a snapshot from now on; False when its content is what is served already."""
        before = self.view
        self.snapshot = snapshot
        self._rejected = _still_wanted(self._rejected, snapshot)
        self._rebuild()
        return self.view is not before

    def acknowledged(self, type_url: snap.TypeUrl, resources: Iterable[snap.Resource]) -> None:
        """Note what a gate accepted."""
        forms = self._good.setdefault(type_url, {})
        for resource in resources:
            old = forms.get(resource.name, ())
            if not old or old[0].version != resource.version:
                rest = (form for form in old if form.version != resource.version)
                forms[resource.name] = (resource, *rest)[:_GOOD_FORMS]

    def has_accepted(self, type_url: snap.TypeUrl, name: str, version: str) -> bool:
        """Whether a gate accepted this content, and none rejected it since."""
        forms = self._good.get(type_url, {}).get(name, ())
        return any(form.version == version for form in forms)

    def reject(self, type_url: snap.TypeUrl, versions: Mapping[str, str]) -> None:
        """Serve these contents (name → version) no more, until the snapshot has others."""
        rejected = self._rejected.setdefault(type_url, {})
        forms = self._good.setdefault(type_url, {})
        for name, version in versions.items():
            rejected[name] = rejected.get(name, frozenset()) | {version}
            forms[name] = tuple(form for form in forms.get(name, ()) if form.version != version)
        self._rebuild()

    @property
    def rejected(self) -> frozenset[snap.Need]:
        """What of the snapshot was rejected as it stands there."""
        return frozenset(
            (type_url, name)
            for type_url, versions in self._rejected.items()
            for name, bad in versions.items()
            if self.snapshot is not None
            and name in self.snapshot.of(type_url)
            and self.snapshot.of(type_url)[name].version in bad
        )

    def settled(self) -> None:
        """A gate holds all of the view: nothing refers any more to what is not in it."""
        if self.view is None:
            return
        for type_url, forms in self._good.items():
            for name in forms.keys() - self.view.types[type_url].versions.keys():
                del forms[name]

    def last_good(self) -> snap.Snapshot | None:
        """What is served now, for keeping over a restart: the last good form of each resource."""
        if self.view is None:
            return None
        return snap.Snapshot(
            version=self.view.version,
            resources={
                type_url: {
                    name: self._good.get(type_url, {}).get(name, (resource,))[0]
                    for name, resource in of_type.resources.items()
                    if self._good.get(type_url, {}).get(name)
                }
                for type_url, of_type in self.view.types.items()
            },
        )

    def remember(self, last_good: snap.Snapshot) -> None:
        """Take over what gates had acknowledged before this process began."""
        for type_url, resources in last_good.resources.items():
            forms = self._good.setdefault(type_url, {})
            for name, resource in resources.items():
                forms.setdefault(name, (resource,))

    def _rebuild(self) -> None:
        if self.snapshot is None:
            return
        self.view = build_view(
            self.snapshot.version,
            self.snapshot.resources,
            self._good,
            self._rejected,
            before=self.view,
        )


def build_view(
    version: refs.ConfigHash,
    wanted: Mapping[snap.TypeUrl, snap.Resources],
    good: Good,
    rejected: Rejected,
    *,
    before: View | None,
) -> View:
    """What to serve of `wanted`; the steps are the rules of the module.

    Returns `before` itself when nothing differs, and its TypeViews where a type does not differ.
    """
    served: dict[snap.TypeUrl, dict[str, snap.Resource]] = {}
    suppressed: dict[snap.TypeUrl, set[str]] = {}
    for type_url, versions in rejected.items():  # 1
        _stand_in(type_url, versions, wanted, good, served, suppressed)
    frozen = {  # 2
        need
        for listener in suppressed.get(LDS, ())
        for form in good.get(LDS, {}).get(listener, ())[:1]
        for need in form.needs
        if need[0] in _FROZEN_WITH_LISTENER
    }
    for type_url, name in frozen:
        forms = good.get(type_url, {}).get(name)
        current = wanted.get(type_url, {}).get(name)
        if forms and (current is None or forms[0].version != current.version):
            _copy(served, wanted, type_url)[name] = forms[0]
            suppressed.setdefault(type_url, set()).add(name)
    _keep_needed(wanted, good, served, suppressed)  # 3
    types = {
        type_url: _type_view(
            served.get(type_url, wanted.get(type_url, {})),
            suppressed.get(type_url, set()),
            before.types[type_url] if before else None,
        )
        for type_url in TYPES
    }
    if before and before.version == version and all(types[t] is before.types[t] for t in TYPES):
        return before
    return View(version=version, types=types)


def _copy(
    served: dict[snap.TypeUrl, dict[str, snap.Resource]],
    wanted: Mapping[snap.TypeUrl, snap.Resources],
    type_url: snap.TypeUrl,
) -> dict[str, snap.Resource]:
    if type_url not in served:
        served[type_url] = dict(wanted.get(type_url, {}))
    return served[type_url]


def _stand_in(
    type_url: snap.TypeUrl,
    versions: Mapping[str, frozenset[str]],
    wanted: Mapping[snap.TypeUrl, snap.Resources],
    good: Good,
    served: dict[snap.TypeUrl, dict[str, snap.Resource]],
    suppressed: dict[snap.TypeUrl, set[str]],
) -> None:
    for name, bad in versions.items():
        current = wanted.get(type_url, {}).get(name)
        if current is None or current.version not in bad:
            continue
        suppressed.setdefault(type_url, set()).add(name)
        forms = good.get(type_url, {}).get(name)
        if forms:
            _copy(served, wanted, type_url)[name] = forms[0]
        else:
            del _copy(served, wanted, type_url)[name]


def _keep_needed(
    wanted: Mapping[snap.TypeUrl, snap.Resources],
    good: Good,
    served: dict[snap.TypeUrl, dict[str, snap.Resource]],
    suppressed: Mapping[snap.TypeUrl, set[str]],
) -> None:
    keep: set[snap.Need] = set()
    if any(suppressed.get(type_url) for type_url in _REFERRING):
        keep.update(
            (type_url, name) for type_url in (CDS, EDS, SDS) for name in good.get(type_url, {})
        )
    for type_url, names in suppressed.items():
        for name in names:
            for form in good.get(type_url, {}).get(name, ())[:1]:
                keep.update(form.needs)
    for type_url, name in keep:
        forms = good.get(type_url, {}).get(name)
        if forms and name not in wanted.get(type_url, {}):
            _copy(served, wanted, type_url)[name] = forms[0]


def _type_view(
    resources: snap.Resources, suppressed: set[str], before: TypeView | None
) -> TypeView:
    if before and before.resources is resources and before.suppressed == suppressed:
        return before
    versions = {name: resource.version for name, resource in resources.items()}
    if before and before.versions == versions and before.suppressed == suppressed:
        return before
    return TypeView(
        resources=resources,
        versions=versions,
        suppressed=frozenset(suppressed),
        kept=frozenset(name for name in suppressed if name not in versions),
        version=snap.type_version(resources),
    )


def _still_wanted(rejected: Rejected, snapshot: snap.Snapshot) -> Rejected:
    """The rejections that still concern the snapshot: those of the content it has."""
    return {
        type_url: {
            name: bad
            for name, bad in names.items()
            if name in snapshot.of(type_url) and snapshot.of(type_url)[name].version in bad
        }
        for type_url, names in rejected.items()
    }
