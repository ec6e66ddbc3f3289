"""A model on a gate: its policy (who may, which versions), and the route rows where it is mounted.

The policy is made once per gate and model; `compile_model_routes` then writes one block of rows for every
operation of the model's protocol, in the order in which they must be tried: residency classes,
in each the rollout's match rules, then the sticky split. What is no operation is refused.
Everything that could not be decided is a refusing row with a reason, never a missing one (P2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gatereeve.compile.governance.model_policy import (
    Candidate,
    LawfulClass,
    ModelPolicy,
    subject_header,
)
from gatereeve.compile.governance.regions import expand_regions, group_match
from gatereeve.compile.virtual_hosts.operations import Call, calls
from gatereeve.core.findings import Finding
from gatereeve.core.refs import Origin
from gatereeve.core.report import describe
from gatereeve.ir.access import InGroup
from gatereeve.ir.clusters import Cluster, EndpointGroup, EndpointSet, HealthCheck
from gatereeve.ir.routes import (
    Forward,
    Governance,
    HeaderEdit,
    Match,
    Mirror,
    PathMatch,
    PathRewrite,
    Refuse,
    Route,
    Share,
    StickyAddress,
    StickyHeader,
    StickyKey,
    StickyPrincipal,
    ValueMatch,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """Where a route puts a model. `path` is exact or prefix; the other matches hold for every row.

    pinned: versions that a named Service stands behind; None for all of them. One is that version,
    even if the rollout says otherwise; among several the rollout chooses.
    """

    path: PathMatch
    methods: tuple[str, ...] = ()
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()
    rewrite: PathRewrite | None = None
    rewrite_host: str | None = None
    request_headers: HeaderEdit = HeaderEdit()
    response_headers: HeaderEdit = HeaderEdit()
    timeout_s: float | None = None
    pinned: tuple[str, ...] | None = None
    origin: Origin

    def admits(self, version: str) -> bool:
        return self.pinned is None or version in self.pinned

    @property
    def is_choice(self) -> bool:
        """Whether the rollout has anything to say."""
        return self.pinned is None or len(self.pinned) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRoutes:
    """routes: in order. shared: rows that give way, without a word, to another model's."""

    routes: tuple[Route, ...]
    shared: tuple[Route, ...]
    clusters: tuple[Cluster, ...]
    findings: tuple[Finding, ...]


def compile_model_routes(model_policy: ModelPolicy, mount: Mount) -> ModelRoutes:
    """The rows of one mounted model.

    Findings: path-outside-protocol when an exact path is no operation, pattern-refused for regex.
    """
    if mount.path.kind == "regex":
        return _refused(model_policy, mount, "pattern-refused.mount")
    writer = _RouteWriter(model_policy, mount)
    routes: list[Route] = []
    shared: list[Route] = []
    served = calls(model_policy.protocol, model_policy.served_name, model_policy.known)
    under_path = any(_is_under(call.path, mount.path.value) for call in served if not call.server)
    for call in served:
        placed = _place(call, mount, under_path=under_path)
        if placed is not None:
            (shared if call.server else routes).extend(writer.write(call, *placed))
    if not routes:
        return _refused(
            model_policy,
            mount,
            "path-outside-protocol",
            path=mount.path.value,
            model=model_policy.doc.ref.short,
            protocol=model_policy.protocol,
        )
    shared += _closing_rows(model_policy, mount, routes)
    return ModelRoutes(
        routes=tuple(routes),
        shared=tuple(shared),
        clusters=tuple(writer.clusters[name] for name in sorted(writer.clusters)),
        findings=(),
    )


def _is_under(path: str, prefix: str) -> bool:
    return prefix in {"/", path} or path.startswith(prefix.rstrip("/") + "/")


def _place(
    call: Call, mount: Mount, *, under_path: bool
) -> tuple[PathMatch, PathRewrite | None] | None:
    """The request path of a call at this mount, and how it becomes the standard path again.

    A mount path above the protocol's own paths (`/`, `/v2`) leaves them as they are; any other
    path is a place of its own and is taken off. A rewrite of the route's author is followed.
    """
    base = mount.path.value
    if call.prefix:  # json: the route's path is the model's path
        return mount.path, mount.rewrite
    if mount.rewrite is not None:
        if mount.rewrite.kind == "full":
            return (mount.path, mount.rewrite) if mount.rewrite.value == call.path else None
        target = mount.rewrite.value
        if not _is_under(call.path, target):
            return None
        path = base.rstrip("/") + "/" + call.path[len(target.rstrip("/")) :].lstrip("/")
        return _exact(mount, path.rstrip("/") or "/", call.path)
    if under_path:
        return _exact(mount, call.path, call.path) if _is_under(call.path, base) else None
    return _exact(mount, base.rstrip("/") + call.path, call.path)


def _exact(mount: Mount, path: str, standard: str) -> tuple[PathMatch, PathRewrite | None] | None:
    if mount.path.kind == "exact" and path != mount.path.value:
        return None
    rewrite = None if path == standard else PathRewrite(kind="full", value=standard)
    return PathMatch(kind="exact", value=path), rewrite


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """One way to choose versions: conditions, and the shares; no shares means refusal."""

    rule: str
    shares: tuple[tuple[str, int], ...]
    groups: tuple[InGroup, ...] = ()
    regions: tuple[str, ...] = ()
    headers: tuple[ValueMatch, ...] = ()
    origin: Origin | None = None


def _choices(
    model_policy: ModelPolicy, mount: Mount, requested: str | None, lawful: LawfulClass
) -> list[_Choice]:
    """Design section 5.5, for one residency class: requested, match rules, split, fallback."""
    open_versions = [v for v in lawful.versions if mount.admits(v)]
    if model_policy.refuse is not None:
        return [_Choice(rule="refused", shares=(), regions=lawful.regions)]
    if requested is not None:
        wanted = requested if requested in open_versions else None
        return [_Choice(rule="requested", shares=_whole(wanted), regions=lawful.regions)]
    rollout = model_policy.rollout
    if rollout is None or not mount.is_choice:
        only = open_versions[0] if len(open_versions) == 1 else None
        return [_Choice(rule="default", shares=_whole(only), regions=lawful.regions)]
    found: list[_Choice] = []
    for index, rule in enumerate(rollout.spec.match):
        if rule.version not in open_versions:
            continue
        regions = lawful.regions
        if rule.regions is not None:
            asked = expand_regions(rule.regions, model_policy.region_groups)
            regions = tuple(r for r in asked if not lawful.regions or r in lawful.regions)
            if not regions:
                continue
        found.append(
            _Choice(
                rule=rule.name or f"match[{index}]",
                shares=((rule.version, 1),),
                groups=tuple(group_match(group) for group in rule.groups or ()),
                regions=regions,
                headers=tuple(
                    ValueMatch(name=name.lower(), kind="exact", value=value)
                    for name, value in sorted((rule.headers or {}).items())
                ),
                origin=rollout.origin(f"spec.match[{index}]"),
            )
        )
    shares = tuple(
        (s.version, s.weight) for s in rollout.spec.split if s.weight and s.version in open_versions
    )
    if shares:
        found.append(_Choice(rule="split", shares=shares, regions=lawful.regions,
                             origin=rollout.origin("spec.split")))  # fmt: skip
    else:
        fallback = rollout.spec.fallback
        alone = fallback if fallback in open_versions else None
        found.append(_Choice(rule="fallback", shares=_whole(alone), regions=lawful.regions,
                             origin=rollout.origin("spec.fallback")))  # fmt: skip
    return found


def _whole(version: str | None) -> tuple[tuple[str, int], ...]:
    return () if version is None else ((version, 1),)


class _RouteWriter:
    """The routes of one mounted model, a call at a time. clusters: those that they need, by name.

    Most calls of a model are answered alike: what they share is made once.
    """

    def __init__(self, model_policy: ModelPolicy, mount: Mount) -> None:
        self._plan = model_policy
        self._mount = mount
        self.clusters: dict[str, Cluster] = {}
        self._by_version = {candidate.version: candidate for candidate in model_policy.candidates}
        self._sticky = _sticky(model_policy)
        self._caller_headers = tuple(sorted(set(model_policy.doc.spec.caller_headers)))
        self._choices: dict[str | None, list[tuple[str, LawfulClass, _Choice]]] = {}
        self._actions: dict[tuple[object, ...], Forward | Refuse] = {}
        self._governance: dict[tuple[object, ...], Governance] = {}

    def write(self, call: Call, path: PathMatch, rewrite: PathRewrite | None) -> list[Route]:
        """The routes of one call, in the order in which they must be tried."""
        mount = self._mount
        headers = mount.headers if call.header is None else (*mount.headers, call.header)
        methods = call.methods or mount.methods
        if call.methods and mount.methods:
            methods = tuple(method for method in mount.methods if method in call.methods)
            if not methods:
                return []
        base = Match(
            path=path,
            methods=methods,
            headers=headers,
            query=mount.query,
            body_model=(self._plan.served_name,) if call.by_body else None,
            body_stream=call.stream,
        )
        name = f"{self._plan.doc.ref.short}:{call.operation}:{call.path or '*'}"
        if call.requested is not None:
            name += f":@{call.requested}"
        routes = []
        for residency, lawful, choice in self._choices_of(call.requested):
            match = base
            if choice.groups or choice.regions or choice.headers:
                match = replace(base, groups=choice.groups, regions=choice.regions,
                                headers=headers + choice.headers)  # fmt: skip
            routes.append(
                Route(
                    name=f"{name}{residency}:{choice.rule}",
                    match=match,
                    action=self._action(call, choice, lawful, rewrite),
                    governance=self._governance_of(call, choice.rule),
                    origin=choice.origin or mount.origin,
                )
            )
        return routes

    def _choices_of(self, requested: str | None) -> list[tuple[str, LawfulClass, _Choice]]:
        """For each residency class, as it stands in the names of routes, the ways to choose."""
        choices = self._choices.get(requested)
        if choices is None:
            classes = self._plan.classes
            choices = self._choices[requested] = [
                (f":residency[{number}]" if len(classes) > 1 else "", lawful, choice)
                for number, lawful in enumerate(classes)
                for choice in _choices(self._plan, self._mount, requested, lawful)
            ]
        return choices

    def _action(
        self, call: Call, choice: _Choice, lawful: LawfulClass, rewrite: PathRewrite | None
    ) -> Forward | Refuse:
        if not choice.shares:
            return Refuse(code=self._plan.refuse or "no-eligible-version")
        is_mirrored = call.operation not in ("metadata", "health")
        streaming = call.operation == "stream"
        named = call.requested is not None
        key = (id(choice), named, is_mirrored, streaming, rewrite)
        action = self._actions.get(key)
        if action is None:
            mount = self._mount
            fallback = None if named else self._fallback(lawful)
            bounds = [self._by_version[version].doc.spec.bounds for version, _ in choice.shares]
            timeout_s = max(bound.timeout_seconds for bound in bounds)
            action = self._actions[key] = Forward(
                shares=tuple(
                    Share(cluster=self._chain(version, fallback), version=version, weight=weight)
                    for version, weight in choice.shares
                ),
                sticky=self._sticky,
                mirrors=self._mirrors(lawful) if is_mirrored else (),
                rewrite=rewrite,
                rewrite_host=mount.rewrite_host,
                request_headers=mount.request_headers,
                response_headers=mount.response_headers,
                timeout_s=mount.timeout_s if mount.timeout_s is not None else timeout_s,
                streaming=streaming,
            )
        return action

    def _governance_of(self, call: Call, rule: str) -> Governance:
        key = (call.operation, rule, call.requested or None)
        governance = self._governance.get(key)
        if governance is None:
            model_policy = self._plan
            governance = self._governance[key] = Governance(
                model=model_policy.doc.ref.short,
                protocol=model_policy.doc.spec.protocol,
                operation=call.operation,
                audit=model_policy.doc.spec.audit,
                policy=model_policy.policy,
                route_rule=rule,
                requested=call.requested or None,
                caller_headers=self._caller_headers,
            )
        return governance

    def _fallback(self, lawful: LawfulClass) -> Candidate | None:
        """The lawful fallback version, for calls that name no version."""
        if self._plan.rollout is None or not self._mount.is_choice:
            return None
        wanted = self._plan.rollout.spec.fallback
        if wanted is None or wanted not in lawful.versions or not self._mount.admits(wanted):
            return None
        return self._by_version.get(wanted)

    def _mirrors(self, lawful: LawfulClass) -> tuple[Mirror, ...]:
        """A mirrored request is processing like any other: only to an eligible, lawful version."""
        rollout = self._plan.rollout
        if rollout is None or rollout.spec.mirror is None or not self._mount.is_choice:
            return ()
        mirror = rollout.spec.mirror
        is_lawful = mirror.version in lawful.versions and mirror.version in self._by_version
        if not is_lawful or not self._mount.admits(mirror.version):
            return ()
        cluster = self._chain(mirror.version, None)
        return (Mirror(cluster=cluster, per_million=mirror.percent * 10_000),)

    def _chain(self, version: str, fallback: Candidate | None) -> str:
        """The name of the cluster of a version, with the fallback behind it; many routes share it."""
        chain = [self._by_version[version]]
        if fallback is not None and fallback.version != version:
            chain.append(fallback)
        namespace, model = self._plan.key
        name = f"model/{namespace}/{model}/" + ">".join(candidate.version for candidate in chain)
        if name not in self.clusters:
            self.clusters[name] = _cluster(self._plan, name, chain)
        return name


def _sticky(model_policy: ModelPolicy) -> tuple[StickyKey, ...]:
    keys: list[StickyKey] = []
    if (
        model_policy.rollout is not None
        and model_policy.rollout.spec.sticky_by.attribute == "subject"
    ):
        header = subject_header(model_policy.doc)
        if header is not None:
            keys.append(StickyHeader(name=header))
    return (*keys, StickyPrincipal(), StickyAddress())


def _cluster(model_policy: ModelPolicy, name: str, chain: list[Candidate]) -> Cluster:
    first = chain[0]
    spec = first.doc.spec
    health = spec.health
    return Cluster(
        name=name,
        model=model_policy.doc.ref.short,
        version=first.version,
        endpoints=EndpointSet(
            cluster=name,
            groups=tuple(EndpointGroup(version=c.version, endpoints=c.endpoints) for c in chain),
        ),
        protocol="http1",
        health=None
        if health is None
        else HealthCheck(
            path=health.path,
            interval_s=health.interval_seconds,
            timeout_s=health.timeout_seconds,
            unhealthy_after=health.unhealthy_after,
            healthy_after=health.healthy_after,
        ),
        max_connections=spec.bounds.connections,
        max_pending=spec.bounds.pending_requests,
        max_requests=spec.bounds.requests,
        origin=first.doc.origin(),
    )


def _closing_rows(model_policy: ModelPolicy, mount: Mount, routes: list[Route]) -> list[Route]:
    """What lies at the mount and is no operation is refused, by its path or by its method, and so is a
    body that names no model."""
    narrowed = {r.match.path for r in routes if r.match.methods != mount.methods}
    rows = [
        _refusal(model_policy, mount, path, "unknown-operation")
        for path in sorted(narrowed, key=lambda path: path.value)
    ]
    if model_policy.protocol == "openai":
        paths = sorted({r.match.path.value for r in routes if r.match.body_model is not None})
        rows += [
            _refusal(model_policy, mount, PathMatch(kind="exact", value=path), "unknown-model")
            for path in paths
        ]
    if mount.path.kind == "prefix" and model_policy.protocol != "json":
        rows.append(_refusal(model_policy, mount, mount.path, "unknown-operation"))
    return rows


def _refusal(model_policy: ModelPolicy, mount: Mount, path: PathMatch, code: str) -> Route:
    """A refusing row without governance: it reveals nothing about the model."""
    return Route(
        name=f"{model_policy.protocol}:{code}:{path.value}",
        match=Match(path=path, methods=mount.methods, headers=mount.headers, query=mount.query),
        action=Refuse(code=code),
        governance=None,
        origin=mount.origin,
    )


def _refused(model_policy: ModelPolicy, mount: Mount, text: str, **values: object) -> ModelRoutes:
    path = mount.path if mount.path.kind != "regex" else None
    rows = () if path is None else (_refusal(model_policy, mount, path, "unknown-operation"),)
    problem = describe(text, mount.origin, **values)
    return ModelRoutes(routes=(), shared=rows, clusters=(), findings=(problem,))
