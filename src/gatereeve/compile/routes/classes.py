"""Which Gate serves which class: names that Gates list, and class documents of our controller.

A class belongs to one Gate: the first by name that lists it; else the one that an IngressClass or
GatewayClass of our controller names by annotation; else the only Gate there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatereeve.api import kube
from gatereeve.api.world import AnyDoc, GateDoc, IngressDoc, World
from gatereeve.compile.routes import foreign_annotations
from gatereeve.core import conditions
from gatereeve.core.findings import Finding
from gatereeve.core.refs import GATEREEVE_GROUP
from gatereeve.core.report import Report, finding

CONTROLLER = conditions.CONTROLLER
GATE_ANNOTATION = "gatereeve.dev/gate"
DEFAULT_ANNOTATION = conditions.DEFAULT_CLASS_ANNOTATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """Class name to gate name. default: the gate of Ingresses that name no class, or None.

    opened: (gate, protocol) of the addresses that gates may open.
    """

    ingress: Mapping[str, str]
    gateway: Mapping[str, str]
    default: str | None
    opened: frozenset[tuple[str, str]]
    findings: tuple[Finding, ...]


def classes_of(world: World) -> Classes:
    """Which gate serves which class.

    Findings: gate-conflict, class-unknown (for a class of ours that no Gate can be found for).
    """
    gates = [world.gates[key] for key in sorted(world.gates)]
    findings: list[Finding] = []
    listed: dict[str, str] = {}
    for gate in gates:
        report = Report(gate, findings)
        for number, name in enumerate(gate.spec.classes):
            owner = listed.setdefault(name, gate.ref.name)
            if owner != gate.ref.name:
                report("gate-conflict.class", f"spec.classes[{number}]", gate=owner, name=name)
    ingress, gateway = _Table("parameters", listed, gates), _Table("parametersRef", listed, gates)
    defaults = []
    for key in sorted(world.ingress_classes):
        doc = world.ingress_classes[key]
        ingress.add(doc, doc.spec.controller, doc.spec.parameters)
        if doc.meta.annotations.get(DEFAULT_ANNOTATION) == "true":
            defaults.append(doc.ref.name)
    for key in sorted(world.gateway_classes):
        of = world.gateway_classes[key]
        gateway.add(of, of.spec.controller_name, of.spec.parameters_ref)
    _withdraw_unreadable(world, ingress.gates, gateway.gates)
    if any(broken.ref.kind == "IngressClass" for broken in world.broken):
        defaults = []
    opened, conflicts = _addresses(gates)
    return Classes(
        ingress=ingress.gates,
        gateway=gateway.gates,
        default=ingress.gates.get(defaults[0]) if len(defaults) == 1 else None,
        opened=opened,
        findings=(*findings, *ingress.findings, *gateway.findings, *conflicts),
    )


def _withdraw_unreadable(world: World, ingress: dict[str, str], gateway: dict[str, str]) -> None:
    """A class document that cannot be read may give its class to another controller."""
    for kind, table in (("IngressClass", ingress), ("GatewayClass", gateway)):
        names = {broken.ref.name for broken in world.broken if broken.ref.kind == kind}
        for name in list(table) if "" in names else names:
            table.pop(name, None)


class _Table:
    """Classes of one kind on their way to gates. field: what its parameters are called."""

    def __init__(self, field: str, listed: Mapping[str, str], gates: list[GateDoc]) -> None:
        self.gates: dict[str, str] = dict(listed)
        self.findings: list[Finding] = []
        self._field = field
        self._all = gates

    def add(
        self, doc: AnyDoc, controller: str | None, parameters: kube.ClassParameters | None
    ) -> None:
        """One class document: it decides about its name."""
        report = Report(doc, self.findings)
        name = doc.ref.name
        if controller != CONTROLLER:
            owner = self.gates.pop(name, None)
            if owner is not None:
                report("class-foreign", gate=owner, name=name, controller=controller)
        elif parameters is not None:
            self._by_parameters(report, parameters)
        elif name not in self.gates:
            wanted = doc.meta.annotations.get(GATE_ANNOTATION)
            names = [g.ref.name for g in self._all if wanted in (None, g.ref.name)]
            if len(names) == 1:
                self.gates[name] = names[0]
            else:
                report("class-unknown.no-gate", name=name, field=self._field)

    def _by_parameters(self, report: Report[AnyDoc], parameters: kube.ClassParameters) -> None:
        """Parameters that name no Gate of ours leave the class without one: a guess would serve it
        elsewhere than its owner meant."""
        group = parameters.group or parameters.api_group
        is_gate = (group, parameters.kind) == (GATEREEVE_GROUP, "Gate")
        named = parameters.name if is_gate and parameters.namespace is None else None
        if any(gate.ref.name == named for gate in self._all) and named is not None:
            self.gates[report.doc.ref.name] = named
            return
        self.gates.pop(report.doc.ref.name, None)
        report("parameters-invalid.class", f"spec.{self._field}",
               name=report.doc.ref.name, kind=parameters.kind, parameters=parameters.name)  # fmt: skip


def gate_of_ingress(doc: IngressDoc, classes: Classes) -> str | Finding:
    """The gate of an Ingress, or why it has none: class-unknown, class-ambiguous."""
    annotated = doc.meta.annotations.get(foreign_annotations.CLASS)
    named = doc.spec.ingress_class_name
    if annotated is not None and named is not None and annotated != named:
        if annotated in classes.ingress or named in classes.ingress:
            return finding(
                doc,
                "class-ambiguous",
                "spec.ingressClassName",
                field=named,
                annotation=foreign_annotations.CLASS,
                annotated=annotated,
            )
        return unknown_class(doc, named)
    name = named if named is not None else annotated
    gate = classes.default if name is None else classes.ingress.get(name)
    return gate if gate is not None else unknown_class(doc, name)


def unknown_class(doc: AnyDoc, name: str | None) -> Finding:
    """class-unknown, for an Ingress or Gateway that is left alone."""
    path = "spec.gatewayClassName" if doc.ref.kind == "Gateway" else "spec.ingressClassName"
    return finding(
        doc, "class-unknown" if name is None else "class-unknown.name", path, doc=doc.ref, name=name
    )


def _addresses(gates: list[GateDoc]) -> tuple[frozenset[tuple[str, str]], list[Finding]]:
    """Who opens what: Gates of a folder share a machine; in a cluster each has its own addresses."""
    opened: set[tuple[str, str]] = set()
    taken: list[tuple[str, int, str]] = []
    findings: list[Finding] = []
    for gate in gates:
        for protocol, address in (("https", gate.spec.https), ("http", gate.spec.http)):
            if address is None:
                continue
            owners = [
                name
                for host, port, name in taken
                if port == address.port and (host == address.host or _ANY & {host, address.host})
                if gate.file or name == gate.ref.name
            ]
            if owners:
                findings.append(
                    finding(
                        gate,
                        "gate-conflict.address",
                        f"spec.{protocol}",
                        gate=owners[0],
                        port=address.port,
                    )
                )
            else:
                taken.append((address.host, address.port, gate.ref.name))
                opened.add((gate.ref.name, protocol))
    return frozenset(opened), findings


_ANY = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to
