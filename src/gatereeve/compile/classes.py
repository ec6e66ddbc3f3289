"""Which Gate serves which class: names that Gates list, and class documents of our controller.

A class belongs to one Gate: the first by name that lists it; else the one that an IngressClass or
GatewayClass of our controller names by annotation; else the only Gate there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatereeve.api.world import GateDoc, IngressDoc, World
from gatereeve.compile import foreign
from gatereeve.compile.claims import AnyDoc, finding
from gatereeve.core.findings import Finding
from gatereeve.core.memo import Memo

CONTROLLER = "gatereeve.dev/gate"
GATE_ANNOTATION = "gatereeve.dev/gate"
DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classes:
    """Class name to gate name. default: the gate of Ingresses that name no class, or None.

    Equal by identity, so it can be a memo key. opened: (gate, protocol) of the addresses that
    gates may open.
    """

    ingress: Mapping[str, str]
    gateway: Mapping[str, str]
    default: str | None
    opened: frozenset[tuple[str, str]]
    findings: tuple[Finding, ...]


def classes_of(world: World, memo: Memo) -> Classes:
    """The same object as long as Gates and class documents are the same.

    Findings: gate-conflict, class-unknown (for a class of ours that no Gate can be found for).
    """
    key = (
        "classes",
        tuple(world.gates.values()),
        tuple(world.ingress_classes.values()),
        tuple(world.gateway_classes.values()),
    )
    return memo.get(key, lambda: _classes(world))


def _classes(world: World) -> Classes:
    gates = [world.gates[key] for key in sorted(world.gates)]
    findings: list[Finding] = []
    listed: dict[str, str] = {}
    for gate in gates:
        for number, name in enumerate(gate.spec.classes):
            owner = listed.setdefault(name, gate.ref.name)
            if owner != gate.ref.name:
                findings.append(
                    finding(gate, "gate-conflict", f"spec.classes[{number}]",
                            f"Gate {owner} already serves class {name}",
                            "list each class in one Gate")
                )  # fmt: skip
    ingress, gateway = dict(listed), dict(listed)
    defaults = []
    for key in sorted(world.ingress_classes):
        doc = world.ingress_classes[key]
        if doc.spec.controller == CONTROLLER:
            _add(ingress, doc, gates, findings)
        if doc.meta.annotations.get(DEFAULT_ANNOTATION) == "true":
            defaults.append(doc.ref.name)
    for key in sorted(world.gateway_classes):
        gateway_class = world.gateway_classes[key]
        if gateway_class.spec.controller_name == CONTROLLER:
            _add(gateway, gateway_class, gates, findings)
    opened, conflicts = _addresses(gates)
    return Classes(
        ingress=ingress,
        gateway=gateway,
        default=ingress.get(defaults[0]) if len(defaults) == 1 else None,
        opened=opened,
        findings=(*findings, *conflicts),
    )


def _add(
    classes: dict[str, str], doc: AnyDoc, gates: list[GateDoc], findings: list[Finding]
) -> None:
    name = doc.ref.name
    if name in classes:
        return
    wanted = doc.meta.annotations.get(GATE_ANNOTATION)
    found = [g.ref.name for g in gates if wanted in (None, g.ref.name)]
    if len(found) == 1:
        classes[name] = found[0]
    else:
        findings.append(
            finding(doc, "class-unknown", "", f"it is not said which Gate serves class {name}",
                    f"annotate it with {GATE_ANNOTATION}: NAME, or list it in a Gate's spec.classes")
        )  # fmt: skip


def gate_of_ingress(doc: IngressDoc, classes: Classes) -> str | Finding:
    """The gate of an Ingress, or why it has none: class-unknown, class-ambiguous."""
    annotated = doc.meta.annotations.get(foreign.CLASS)
    named = doc.spec.ingress_class_name
    if annotated is not None and named is not None and annotated != named:
        if annotated in classes.ingress or named in classes.ingress:
            return finding(
                doc, "class-ambiguous", "spec.ingressClassName",
                f"ingressClassName says {named}, the annotation {foreign.CLASS} says {annotated}",
                "remove the annotation",
            )  # fmt: skip
        return unknown_class(doc, named)
    name = named if named is not None else annotated
    gate = classes.default if name is None else classes.ingress.get(name)
    return gate if gate is not None else unknown_class(doc, name)


def unknown_class(doc: AnyDoc, name: str | None) -> Finding:
    """class-unknown, for an Ingress or Gateway that is left alone."""
    says = "names no class" if name is None else f"is of class {name}, which is not ours"
    path = "spec.gatewayClassName" if doc.ref.kind == "Gateway" else "spec.ingressClassName"
    return finding(
        doc, "class-unknown", path, f"{doc.ref} {says} and is left alone",
        "use a class that a Gate lists, if it is meant for one",
    )  # fmt: skip


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
                    finding(gate, "gate-conflict", f"spec.{protocol}",
                            f"Gate {owners[0]} already listens on port {address.port} of this address",
                            "give every address of every Gate a port of its own")
                )  # fmt: skip
            else:
                taken.append((address.host, address.port, gate.ref.name))
                opened.add((gate.ref.name, protocol))
    return frozenset(opened), findings


_ANY = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to
