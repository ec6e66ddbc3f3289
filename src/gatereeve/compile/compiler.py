"""`compile(world)`: documents in, what every gate must do out, with all findings.

The second hop of a change. Pure and whole: everything is rebuilt from the World each time; what did
not change is taken from the memo, which may be empty. Wrong documents become findings and drop out
as refusals; nothing here raises for what a user wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from gatereeve.api.gate import GateRequests
from gatereeve.api.world import GateDoc, ModelDoc, World
from gatereeve.compile import digests, routing
from gatereeve.compile.backends import shared_servers
from gatereeve.compile.governance.identity import compile_attributes, compile_identity
from gatereeve.compile.governance.index import GovernanceIndex, index_governance
from gatereeve.compile.governance.model_policies import compile_model_policies, scope_of
from gatereeve.compile.governance.model_policy import ModelPolicies, ModelPolicy
from gatereeve.compile.governance.people import People, gather_people
from gatereeve.compile.virtual_hosts import hosts
from gatereeve.core import findings, trusted_headers
from gatereeve.core.memo import Memo
from gatereeve.core.refs import ConfigHash
from gatereeve.ir.gates import Gate, Ir, Requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """ir: what the gates must do. findings: all diagnoses, errors first.

    next_change: the next instant at which the same documents compile to something else (an
    approval expires), or None. outcome: what became of each document, for `statuses`.
    """

    ir: Ir
    findings: tuple[findings.Finding, ...]
    next_change: datetime | None
    outcome: HostOutcome = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GateOutcome:
    """What was decided for one gate."""

    doc: GateDoc
    plans: ModelPolicies
    routed: routing.RoutedGate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostOutcome:
    """What one compilation knew and the IR does not say: which route is attached where, whose plan
    names which version. gates: by name, as in the World."""

    index: routing.Index
    gathered: GovernanceIndex
    people: People
    gates: Mapping[str, GateOutcome]


def compile(world: World, memo: Memo | None = None) -> Compiled:  # noqa: A001 - the field's word
    """Compile a World.

    memo: what earlier compilations of the same process computed; it changes the time, never the
    result. Deterministic: equal documents give equal bytes, whatever their order was.
    """
    memo = memo or Memo()
    gathered = index_governance(world, memo)
    index = routing.index_world(world, memo)
    people = gather_people(world, memo)
    found = [*world.findings, *gathered.findings, *index.findings, *people.findings]
    changes: list[datetime] = []
    gates: list[Gate] = []
    outcomes: dict[str, GateOutcome] = {}
    for doc in world.gates.values():
        gate, outcome, problems, next_changes = _compile_gate(
            world, doc, gathered, index, people, memo
        )
        gates.append(gate)
        outcomes[gate.name] = outcome
        found.extend(problems)
        changes.extend(next_changes)
    has_gate = bool(world.gates) or any(broken.ref.kind == "Gate" for broken in world.broken)
    if not has_gate and (world.ingresses or world.http_routes):
        found.append(_no_gate())
    memo.sweep()
    return Compiled(
        ir=Ir(gates=tuple(gates)),
        findings=findings.order(found),
        next_change=min(changes, default=None),
        outcome=HostOutcome(index=index, gathered=gathered, people=people, gates=outcomes),
    )


def _compile_gate(
    world: World,
    doc: GateDoc,
    gathered: GovernanceIndex,
    index: routing.Index,
    people: People,
    memo: Memo,
) -> tuple[Gate, GateOutcome, list[findings.Finding], list[datetime]]:
    identity, found = compile_identity(world, doc)
    attributes, more = compile_attributes(world, doc)
    scope = scope_of(world, doc, identity, attributes, people.directory, memo)
    plans = compile_model_policies(
        world,
        scope,
        gathered,
        resolve=partial(routing.resolve_version, index),
        reads=index.services.behind,
        memo=memo,
    )
    plans = shared_servers.separate(plans, index.services.versions.shared, memo)
    routed = routing.route_gate(index, doc, plans)
    problems = [*found, *more, *_weak_tls(doc), *routed.findings]
    for plan in plans.values():
        problems.extend(plan.findings)
    gate = Gate(
        name=doc.ref.name,
        region=doc.spec.region,
        hash=ConfigHash(""),
        listeners=routed.listeners,
        identity=scope.identity,
        attributes=scope.attributes,
        access=tuple(plans[key].access for key in routed.models),
        clusters=routed.clusters,
        trusted_hops=doc.spec.trusted_hops,
        max_body_bytes=doc.spec.max_body_bytes,
        requests=_requests(doc.spec.requests),
        origin=doc.origin(),
    )
    routed_models = frozenset(routed.models)
    problems.extend(_unrouted(p.doc) for key, p in plans.items() if key not in routed_models)
    problems += [f for plan in plans.values() for f in _removed_fields(plan.doc, gate)]
    changes = [p.next_change for p in plans.values() if p.next_change is not None]
    hashed = replace(gate, hash=hash_gate(gate, routed, plans, memo))
    return hashed, GateOutcome(doc=doc, plans=plans, routed=routed), problems, changes


def _requests(spec: GateRequests) -> Requests:
    return Requests(
        plain_ordinary_paths=spec.ordinary_paths == "unambiguous",
        identity_headers=tuple(sorted({name.lower() for name in spec.identity_headers})),
    )


def hash_gate(
    gate: Gate, routed: routing.RoutedGate, plans: ModelPolicies, memo: Memo
) -> ConfigHash:
    """The content hash of everything in `gate` but its hash.

    Hosts, clusters and access rules are hashed shard by shard: what did not change is not encoded.
    """
    parts = [digests.value_hash((gate.name, gate.region, gate.identity, gate.attributes,
                                 gate.trusted_hops, gate.max_body_bytes, gate.requests))]  # fmt: skip
    parts.extend(digests.value_hash(replace(listener, hosts=())) for listener in gate.listeners)
    for shard in routed.shards:
        its_plans = tuple(plans[key] for key in shard.models)
        parts.append(memo.get(("hash", shard, its_plans), partial(_shard_hash, shard, its_plans)))
    return ConfigHash(digests.combine(parts))


def _shard_hash(shard: hosts.Routed, plans: tuple[ModelPolicy, ...]) -> str:
    access = tuple(plan.access for plan in plans)
    hosts = tuple(sorted(shard.hosts.items()))
    return digests.value_hash((hosts, shard.clusters, access))


def _weak_tls(doc: GateDoc) -> tuple[findings.Finding, ...]:
    if doc.spec.tls.min_version in ("1.2", "1.3"):
        return ()
    path = "spec.tls.minVersion"
    return (
        findings.Finding(
            code=findings.FindingCode("weak-tls"),
            message=f"TLS {doc.spec.tls.min_version} is accepted",
            hint="use 1.2 or 1.3 (RFC 8996 retires the older ones)",
            origin=doc.origin(path),
            where=doc.where(path),
        ),
    )


def _unrouted(model: ModelDoc) -> findings.Finding:
    return findings.Finding(
        code=findings.FindingCode("model-unrouted"),
        message=f"no route on this gate reaches {model.ref.short}",
        hint="name it as the backend of an Ingress or HTTPRoute",
        origin=model.origin(),
        where=model.where(),
    )


def _removed_fields(model: ModelDoc, gate: Gate) -> list[findings.Finding]:
    """Fields of the model that callers send in vain (`core.trusted_headers`)."""
    found = []
    for number, one in enumerate(model.spec.fields):
        name = one.path.lower()
        asked = one.location == "request-header"
        if asked and trusted_headers.removed(gate.requests.identity_headers, [name]):
            path = f"spec.fields[{number}].path"
            found.append(
                findings.Finding(
                    code=findings.FindingCode("field-header-removed"),
                    message=f"the gate takes header {one.path} off before {model.ref.short} sees it",
                    hint="use another header, or leave the name out of the Gate's requests.identityHeaders",
                    origin=model.origin(path),
                    where=model.where(path),
                )
            )
    return found


def _no_gate() -> findings.Finding:
    return findings.Finding(
        code=findings.FindingCode("no-gate"),
        message="there are routes, but no Gate document",
        hint="add a Gate: it says where to listen, who identifies callers and which classes it serves",
    )
