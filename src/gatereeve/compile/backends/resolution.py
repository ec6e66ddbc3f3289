"""What a backend's name means: a model, an ordinary Service, or nothing that may be served.

P1 holds here. A Service that stands behind a version is the model; one that stands behind several
models, or reaches an address of a model by another name, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gatereeve.api.world import Held, HostGrantDoc
from gatereeve.compile.backends import reference_grants, services
from gatereeve.compile.backends.servers import Servers
from gatereeve.compile.governance.model_policy import ModelPolicies, ModelPolicy
from gatereeve.compile.report import AnyDoc, Problem
from gatereeve.compile.routes import host_grants
from gatereeve.compile.routes.requests import Backend
from gatereeve.core.refs import GATEREEVE_GROUP


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBackend:
    """pinned: versions that the named Service stands behind. service: its name, or None."""

    plan: ModelPolicy
    pinned: tuple[str, ...] | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceBackend:
    """An ordinary Service."""

    servers: Servers


@dataclass(frozen=True, slots=True, kw_only=True)
class UnresolvedBackend:
    """governed: it was meant for a model, so its host must not be plain HTTP either."""

    problem: Problem
    governed: bool


ResolvedBackend: TypeAlias = ModelBackend | ServiceBackend | UnresolvedBackend


def resolve(
    doc: AnyDoc,
    backend: Backend,
    given: tuple[HostGrantDoc, ...] | None,
    *,
    plans: ModelPolicies,
    found: services.ServiceIndex,
) -> ResolvedBackend:
    """What `backend` of `doc` is. Never raises; what cannot be served is `UnresolvedBackend`.

    given: the HostGrants that cover the host and path where it is asked for; None where it is asked
    for nowhere.
    """
    if backend.problem is not None:
        return UnresolvedBackend(problem=backend.problem, governed=backend.kind == "Model")
    if backend.namespace != doc.ref.namespace and not reference_grants.is_permitted(
        found.grants,
        reference_grants.Reference(
            from_group=doc.ref.group,
            from_kind=doc.ref.kind,
            from_namespace=doc.ref.namespace,
            to_group=GATEREEVE_GROUP if backend.kind == "Model" else "",
            to_kind=backend.kind,
            to_namespace=backend.namespace,
            to_name=backend.name,
        ),
    ):
        return _nowhere(
            "backend-not-granted",
            f"no ReferenceGrant in {backend.namespace} lets {doc.ref.kind}s of {doc.ref.namespace} reach {backend.kind} {backend.name}",
            f"ask the owner of {backend.namespace} for a ReferenceGrant",
            governed=backend.kind == "Model",
        )
    if backend.kind == "Model":
        return _model(backend, plans)
    return _service(doc, backend, given, plans, found)


def _nowhere(code: str, message: str, hint: str, *, governed: bool) -> UnresolvedBackend:
    return UnresolvedBackend(
        problem=Problem(code=code, message=message, hint=hint), governed=governed
    )


def _model(backend: Backend, plans: ModelPolicies) -> ResolvedBackend:
    plan = plans.get((backend.namespace, backend.name))
    if plan is None:
        return _nowhere(
            "model-not-found",
            f"there is no Model {backend.namespace}/{backend.name}",
            "create the Model, or correct the name",
            governed=True,
        )
    return ModelBackend(plan=plan)


def _service(
    doc: AnyDoc,
    backend: Backend,
    given: tuple[HostGrantDoc, ...] | None,
    plans: ModelPolicies,
    found: services.ServiceIndex,
) -> ResolvedBackend:
    key = (backend.namespace, backend.name)
    versions = found.behind.get(key)
    if versions:
        models = sorted({version.spec.model for version in versions})
        if len(models) > 1:
            return _nowhere(
                "service-behind-models",
                f"Service {backend.name} stands behind the models {', '.join(models)}",
                "name the Model, or give each model a Service of its own",
                governed=True,
            )
        plan = plans.get((backend.namespace, models[0]))
        if plan is None:
            return _nowhere(
                "model-not-found",
                f"Service {backend.name} stands behind Model {backend.namespace}/{models[0]}, which does not exist",
                "create the Model: what serves a model is governed or refused",
                governed=True,
            )
        pinned = tuple(sorted({version.spec.version for version in versions}))
        everything = set(plan.known) <= set(pinned)
        return ModelBackend(plan=plan, pinned=None if everything else pinned, service=backend.name)
    hiding = found.hiding_in(backend.namespace)
    if hiding is not None:
        return _nowhere(
            "hidden-path-to-model",
            f"{hiding} Service {backend.name} leads to a model",
            "mend that document; until then no Service of the namespace is served past it",
            governed=True,
        )
    service = found.services.get(key)
    leave = host_grants.RoutePermission()
    if service is not None and given is not None:
        labels = service.meta.labels
        allowed = host_grants.leave_for(given, doc.ref.namespace, key, labels)
        held = found.held.get(key)
        released = None if allowed is None else allowed.released
        if held is not None and not found.is_released(held, released):
            return _was_governed(doc, backend, f"Service {key[0]}/{key[1]}", held)
        if allowed is None:
            return _not_granted(doc, backend, given)
        leave = allowed
    servers = found.resolve(backend.namespace, backend.name, backend.port)
    if isinstance(servers, Problem):
        return UnresolvedBackend(problem=servers, governed=False)
    return _past_models(doc, backend, servers, leave, found) or ServiceBackend(servers=servers)


def _past_models(
    doc: AnyDoc,
    backend: Backend,
    servers: Servers,
    leave: host_grants.RoutePermission,
    found: services.ServiceIndex,
) -> UnresolvedBackend | None:
    """The refusal of a Service that reaches what stands, or stood, behind a model."""
    namespace = backend.namespace
    versions = found.versions[""]
    hidden = versions.standing.of(namespace, servers.reaches, servers.by_hand)
    if hidden is not None:
        (address, port), held = hidden
        return _nowhere(
            "hidden-path-to-model",
            f"Service {backend.name} reaches {address}:{port}, where model {held.model} answers",
            "name the Model, or a Service that reaches other servers",
            governed=True,
        )
    for server in sorted(servers.reaches):
        closed = versions.closed.of(namespace, (server,), servers.by_hand & {server})
        if closed is None:
            continue
        held = closed[1]
        if not found.is_server_released(namespace, held, server, leave.released):
            return _was_governed(doc, backend, f"{server[0]}:{server[1]}", held)
    return None


def _was_governed(doc: AnyDoc, backend: Backend, what: str, held: Held) -> UnresolvedBackend:
    moment = "a moment after that" if held.until is None else held.until.isoformat()
    place = "" if backend.namespace == doc.ref.namespace else f" namespace: {backend.namespace},"
    return _nowhere(
        "was-governed",
        f"{what} stood behind model {held.model}, whose documents are gone since {moment}",
        f"bring the documents back and name the Model; or, if no model answers there any more, let the platform release it, in the list backends.services of the HostGrant: {{name: {backend.name},{place} released: {_moment(held)}}}",
        governed=True,
    )


def _moment(held: Held) -> str:
    return "MOMENT" if held.until is None else f'"{held.until.isoformat()}"'


def _not_granted(
    doc: AnyDoc, backend: Backend, given: tuple[HostGrantDoc, ...]
) -> UnresolvedBackend:
    namespace = (
        "" if backend.namespace == doc.ref.namespace else f", namespace: {backend.namespace}"
    )
    names = " or ".join(grant.ref.name for grant in given)
    entry = f"{{name: {backend.name}{namespace}}}"
    if any(grant.spec.backends is not None and grant.spec.backends.services for grant in given):
        line = f"add to the list backends.services of HostGrant {names}: {entry}"
    else:
        line = f"add to the spec of HostGrant {names}: backends: {{services: [{entry}]}}"
    return _nowhere(
        "service-not-granted",
        f"no HostGrant lets routes of {doc.ref.namespace} reach Service {backend.namespace}/{backend.name} here: a host grants its Models only, unless it says more",
        f"name the Model, or let the platform {line}",
        governed=False,
    )
