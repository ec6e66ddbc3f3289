"""Gateways: their listeners, attached to the addresses of our Gate, and which routes they admit.

Gateway API v1. A Gate has one address per protocol, so a listener is served when its port is the
port of that address. Hostnames only narrow what routes may ask for; who may ask is a HostGrant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatereeve.api import kube
from gatereeve.api.world import GateDoc, GatewayDoc
from gatereeve.compile import grammar
from gatereeve.compile.claims import Protocol, finding
from gatereeve.compile.hosts import NAME_LABEL, Grants
from gatereeve.core.findings import Finding

GROUP = "gateway.networking.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attached:
    """One listener that is served. host: `*` when the listener names none."""

    position: int
    name: str
    port: int
    protocol: Protocol
    host: str
    admits: kube.AllowedRoutes
    certificates: tuple[kube.SecretObjectReference, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binding:
    """One Gateway on one gate. grants: what the Gateway's own namespace may claim."""

    doc: GatewayDoc
    gate: str
    grants: Grants
    listeners: tuple[Attached, ...]
    findings: tuple[Finding, ...]


def bind(doc: GatewayDoc, gate: GateDoc, grants: Grants) -> Binding:
    """The listeners of `doc` that `gate` serves.

    Findings: listener-invalid, listener-conflict, host-invalid.
    """
    findings: list[Finding] = []
    listeners: list[Attached] = []
    taken: dict[tuple[str, str], str] = {}
    names: set[str] = set()
    for position, listener in enumerate(doc.spec.listeners):
        at = f"spec.listeners[{position}]"
        attached = _attach(doc, gate, at, position, listener, findings)
        if attached is None:
            continue
        other = taken.setdefault((attached.protocol, attached.host), attached.name)
        if other != attached.name or attached.name in names:
            findings.append(
                finding(doc, "listener-conflict", at,
                        f"listener {other} already has port {attached.port} and host {attached.host}, or the same name",
                        "give each listener a name, and a port and hostname of its own")
            )  # fmt: skip
            continue
        names.add(attached.name)
        listeners.append(attached)
    return Binding(
        doc=doc,
        gate=gate.ref.name,
        grants=grants,
        listeners=tuple(listeners),
        findings=tuple(findings),
    )


def _attach(
    doc: GatewayDoc,
    gate: GateDoc,
    at: str,
    position: int,
    listener: kube.Listener,
    findings: list[Finding],
) -> Attached | None:
    def invalid(path: str, message: str, hint: str) -> None:
        findings.append(finding(doc, "listener-invalid", f"{at}{path}", message, hint))

    protocol = _PROTOCOLS.get(listener.protocol)
    if protocol is None:
        invalid(".protocol", f"protocol {listener.protocol} is not served", "use HTTPS or HTTP")
        return None
    address = gate.spec.https if protocol == "https" else gate.spec.http
    if address is None or address.port != listener.port:
        has = "no such address" if address is None else f"port {address.port}"
        invalid(".port", f"Gate {gate.ref.name} has {has} for {listener.protocol}",
                "use the port of the Gate's address, or change the Gate")  # fmt: skip
        return None
    host = listener.hostname or "*"
    if host != "*" and not grammar.is_host(host):
        findings.append(
            finding(doc, "host-invalid", f"{at}.hostname", f"{host!r} is no DNS name",
                    "write a host name in lower case, or `*.` and one, without port")
        )  # fmt: skip
        return None
    problem = _tls_problem(doc.spec, listener, protocol)
    if problem is not None:
        invalid(*problem)
        return None
    unknown = [k.kind for k in listener.allowed_routes.kinds if not _is_http_route(k)]
    if unknown:
        invalid(".allowedRoutes.kinds", f"routes of kind {', '.join(unknown)} are not served",
                "name HTTPRoute, or no kind at all")  # fmt: skip
    return Attached(
        position=position,
        name=listener.name,
        port=listener.port,
        protocol=protocol,
        host=host,
        admits=listener.allowed_routes,
        certificates=listener.tls.certificate_refs if protocol == "https" and listener.tls else (),
    )


def _tls_problem(
    spec: kube.GatewaySpec, listener: kube.Listener, protocol: Protocol
) -> tuple[str, str, str] | None:
    """What a listener asks of TLS that no gate does: place, message, hint.

    A listener that is meant for client certificates must not open without them.
    """
    if spec.backend_tls is not None or spec.tls.backend is not None:
        return ("", "the Gateway shows backends a client certificate, which no gate does",
                "remove spec.tls.backend")  # fmt: skip
    if protocol != "https":
        return None
    if spec.tls.frontend.validates(listener.port):
        return ("", f"spec.tls.frontend asks clients on port {listener.port} for a certificate",
                "say it in the Gate, in spec.identity.mtls, and admit its callers by AccessPolicy")  # fmt: skip
    if listener.tls is None:
        return None
    if listener.tls.mode != "Terminate":
        return (".tls.mode", "a listener that passes TLS through cannot be governed",
                "use mode Terminate")  # fmt: skip
    if listener.tls.frontend_validation is not None:
        return (".tls.frontendValidation", "client certificates are not asked for by a listener",
                "say it in the Gate, in spec.identity.mtls, and admit its callers by AccessPolicy")  # fmt: skip
    if listener.tls.options:
        named = ", ".join(sorted(listener.tls.options))[:200]
        return (".tls.options", f"the TLS options {named} mean nothing here",
                "remove them; the Gate's spec.tls holds the floor")  # fmt: skip
    return None


_PROTOCOLS: dict[str, Protocol] = {"HTTP": "http", "HTTPS": "https"}


def _is_http_route(kind: kube.GroupKind) -> bool:
    return kind.kind == "HTTPRoute" and kind.group in (None, GROUP)


def admits(listener: Attached, gateway: GatewayDoc, labels: Mapping[str, str]) -> bool:
    """Whether a listener takes HTTPRoutes of the namespace with `labels`."""
    if listener.admits.kinds and not any(_is_http_route(k) for k in listener.admits.kinds):
        return False
    namespaces = listener.admits.namespaces
    if namespaces.from_ == "All":
        return True
    if namespaces.from_ == "Same":
        return labels[NAME_LABEL] == gateway.ref.namespace
    if namespaces.from_ == "Selector" and namespaces.selector is not None:
        return _selects(namespaces.selector, labels)
    return False


def _selects(selector: kube.NamespaceSelectorSpec, labels: Mapping[str, str]) -> bool:
    """A Kubernetes label selector; an expression that cannot be read selects nothing."""
    if any(labels.get(k) != v for k, v in selector.match_labels.items()):
        return False
    return all(_holds(expression, labels) for expression in selector.match_expressions)


def _holds(expression: Mapping[str, object], labels: Mapping[str, str]) -> bool:
    key, operator = expression.get("key"), expression.get("operator")
    values = expression.get("values") or ()
    if not isinstance(key, str) or not isinstance(values, list | tuple):
        return False
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return key in labels
    return operator == "DoesNotExist" and key not in labels


def common_host(listener: str, route: str) -> str | None:
    """The host that a listener and a route have in common; None when they have none.

    `*` takes everything; `*.suffix` takes one or more labels. The more specific one remains.
    """
    if listener in ("*", route):
        return route
    if route == "*":
        return listener
    if listener.startswith("*.") and _is_beneath(route, listener):
        return route
    if route.startswith("*.") and _is_beneath(listener, route):
        return listener
    return None


def _is_beneath(host: str, wildcard: str) -> bool:
    return host.removeprefix("*").endswith(wildcard[1:]) and host != wildcard[2:]
