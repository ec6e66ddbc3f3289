"""What a backend's name means: a model, an ordinary Service, or nothing that may be served.

P1 holds here. A Service that stands behind a version is the model; one that stands behind several
models, or reaches an address of a model by another name, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gatereeve.api.world import AnyDoc, Held, HostGrantDoc
from gatereeve.compile.backends import reference_grants, services
from gatereeve.compile.backends.servers import Servers
from gatereeve.compile.governance.model_policy import ModelPolicies, ModelPolicy
from gatereeve.compile.routes import host_grants
from gatereeve.compile.routes.requests import Backend
from gatereeve.core.findings import Finding
from gatereeve.core.refs import GATEREEVE_GROUP
from gatereeve.core.report import describe


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBackend:
    """pinned: versions that the named Service stands behind. service: its name, or None."""

    model_policy: ModelPolicy
    pinned: tuple[str, ...] | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceBackend:
    """An ordinary Service."""

    servers: Servers


@dataclass(frozen=True, slots=True, kw_only=True)
class UnresolvedBackend:
    """governed: it was meant for a model, so its host must not be plain HTTP either."""

    problem: Finding
    governed: bool


ResolvedBackend: TypeAlias = ModelBackend | ServiceBackend | UnresolvedBackend


def resolve(
    doc: AnyDoc,
    backend: Backend,
    grants: tuple[HostGrantDoc, ...] | None,
    *,
    model_policies: ModelPolicies,
    found: services.ServiceIndex,
) -> ResolvedBackend:
    """What `backend` of `doc` is. Never raises; what cannot be served is `UnresolvedBackend`.

    grants: the HostGrants that cover the host and path of the route; None if no host serves the route.
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
        return _unresolved(
            "backend-not-granted", governed=backend.kind == "Model",
            namespace=backend.namespace, documents=f"{doc.ref.kind}s", own=doc.ref.namespace,
            kind=backend.kind, name=backend.name,
        )  # fmt: skip
    if backend.kind == "Model":
        return _model(backend, model_policies)
    return _service(doc, backend, grants, model_policies, found)


def _unresolved(text: str, /, *, governed: bool, **values: object) -> UnresolvedBackend:
    return UnresolvedBackend(problem=describe(text, **values), governed=governed)


def _model(backend: Backend, model_policies: ModelPolicies) -> ResolvedBackend:
    model_policy = model_policies.get((backend.namespace, backend.name))
    if model_policy is None:
        model = f"{backend.namespace}/{backend.name}"
        return _unresolved("model-not-found.backend", governed=True, model=model)
    return ModelBackend(model_policy=model_policy)


def _service(
    doc: AnyDoc,
    backend: Backend,
    grants: tuple[HostGrantDoc, ...] | None,
    model_policies: ModelPolicies,
    index: services.ServiceIndex,
) -> ResolvedBackend:
    key = (backend.namespace, backend.name)
    versions = index.behind.get(key)
    if versions:
        models = sorted({version.spec.model for version in versions})
        if len(models) > 1:
            return _unresolved(
                "service-behind-models", governed=True, service=backend.name, models=models
            )
        model_policy = model_policies.get((backend.namespace, models[0]))
        if model_policy is None:
            model = f"{backend.namespace}/{models[0]}"
            return _unresolved(
                "model-not-found.service", governed=True, service=backend.name, model=model
            )
        pinned = tuple(sorted({version.spec.version for version in versions}))
        everything = set(model_policy.known) <= set(pinned)
        return ModelBackend(
            model_policy=model_policy, pinned=None if everything else pinned, service=backend.name
        )
    hiding = index.hiding_in(backend.namespace)
    if hiding is not None:
        return _unresolved(
            "hidden-path-to-model", governed=True, document=hiding, service=backend.name
        )
    service = index.services.get(key)
    leave = host_grants.RoutePermission()
    if service is not None and grants is not None:
        labels = service.meta.labels
        allowed = host_grants.leave_for(grants, doc.ref.namespace, key, labels)
        held = index.held.get(key)
        released = None if allowed is None else allowed.released
        if held is not None and not index.is_released(held, released):
            return _was_governed(doc, backend, f"Service {key[0]}/{key[1]}", held)
        if allowed is None:
            return _not_granted(doc, backend, grants)
        leave = allowed
    servers = index.resolve(backend.namespace, backend.name, backend.port)
    if isinstance(servers, Finding):
        return UnresolvedBackend(problem=servers, governed=False)
    return _past_models(doc, backend, servers, leave, index) or ServiceBackend(servers=servers)


def _past_models(
    doc: AnyDoc,
    backend: Backend,
    servers: Servers,
    leave: host_grants.RoutePermission,
    index: services.ServiceIndex,
) -> UnresolvedBackend | None:
    """The refusal of a Service that reaches a server that is, or was, behind a model."""
    namespace = backend.namespace
    versions = index.versions[""]
    hidden = versions.standing.of(namespace, servers.reaches, servers.by_hand)
    if hidden is not None:
        (address, port), held = hidden
        return _unresolved(
            "hidden-path-to-model.address", governed=True,
            service=backend.name, address=address, port=port, model=held.model,
        )  # fmt: skip
    for server in sorted(servers.reaches):
        closed = versions.closed.of(namespace, (server,), servers.by_hand & {server})
        if closed is None:
            continue
        held = closed[1]
        if not index.is_server_released(namespace, held, server, leave.released):
            return _was_governed(doc, backend, f"{server[0]}:{server[1]}", held)
    return None


def _was_governed(doc: AnyDoc, backend: Backend, what: str, held: Held) -> UnresolvedBackend:
    since = "a moment later" if held.until is None else f"at {held.until.isoformat()}"
    moment = "MOMENT" if held.until is None else f'"{held.until.isoformat()}"'
    place = "" if backend.namespace == doc.ref.namespace else f" namespace: {backend.namespace},"
    entry = f"{{name: {backend.name},{place} released: {moment}}}"
    return _unresolved(
        "was-governed", governed=True, what=what, model=held.model, since=since, entry=entry
    )


def _not_granted(
    doc: AnyDoc, backend: Backend, grants: tuple[HostGrantDoc, ...]
) -> UnresolvedBackend:
    namespace = (
        "" if backend.namespace == doc.ref.namespace else f", namespace: {backend.namespace}"
    )
    names = " or ".join(grant.ref.name for grant in grants)
    entry = f"{{name: {backend.name}{namespace}}}"
    if any(grant.spec.backends is not None and grant.spec.backends.services for grant in grants):
        line = f"add to the list backends.services of HostGrant {names}: {entry}"
    else:
        line = f"add to the spec of HostGrant {names}: backends: {{services: [{entry}]}}"
    service = f"{backend.namespace}/{backend.name}"
    return _unresolved(
        "service-not-granted", governed=False,
        namespace=doc.ref.namespace, service=service, line=line,
    )  # fmt: skip
