"""Who may claim which host and path: HostGrants, looked up by namespace.

A namespace claims nothing without a grant, for every kind of backend. A grant of a host grants that
name; `*.suffix` grants the wildcard and every name beneath it; `*` grants every host, and is the
only one that grants the catch-all. Paths are prefixes by whole segments.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple, TypeAlias

from gatereeve.api.governance import LabelSelector
from gatereeve.api.world import HostGrantDoc, Key, NamespaceDoc
from gatereeve.compile.routes import grammar
from gatereeve.compile.world_tables import WorldTables
from gatereeve.core.derived import Computed, Derived, Reader, Source, Stage
from gatereeve.core.findings import Finding
from gatereeve.core.report import finding
from gatereeve.ir.routes import PathMatch

NAME_LABEL = "kubernetes.io/metadata.name"


class GrantedNamespaces(NamedTuple):
    """A path prefix, and the HostGrant that gives it."""

    path: str
    grant: HostGrantDoc


_Paths: TypeAlias = tuple[GrantedNamespaces, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGrantMatch:
    """What some grants give.

    exact: host to what is given there. suffixes: `suffix` of `*.suffix` likewise. any: of `*`.
    """

    exact: Mapping[str, _Paths]
    suffixes: Mapping[str, _Paths]
    any: _Paths

    def on(self, host: str) -> _Paths:
        """The paths that these grants allow on `host` (a name, `*.suffix` or `*`)."""
        if host == "*":
            return self.any
        granted = [*self.any, *self.exact.get(host, ())]
        rest = host.removeprefix("*.")
        if host != rest:
            granted += self.suffixes.get(rest, ())
        while "." in rest:
            rest = rest.split(".", 1)[1]
            granted += self.suffixes.get(rest, ())
        return tuple(granted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What one namespace may claim: by its labels, and by grants to everybody."""

    own: HostGrantMatch
    everybody: HostGrantMatch

    def has_host(self, host: str) -> bool:
        """Whether some path of `host` is granted."""
        return bool(self.own.on(host) or self.everybody.on(host))

    def covering(self, host: str, path: PathMatch) -> tuple[HostGrantDoc, ...]:
        """The grants of `path` on `host`, by name; none: it may not be claimed.

        A pattern is covered by a grant of every path only.
        """
        grants = {
            grant
            for prefix, grant in (*self.own.on(host), *self.everybody.on(host))
            if prefix == "/"
            or (path.kind != "regex" and grammar.is_under(path.value.rstrip("/") or "/", prefix))
        }
        return tuple(sorted(grants, key=attrgetter("ref")))


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantIndex:
    """All HostGrants, by one of the labels that they ask for.

    everybody: what those with `all: true` give; everywhere: those themselves.
    """

    by_label: Mapping[tuple[str, str], tuple[HostGrantDoc, ...]]
    everybody: HostGrantMatch
    everywhere: tuple[HostGrantDoc, ...]
    findings: tuple[Finding, ...]


class GrantTables(Stage):
    """What HostGrants give, by namespace.

    index: one row. selecting: the HostGrants that select a namespace. grants: what it may claim.
    Findings: path-refused, grant-overlap.
    """

    def __init__(self, world: WorldTables) -> None:
        self._world = world
        self._in_use = Source[str, bool]()
        self.index = Computed(
            lambda read: index_grants(tuple(read.all(world.host_grants).values()))
        )
        self.selected = Derived(self._select)
        self.selecting = Derived(self._add_everywhere)
        self.grants = Derived(self._grant)

    def update(self) -> None:
        """Follow the World."""
        world = self._world
        tables = (
            world.ingresses, world.http_routes, world.gateways, world.model_versions,
            world.services, world.endpoint_slices,
        )  # fmt: skip
        named = (key for table in tables for key in table.changed)
        if any(key[0] not in self._in_use.rows for key in named) or world.namespaces.changed:
            names = {key[0] for table in tables for key in table.rows}
            names.update(name for _, name in world.namespaces.rows)
            self._in_use.update(dict.fromkeys(names, True))
        self.index.update()
        self.selected.update(self._in_use)
        self.selecting.update(self._in_use)
        self.grants.update(self._in_use)

    def _select(self, namespace: str, read: Reader) -> tuple[HostGrantDoc, ...]:
        doc = read.get(self._world.namespaces, ("", namespace))
        return _selected(read.value(self.index), namespace, doc)

    def _add_everywhere(self, namespace: str, read: Reader) -> tuple[HostGrantDoc, ...]:
        return (*read.row(self.selected, namespace), *read.value(self.index).everywhere)

    def _grant(self, namespace: str, read: Reader) -> Grants:
        own = _granted([*read.row(self.selected, namespace)])
        return Grants(own=own, everybody=read.value(self.index).everybody)


def grants_of(index: GrantIndex, namespace: str, doc: NamespaceDoc | None) -> Grants:
    """What `namespace` may claim."""
    return Grants(own=_granted(_selected(index, namespace, doc)), everybody=index.everybody)


def index_grants(docs: tuple[HostGrantDoc, ...]) -> GrantIndex:
    """One pass over the HostGrants. Findings: path-refused, grant-overlap."""
    docs = tuple(sorted(docs, key=lambda doc: doc.ref))
    by_label: defaultdict[tuple[str, str], list[HostGrantDoc]] = defaultdict(list)
    everybody = []
    for doc in docs:
        selector = doc.spec.namespace_selector
        if selector.match_labels:
            by_label[_rarest(selector.match_labels)].append(doc)
        elif selector.all:
            everybody.append(doc)
    findings = [finding for doc in docs for finding in _path_findings(doc)]
    return GrantIndex(
        by_label={label: tuple(grants) for label, grants in by_label.items()},
        everybody=_granted(everybody),
        everywhere=tuple(everybody),
        findings=(*findings, *_overlaps(docs)),
    )


def _rarest(labels: Mapping[str, str]) -> tuple[str, str]:
    """The label to index by: the namespace's own name selects one, any other may select many."""
    if NAME_LABEL in labels:
        return NAME_LABEL, labels[NAME_LABEL]
    return min(labels.items())


def labels_of(namespace: str, doc: NamespaceDoc | None) -> Mapping[str, str]:
    """A namespace's labels; its name label is always its name."""
    return {**(doc.meta.labels if doc is not None else {}), NAME_LABEL: namespace}


def selects(grant: HostGrantDoc, labels: Mapping[str, str]) -> bool:
    """Whether a grant is for a namespace with these labels (of `labels_of`)."""
    return _chooses(grant.spec.namespace_selector, labels)


class RoutePermission(NamedTuple):
    """That a Service may be reached. released: the latest moment that a grant of it says, if any."""

    released: datetime | None = None


def leave_for(
    grants: tuple[HostGrantDoc, ...], namespace: str, service: Key, labels: Mapping[str, str]
) -> RoutePermission | None:
    """Whether a route of `namespace` may reach `service`, by the grants of its host and path.

    labels: of the Service.
    """
    releases: list[datetime | None] = []
    for grant in grants:
        backends = grant.spec.backends
        if backends is None:
            continue
        releases += [
            entry.released
            for entry in backends.services
            if (entry.namespace or namespace, entry.name) == service
        ]
        chosen = backends.selector
        if chosen is not None and _chooses(chosen, labels):
            releases.append(None)
    if not releases:
        return None
    return RoutePermission(max((moment for moment in releases if moment is not None), default=None))


def _chooses(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    if not selector.match_labels:
        return selector.all
    return all(labels.get(key) == value for key, value in selector.match_labels.items())


def _selected(
    index: GrantIndex, namespace: str, doc: NamespaceDoc | None
) -> tuple[HostGrantDoc, ...]:
    """Those that select it by its labels."""
    labels = labels_of(namespace, doc)
    return tuple(
        grant
        for label in labels.items()
        for grant in index.by_label.get(label, ())
        if selects(grant, labels)
    )


def _granted(docs: Iterable[HostGrantDoc]) -> HostGrantMatch:
    exact: defaultdict[str, set[GrantedNamespaces]] = defaultdict(set)
    suffixes: defaultdict[str, set[GrantedNamespaces]] = defaultdict(set)
    anything: set[GrantedNamespaces] = set()
    for doc in docs:
        paths = {
            GrantedNamespaces(path, doc)
            for text in doc.spec.paths
            if (path := grammar.canonical_path(text, "prefix"))
        }
        for host in doc.spec.hosts:
            if host == "*":
                anything |= paths
            elif host.startswith("*."):
                suffixes[host[2:]] |= paths
            else:
                exact[host] |= paths
    return HostGrantMatch(
        exact={host: _in_order(paths) for host, paths in exact.items()},
        suffixes={host: _in_order(paths) for host, paths in suffixes.items()},
        any=_in_order(anything),
    )


def _in_order(paths: set[GrantedNamespaces]) -> _Paths:
    return tuple(sorted(paths, key=lambda entry: (entry.path, entry.grant.ref)))


def _path_findings(doc: HostGrantDoc) -> list[Finding]:
    return [
        finding(doc, "path-refused.grant", f"spec.paths[{number}]", path=text)
        for number, text in enumerate(doc.spec.paths)
        if grammar.canonical_path(text, "prefix") is None
    ]


def _overlaps(docs: tuple[HostGrantDoc, ...]) -> list[Finding]:
    """Equal hosts with equal paths in grants that select differently. Nested hosts are intended."""
    first: dict[tuple[str, str], HostGrantDoc] = {}
    findings = []
    for doc in docs:
        for host_number, host in enumerate(doc.spec.hosts):
            for path in doc.spec.paths:
                other = first.setdefault((host, path.rstrip("/")), doc)
                if (
                    other is not doc
                    and other.spec.namespace_selector != doc.spec.namespace_selector
                ):
                    findings.append(
                        finding(
                            doc,
                            "grant-overlap",
                            f"spec.hosts[{host_number}]",
                            grant=other.ref.short,
                            host=host,
                            path=path,
                        )
                    )
    return findings
