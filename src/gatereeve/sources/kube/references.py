"""Which Secrets may be read: those that a Gate, or an Ingress or Gateway of ours, names.

Wider than what a compilation will use, never wider than what our own documents and the grants of
the Secrets' owners open; `compile` judges each reference again. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from gatereeve.api import gate as gate_api
from gatereeve.api.world import (
    GateDoc,
    GatewayClassDoc,
    GatewayDoc,
    IngressClassDoc,
    IngressDoc,
    Key,
    ReferenceGrantDoc,
)
from gatereeve.core import conditions, refs

_GATEWAY_GROUP = "gateway.networking.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Referring:
    """The documents that can name a Secret or open one, as in `World`."""

    gates: Mapping[Key, GateDoc] = field(default_factory=dict)
    ingresses: Mapping[Key, IngressDoc] = field(default_factory=dict)
    ingress_classes: Mapping[Key, IngressClassDoc] = field(default_factory=dict)
    gateways: Mapping[Key, GatewayDoc] = field(default_factory=dict)
    gateway_classes: Mapping[Key, GatewayClassDoc] = field(default_factory=dict)
    reference_grants: Mapping[Key, ReferenceGrantDoc] = field(default_factory=dict)


def secrets_of(documents: Referring) -> dict[Key, refs.Origin]:
    """Every Secret that may be read, with one of the places that name it."""
    found: dict[Key, refs.Origin] = {}
    for origin, key in _named(documents):
        found.setdefault(key, origin)
    return found


def _named(documents: Referring) -> Iterator[tuple[refs.Origin, Key]]:
    listed = {name for gate in documents.gates.values() for name in gate.spec.classes}
    for gate in documents.gates.values():
        for reference in _references(gate.spec):
            yield gate.origin("spec"), (reference.namespace, reference.name)
    yield from _of_ingresses(documents, listed)
    yield from _of_gateways(documents, listed)


def _of_ingresses(documents: Referring, listed: set[str]) -> Iterator[tuple[refs.Origin, Key]]:
    classes = documents.ingress_classes.values()
    ours = listed | {c.ref.name for c in classes if c.spec.controller == conditions.CONTROLLER}
    defaults = {
        c.ref.name
        for c in classes
        if c.meta.annotations.get(conditions.DEFAULT_CLASS_ANNOTATION) == "true"
    }
    for doc in documents.ingresses.values():
        annotated = doc.meta.annotations.get(conditions.CLASS_ANNOTATION)
        named = {name for name in (annotated, doc.spec.ingress_class_name) if name is not None}
        if not ours & (named or defaults):
            continue
        for index, tls in enumerate(doc.spec.tls):
            if tls.secret_name:
                yield doc.origin(f"spec.tls[{index}]"), (doc.ref.namespace, tls.secret_name)


def _of_gateways(documents: Referring, listed: set[str]) -> Iterator[tuple[refs.Origin, Key]]:
    classes = documents.gateway_classes.values()
    ours = listed | {c.ref.name for c in classes if c.spec.controller_name == conditions.CONTROLLER}
    for doc in documents.gateways.values():
        if doc.spec.gateway_class_name not in ours:
            continue
        for index, listener in enumerate(doc.spec.listeners):
            for ref in listener.tls.certificate_refs if listener.tls is not None else ():
                namespace = ref.namespace or doc.ref.namespace
                if (ref.group, ref.kind) != ("", "Secret"):
                    continue
                if namespace == doc.ref.namespace or _is_opened(
                    documents, doc.ref.namespace, namespace, ref.name
                ):
                    yield doc.origin(f"spec.listeners[{index}].tls"), (namespace, ref.name)


def _is_opened(documents: Referring, by: str, namespace: str, name: str) -> bool:
    """Whether a ReferenceGrant in `namespace` lets Gateways of `by` use that Secret."""
    return any(
        any(
            (f.group, f.kind, f.namespace) == (_GATEWAY_GROUP, "Gateway", by)
            for f in doc.spec.from_
        )
        and any(
            (t.group, t.kind) == ("", "Secret") and t.name in (None, "", name) for t in doc.spec.to
        )
        for doc in documents.reference_grants.values()
        if doc.ref.namespace == namespace
    )


def _references(part: object) -> Iterator[gate_api.SecretRef]:
    """Every Secret that stands anywhere in a Gate, so that a new place is not forgotten."""
    if isinstance(part, gate_api.SecretRef):
        yield part
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from _references(getattr(part, name))
    elif isinstance(part, tuple):
        for item in part:
            yield from _references(item)
