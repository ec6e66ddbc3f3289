"""What `gatereeve status` shows, as one JSON value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gatereeve.core.findings import Finding, Severity
from gatereeve.intake.access_log import AccessLog
from gatereeve.ir.gates import Gate, Listener
from gatereeve.proxy.xds.events import GateStatus
from gatereeve.proxy.xds.server import AdsServer
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.local_gates import LocalGates, ProxyState

_SHOWN = 100


def status_of(
    folder: Path,
    plane: ControlPlane,
    fleet: LocalGates,
    intake: AccessLog,
    failures: Mapping[str, int],
) -> dict[str, object]:
    """gates: one object each, by name; findings: counts by severity; records: counts since start.

    A gate is `current` when it has proved that it runs what the documents say now. problems: the
    errors and warnings themselves, errors first, at most 100. failures: how often which task of
    ours failed; its log says how.
    """
    return {
        "folder": str(folder.absolute()),
        "gates": [
            _gate(name, plane) | _process(name, plane, fleet.states.get(name))
            for name in _names(plane)
        ],
        **_findings(plane),
        "records": {"requests": intake.received, "lost": intake.lost},
        "failures": dict(failures),
    }


def controller_status(
    documents: str, plane: ControlPlane, server: AdsServer, failures: Mapping[str, int]
) -> dict[str, object]:
    """The same of a controller: `nodes` in place of the process, each gate that is connected here, and
    those that are asked although another controller serves them.

    A node is `active` with the hash it has proved; one without an agent never proves anything.
    """
    connected: dict[str, list[GateStatus]] = {}
    for gate_status in server.status():
        if gate_status.connected:
            connected.setdefault(gate_status.gate, []).append(gate_status)
    return {
        "folder": documents,
        "gates": [
            _gate(name, plane) | _nodes(name, plane, connected.get(name, []))
            for name in _names(plane)
        ],
        **_findings(plane),
        "failures": dict(failures),
    }


def _names(plane: ControlPlane) -> list[str]:
    return sorted(plane.runs.keys() | plane.unpublished.keys())


def _findings(plane: ControlPlane) -> dict[str, object]:
    findings = plane.all_findings()
    serious = [f for severity in (Severity.ERROR, Severity.WARNING) for f in findings
               if f.severity is severity]  # fmt: skip
    return {
        "findings": {
            severity.name.lower(): sum(f.severity is severity for f in findings)
            for severity in Severity
        },
        "problems": [_finding(finding) for finding in serious[:_SHOWN]],
    }


def _gate(name: str, plane: ControlPlane) -> dict[str, object]:
    run, unpublished = plane.runs.get(name), plane.unpublished.get(name)
    gates = [gate for gate in (run and run.gate, unpublished and unpublished.gate) if gate]
    return {
        "name": name,
        "wanted": gates[-1].hash,
        "active": run.active if run else None,
        "active_at": run.active_at.isoformat(timespec="milliseconds")
        if run and run.active_at
        else None,
        "current": _is_current(name, plane),
        "listens": list(listens_of(gates[0])),
        "hosts": len(hosts_of(gates[0])),
    }


def _is_current(name: str, plane: ControlPlane) -> bool:
    run = plane.runs.get(name)
    return run is not None and run.is_current and name not in plane.unpublished


def _process(name: str, plane: ControlPlane, process: ProxyState | None) -> dict[str, object]:
    runs = process is not None and process.pid is not None
    away = "" if runs else "its Envoy does not run; it is being started"
    return {
        "problem": _problem(name, plane, away),
        "pid": process.pid if process else None,
        "restarts": process.restarts if process else 0,
    }


def _nodes(name: str, plane: ControlPlane, connected: list[GateStatus]) -> dict[str, object]:
    run = plane.runs.get(name)
    known = run.nodes if run else {}
    builds = {gate_status.node: gate_status.build for gate_status in connected}
    nodes = sorted(known.keys() | builds.keys())
    away = "" if nodes else "no gate is connected to this controller"
    return {
        "problem": _problem(name, plane, away),
        "nodes": [
            {
                "node": node,
                "active": known[node].active if node in known else None,
                "current": run is not None and node in known and run.runs(node),
                "connected": node in builds,
                "envoy": builds.get(node),
            }
            for node in nodes
        ],
    }


def hosts_of(gate: Gate) -> frozenset[str]:
    """The hosts that a gate serves, on whichever listener."""
    return frozenset(host.host for listener in gate.listeners for host in listener.hosts)


def listens_of(gate: Gate) -> tuple[str, ...]:
    """Where a gate listens, as `https://127.0.0.1:8443`."""
    return tuple(_url(listener) for listener in gate.listeners)


def _url(listener: Listener) -> str:
    host = f"[{listener.address}]" if ":" in listener.address else listener.address
    return f"{listener.protocol}://{host}:{listener.port}"


def _problem(name: str, plane: ControlPlane, away: str) -> str | None:
    """Why a gate does not run all that the documents say, as far as known; None when it does.

    away: none is connected. A gate without the documents that its Envoy rejects is current.
    """
    rejections = plane.rejections(name)
    if rejections:
        return "; ".join(finding.message for finding in rejections)
    if _is_current(name, plane):
        return None
    run = plane.runs.get(name)
    return away or (run.unproved if run else "") or "it is being brought to what the documents say"


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.code,
        "severity": finding.severity.name.lower(),
        "message": finding.message,
        "hint": finding.hint,
        "place": str(finding.where or finding.origin or "") or None,
    }
