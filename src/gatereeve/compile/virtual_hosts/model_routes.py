"""A model on a gate: its plan (who may, which versions), and the route rows where it is mounted.

The plan is made once per gate and model; `compile_model_routes` then writes one block of rows for every
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


def compile_model_routes(plan: ModelPolicy, mount: Mount) -> ModelRoutes:
    """The rows of one mounted model.

    Findings: path-outside-protocol when an exact path is no operation, pattern-refused for regex.
    """
    if mount.path.kind == "regex":
        return _refused(plan, mount, "pattern-refused.mount")
    clusters: dict[str, Cluster] = {}
    routes: list[Route] = []
    shared: list[Route] = []
    served = calls(plan.protocol, plan.served_name, plan.known)
    under_path = any(_is_under(call.path, mount.path.value) for call in served if not call.server)
    for call in served:
        placed = _place(call, mount, under_path=under_path)
        if placed is None:
            continue
        path, rewrite = placed
        rows = _call_rows(plan, mount, call, path, rewrite, clusters)
        (shared if call.server else routes).extend(rows)
    if not routes:
        return _refused(
            plan,
            mount,
            "path-outside-protocol",
            path=mount.path.value,
            model=plan.doc.ref.short,
            protocol=plan.protocol,
        )
    shared += _closing_rows(plan, mount, routes)
    return ModelRoutes(
        routes=tuple(routes),
        shared=tuple(shared),
        clusters=tuple(clusters[name] for name in sorted(clusters)),
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


def _call_rows(
    plan: ModelPolicy,
    mount: Mount,
    call: Call,
    path: PathMatch,
    rewrite: PathRewrite | None,
    clusters: dict[str, Cluster],
) -> list[Route]:
    headers = mount.headers if call.header is None else (*mount.headers, call.header)
    methods = call.methods or mount.methods
    if call.methods and mount.methods:
        methods = tuple(one for one in mount.methods if one in call.methods)
        if not methods:
            return []
    base = Match(
        path=path,
        methods=methods,
        headers=headers,
        query=mount.query,
        body_model=(plan.served_name,) if call.by_body else None,
        body_stream=call.stream,
    )
    rows: list[Route] = []
    for number, lawful in enumerate(plan.classes):
        choices = _choices(plan, mount, call, lawful)
        for choice in choices:
            name = _row_name(plan, call, number if len(plan.classes) > 1 else None, choice.rule)
            match = base
            if choice.groups or choice.regions or choice.headers:
                match = replace(base, groups=choice.groups, regions=choice.regions,
                                headers=headers + choice.headers)  # fmt: skip
            action = _action(plan, mount, call, choice, lawful, rewrite, clusters)
            rows.append(
                Route(
                    name=name,
                    match=match,
                    action=action,
                    governance=_governance(plan, call, choice.rule),
                    origin=choice.origin or mount.origin,
                )
            )
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """One way to choose versions: conditions, and the shares; no shares means refusal."""

    rule: str
    shares: tuple[tuple[str, int], ...]
    groups: tuple[InGroup, ...] = ()
    regions: tuple[str, ...] = ()
    headers: tuple[ValueMatch, ...] = ()
    origin: Origin | None = None


def _choices(plan: ModelPolicy, mount: Mount, call: Call, lawful: LawfulClass) -> list[_Choice]:
    """Design section 5.5, for one residency class: requested, match rules, split, fallback."""
    open_versions = [v for v in lawful.versions if mount.admits(v)]
    if plan.refuse is not None:
        return [_Choice(rule="refused", shares=(), regions=lawful.regions)]
    if call.requested is not None:
        wanted = call.requested if call.requested in open_versions else None
        return [_Choice(rule="requested", shares=_whole(wanted), regions=lawful.regions)]
    rollout = plan.rollout
    if rollout is None or not mount.is_choice:
        only = open_versions[0] if len(open_versions) == 1 else None
        return [_Choice(rule="default", shares=_whole(only), regions=lawful.regions)]
    found: list[_Choice] = []
    for index, rule in enumerate(rollout.spec.match):
        if rule.version not in open_versions:
            continue
        regions = lawful.regions
        if rule.regions is not None:
            asked = expand_regions(rule.regions, plan.region_groups)
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


def _action(
    plan: ModelPolicy,
    mount: Mount,
    call: Call,
    choice: _Choice,
    lawful: LawfulClass,
    rewrite: PathRewrite | None,
    clusters: dict[str, Cluster],
) -> Forward | Refuse:
    if not choice.shares:
        return Refuse(code=plan.refuse or "no-eligible-version")
    by_version = {c.version: c for c in plan.candidates}
    fallback = _fallback(plan, call, lawful, mount)
    shares = []
    for version, weight in choice.shares:
        chain = [by_version[version]]
        if fallback is not None and fallback.version != version:
            chain.append(fallback)
        cluster = _cluster(plan, tuple(chain), clusters)
        shares.append(Share(cluster=cluster.name, version=version, weight=weight))
    timeout = max(by_version[v].doc.spec.bounds.timeout_seconds for v, _ in choice.shares)
    return Forward(
        shares=tuple(shares),
        sticky=_sticky(plan),
        mirrors=_mirrors(plan, call, lawful, mount, clusters),
        rewrite=rewrite,
        rewrite_host=mount.rewrite_host,
        request_headers=mount.request_headers,
        response_headers=mount.response_headers,
        timeout_s=mount.timeout_s if mount.timeout_s is not None else timeout,
        streaming=call.operation == "stream",
    )


def _fallback(plan: ModelPolicy, call: Call, lawful: LawfulClass, mount: Mount) -> Candidate | None:
    """The lawful fallback version; a version that was asked for by name has none."""
    if plan.rollout is None or call.requested is not None or not mount.is_choice:
        return None
    wanted = plan.rollout.spec.fallback
    if wanted is None or wanted not in lawful.versions or not mount.admits(wanted):
        return None
    return next((c for c in plan.candidates if c.version == wanted), None)


def _mirrors(
    plan: ModelPolicy,
    call: Call,
    lawful: LawfulClass,
    mount: Mount,
    clusters: dict[str, Cluster],
) -> tuple[Mirror, ...]:
    """A mirrored request is processing like any other: only to an eligible, lawful version."""
    if plan.rollout is None or plan.rollout.spec.mirror is None or not mount.is_choice:
        return ()
    mirror = plan.rollout.spec.mirror
    if call.operation in ("metadata", "health") or not mount.admits(mirror.version):
        return ()
    for candidate in plan.candidates:
        if candidate.version == mirror.version and candidate.version in lawful.versions:
            cluster = _cluster(plan, (candidate,), clusters)
            return (Mirror(cluster=cluster.name, per_million=mirror.percent * 10_000),)
    return ()


def _sticky(plan: ModelPolicy) -> tuple[StickyKey, ...]:
    keys: list[StickyKey] = []
    if plan.rollout is not None and plan.rollout.spec.sticky_by.attribute == "subject":
        header = subject_header(plan.doc)
        if header is not None:
            keys.append(StickyHeader(name=header))
    return (*keys, StickyPrincipal(), StickyAddress())


def _cluster(
    plan: ModelPolicy, chain: tuple[Candidate, ...], clusters: dict[str, Cluster]
) -> Cluster:
    """The cluster of this chain, made once and kept in `clusters`: many rows share it."""
    first = chain[0]
    name = f"model/{plan.key[0]}/{plan.key[1]}/" + ">".join(c.version for c in chain)
    if name in clusters:
        return clusters[name]
    spec = first.doc.spec
    health = spec.health
    clusters[name] = Cluster(
        name=name,
        model=plan.doc.ref.short,
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
    return clusters[name]


def _governance(plan: ModelPolicy, call: Call, rule: str) -> Governance:
    return Governance(
        model=plan.doc.ref.short,
        protocol=plan.doc.spec.protocol,
        operation=call.operation,
        audit=plan.doc.spec.audit,
        policy=plan.policy,
        route_rule=rule,
        requested=call.requested or None,
        caller_headers=tuple(sorted(set(plan.doc.spec.caller_headers))),
    )


def _row_name(plan: ModelPolicy, call: Call, lawful: int | None, rule: str) -> str:
    parts = [plan.doc.ref.short, call.operation, call.path or "*"]
    if call.requested is not None:
        parts.append(f"@{call.requested}")
    if lawful is not None:
        parts.append(f"residency[{lawful}]")
    return ":".join([*parts, rule])


def _closing_rows(plan: ModelPolicy, mount: Mount, routes: list[Route]) -> list[Route]:
    """What lies at the mount and is no operation is refused, by its path or by its method, and so is a
    body that names no model."""
    narrowed = {r.match.path for r in routes if r.match.methods != mount.methods}
    rows = [
        _refusal(plan, mount, path, "unknown-operation")
        for path in sorted(narrowed, key=lambda path: path.value)
    ]
    if plan.protocol == "openai":
        paths = sorted({r.match.path.value for r in routes if r.match.body_model is not None})
        rows += [
            _refusal(plan, mount, PathMatch(kind="exact", value=path), "unknown-model")
            for path in paths
        ]
    if mount.path.kind == "prefix" and plan.protocol != "json":
        rows.append(_refusal(plan, mount, mount.path, "unknown-operation"))
    return rows


def _refusal(plan: ModelPolicy, mount: Mount, path: PathMatch, code: str) -> Route:
    """A refusing row without governance: it reveals nothing about the model."""
    return Route(
        name=f"{plan.protocol}:{code}:{path.value}",
        match=Match(path=path, methods=mount.methods, headers=mount.headers, query=mount.query),
        action=Refuse(code=code),
        governance=None,
        origin=mount.origin,
    )


def _refused(plan: ModelPolicy, mount: Mount, text: str, **values: object) -> ModelRoutes:
    path = mount.path if mount.path.kind != "regex" else None
    rows = () if path is None else (_refusal(plan, mount, path, "unknown-operation"),)
    problem = describe(text, mount.origin, **values)
    return ModelRoutes(routes=(), shared=rows, clusters=(), findings=(problem,))
