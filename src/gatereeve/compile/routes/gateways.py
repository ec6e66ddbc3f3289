"""Gateways: their listeners, attached to the ports of a listener set, and which routes they admit.

Gateway API v1. On a Gate whose Gateways share its addresses a listener is served when its port is the
port of the address of its protocol; where each Gateway has addresses of its own, any port will do.
Hostnames only narrow what routes may ask for; who may ask is a HostGrant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gatereeve.api import kube
from gatereeve.api.world import GateDoc, GatewayDoc, Key
from gatereeve.compile.routes import grammar
from gatereeve.compile.routes.host_grants import NAME_LABEL, Grants
from gatereeve.compile.routes.listener_sets import ListenerSet, listener_port_name, own_listener_set
from gatereeve.compile.routes.requests import CertificateRequest, Protocol
from gatereeve.compile.routes.route_order import age
from gatereeve.core.findings import Finding
from gatereeve.core.report import Report

GROUP = "gateway.networking.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attached:
    """One listener that is served. host: `*` when the listener names none. listener_port: of its listener set."""

    position: int
    name: str
    port: int
    protocol: Protocol
    host: str
    listener_port: str
    admits: kube.AllowedRoutes
    certificates: tuple[kube.SecretObjectReference, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ListenerState:
    """What became of one listener. attached: None when it is not served.

    refused: why not, when it cannot be: (reason, message), in Gateway API's reasons. conflict:
    likewise, when another listener has its port and host. unknown: kinds of routes that it names and
    nothing here serves.
    """

    name: str
    is_known: bool
    attached: Attached | None = None
    refused: tuple[str, str] | None = None
    conflict: tuple[str, str] | None = None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binding:
    """One Gateway on one gate. grants: what the Gateway's own namespace may claim.

    listener_set: its own; None when it shares that of the gate. states: of every listener, in order.
    refused: why the whole Gateway is not served: (reason, message). certificates: what the listeners
    of its own listener set show for their own hosts, whether a route asks for them or not.
    """

    doc: GatewayDoc
    gate: str
    grants: Grants
    listener_set: ListenerSet | None
    listeners: tuple[Attached, ...]
    states: tuple[ListenerState, ...]
    refused: tuple[str, str] | None
    certificates: tuple[CertificateRequest, ...]
    findings: tuple[Finding, ...]

    @property
    def gateway(self) -> Key | None:
        """The Gateway of its own listener set, as in `HostRoute.gateway`; None when it has none."""
        return None if self.listener_set is None else self.listener_set.gateway


def bind(
    doc: GatewayDoc, gate: GateDoc, grants: Grants, ports: tuple[tuple[int, int], ...] = ()
) -> Binding:
    """The listeners of `doc` that `gate` serves.

    ports: the Gateway's own ports and the gate's port for each (`listener_sets.assigned_ports`).
    Findings: listener-invalid, listener-conflict, host-invalid, parameters-invalid,
    gateway-pending.
    """
    work = _Binder(doc, gate)
    refused = work.refusal()
    states = [] if refused else [work.state(n, x) for n, x in enumerate(doc.spec.listeners)]
    attached = [state.attached for state in states if state.attached is not None]
    listener_set = None
    if gate.spec.gateways is not None:
        protocols = {listener.port: listener.protocol for listener in attached}
        listener_set = own_listener_set(gate, doc, protocols, dict(ports))
        work.say_pending(listener_set, attached)
    return Binding(
        doc=doc,
        gate=gate.ref.name,
        grants=grants,
        listener_set=listener_set,
        listeners=tuple(attached),
        states=tuple(states),
        refused=refused,
        certificates=()
        if listener_set is None
        else tuple(_own_certificates(doc, listener_set, grants, attached)),
        findings=tuple(work.report.findings),
    )


def _own_certificates(
    doc: GatewayDoc, listener_set: ListenerSet, grants: Grants, attached: list[Attached]
) -> Iterator[CertificateRequest]:
    """The certificates of each listener for its own host, as far as the Gateway is granted it."""
    for listener in attached:
        if grants.has_host(listener.host):
            for number, reference in enumerate(listener.certificates):
                yield certificate_claim(doc, listener_set.gate, listener_set.gateway, listener, number, reference,
                                        listener.host)  # fmt: skip


def certificate_claim(
    doc: GatewayDoc,
    gate: str,
    gateway: Key | None,
    listener: Attached,
    number: int,
    reference: kube.SecretObjectReference,
    host: str,
) -> CertificateRequest:
    """The request of one certificateRef of a listener, for one host."""
    return CertificateRequest(
        gate=gate,
        gateway=gateway,
        host=host,
        doc=doc,
        where=f"spec.listeners[{listener.position}].tls.certificateRefs[{number}]",
        place=(age(doc), listener.position, number),
        namespace=reference.namespace or doc.ref.namespace,
        name=secret_name(reference),
    )


def secret_name(ref: kube.SecretObjectReference) -> str:
    """The Secret that is named; another kind of object is no Secret, and "" resolves to nothing."""
    return ref.name if (ref.group, ref.kind) == ("", "Secret") else ""


class _Binder:
    """One Gateway, listener by listener; the first of two that want one port and host has it."""

    def __init__(self, doc: GatewayDoc, gate: GateDoc) -> None:
        self.report = Report(doc)
        self._doc = doc
        self._gate = gate
        self._hosts: dict[tuple[int, str], str] = {}
        self._protocols: dict[int, tuple[str, str]] = {}
        self._names: set[str] = set()

    def refusal(self) -> tuple[str, str] | None:
        """What the Gateway asks for and no gate gives: then none of its listeners is served."""
        spec = self._doc.spec
        if spec.infrastructure.parameters_ref is not None:
            problem = self.report("parameters-invalid.gateway", "spec.infrastructure.parametersRef")
            return "InvalidParameters", problem.message
        if any(address.value for address in spec.addresses):
            problem = self.report("listener-invalid.addresses", "spec.addresses")
            return "UnsupportedAddress", problem.message
        return None

    def say_pending(self, listener_set: ListenerSet, attached: list[Attached]) -> None:
        missing = sorted(
            {x.port for x in attached}
            - {listener_port.shown for listener_port in listener_set.listener_ports}
        )
        if missing:
            self.report("gateway-pending", ports=missing, gate=self._gate.ref.name)

    def state(self, position: int, listener: kube.Listener) -> ListenerState:
        """What becomes of one listener."""
        at = f"spec.listeners[{position}]"
        protocol = _PROTOCOLS.get(listener.protocol)
        refused = self._refused(at, listener, protocol)
        if refused is not None or protocol is None:
            known = protocol is not None
            return ListenerState(name=listener.name, is_known=known, refused=refused)
        unknown = tuple(k.kind for k in listener.allowed_routes.kinds if not _is_http_route(k))
        if unknown:
            self.report("listener-invalid.kinds", f"{at}.allowedRoutes.kinds", kinds=unknown)
        host = listener.hostname or "*"
        conflict = self._conflict(at, listener, protocol, host)
        if conflict is not None:
            return ListenerState(
                name=listener.name, is_known=True, conflict=conflict, unknown=unknown
            )
        attached = Attached(
            position=position,
            name=listener.name,
            port=listener.port,
            protocol=protocol,
            host=host,
            listener_port=self._door(listener, protocol),
            admits=listener.allowed_routes,
            certificates=listener.tls.certificate_refs
            if protocol == "https" and listener.tls
            else (),
        )
        return ListenerState(name=listener.name, is_known=True, attached=attached, unknown=unknown)

    def _door(self, listener: kube.Listener, protocol: Protocol) -> str:
        if self._gate.spec.gateways is None:
            return protocol
        key = (self._doc.ref.namespace, self._doc.ref.name)
        return listener_port_name(self._gate.ref.name, key, listener.port)

    def _refused(
        self, at: str, listener: kube.Listener, protocol: Protocol | None
    ) -> tuple[str, str] | None:
        """Why the listener cannot be served, apart from other listeners."""
        if protocol is None:
            problem = self.report(
                "listener-invalid.protocol", f"{at}.protocol", protocol=listener.protocol
            )
            return "UnsupportedProtocol", problem.message
        gate = self._gate
        address = gate.spec.https if protocol == "https" else gate.spec.http
        if gate.spec.gateways is None and (address is None or address.met_at != listener.port):
            has = "no such address" if address is None else f"port {address.met_at}"
            problem = self.report(
                "listener-invalid.port",
                f"{at}.port",
                gate=gate.ref.name,
                has=has,
                protocol=listener.protocol,
            )
            return "PortUnavailable", problem.message
        host = listener.hostname or "*"
        if host != "*" and not grammar.is_host(host):
            problem = self.report("host-invalid", f"{at}.hostname", host=host)
            return "UnsupportedValue", problem.message
        unmet = _unmet_tls(self._doc.spec, listener, protocol)
        if unmet is None:
            return None
        case, path, values = unmet
        problem = self.report(f"listener-invalid.{case}", f"{at}{path}", **values)
        return "UnsupportedValue", problem.message

    def _conflict(
        self, at: str, listener: kube.Listener, protocol: Protocol, host: str
    ) -> tuple[str, str] | None:
        """Which listener before this one has its port, as (reason, message)."""
        name, port = listener.name, listener.port
        other, spoken = self._protocols.setdefault(port, (name, protocol))
        if spoken != protocol:
            problem = self.report(
                "listener-conflict.protocol", at, other=other, protocol=spoken.upper(), port=port
            )
            return "ProtocolConflict", problem.message
        other = self._hosts.setdefault((port, host), name)
        if other != name or name in self._names:
            problem = self.report("listener-conflict.host", at, other=other, port=port, host=host)
            return "HostnameConflict", problem.message
        self._names.add(name)
        return None


def _unmet_tls(
    spec: kube.GatewaySpec, listener: kube.Listener, protocol: Protocol
) -> tuple[str, str, dict[str, object]] | None:
    """What a listener asks of TLS that no gate does: case, place and values of `listener-invalid`.

    A listener that is meant for client certificates must not open without them.
    """
    if spec.backend_tls is not None or spec.tls.backend is not None:
        return "backend-certificate", "", {}
    if protocol != "https":
        return None
    if spec.tls.frontend.validates(listener.port):
        return "client-certificates", "", {"port": listener.port}
    if listener.tls is None:
        return None
    if listener.tls.mode != "Terminate":
        return "passthrough", ".tls.mode", {}
    if listener.tls.frontend_validation is not None:
        return "frontend-validation", ".tls.frontendValidation", {}
    if listener.tls.options:
        return "tls-options", ".tls.options", {"options": sorted(listener.tls.options)[:20]}
    return None


_PROTOCOLS: dict[str, Protocol] = {"HTTP": "http", "HTTPS": "https"}


def _is_http_route(kind: kube.GroupKind) -> bool:
    return kind.kind == "HTTPRoute" and kind.group in (None, GROUP)


def takes_routes(allowed: kube.AllowedRoutes) -> bool:
    """Whether a listener takes HTTPRoutes at all."""
    return not allowed.kinds or any(_is_http_route(kind) for kind in allowed.kinds)


def admits(listener: Attached, gateway: GatewayDoc, labels: Mapping[str, str]) -> bool:
    """Whether a listener takes HTTPRoutes of the namespace with `labels`."""
    if not takes_routes(listener.admits):
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


def is_closer(listeners: tuple[Attached, ...], listener: Attached, host: str) -> bool:
    """Whether another listener of the same port covers all of `host` with a closer name.

    Requests to `host` are that listener's then, whether a route is attached to it or not.
    """
    return any(
        other.port == listener.port
        and _closeness(other.host) > _closeness(listener.host)
        and common_host(other.host, host) == host
        for other in listeners
    )


def _closeness(host: str) -> tuple[bool, int]:
    """A whole name is closer than a wildcard, a longer one than a shorter one, `*` the least."""
    return not host.startswith("*"), len(host)


def _is_beneath(host: str, wildcard: str) -> bool:
    return host.removeprefix("*").endswith(wildcard[1:]) and host != wildcard[2:]
