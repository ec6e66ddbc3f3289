"""What `gatereeve status` tells, as one JSON value. Pure: a reading of what others know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gatereeve.core.findings import Finding, Severity
from gatereeve.intake.accesslog import AccessLog
from gatereeve.ir.gates import Gate
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.proxies import Fleet, ProxyState

_SHOWN = 100


def status_of(
    folder: Path,
    plane: ControlPlane,
    fleet: Fleet,
    intake: AccessLog,
    failures: Mapping[str, int],
) -> dict[str, object]:
    """gates: one object each, by name; findings: counts by severity; records: counts since start.

    A gate is `current` when it has proved that it runs what the documents say now. problems: the
    errors and warnings themselves, errors first, at most 100. failures: how often which task of
    ours failed; its log says how.
    """
    found = plane.all_findings()
    serious = [f for severity in (Severity.ERROR, Severity.WARNING) for f in found
               if f.severity is severity]  # fmt: skip
    return {
        "folder": str(folder.absolute()),
        "gates": [
            _gate(name, plane, fleet.states.get(name))
            for name in sorted(plane.runs.keys() | plane.unpublished.keys())
        ],
        "findings": {
            severity.name.lower(): sum(f.severity is severity for f in found)
            for severity in Severity
        },
        "problems": [_finding(one) for one in serious[:_SHOWN]],
        "records": {"requests": intake.received, "lost": intake.lost},
        "failures": dict(failures),
    }


def _gate(name: str, plane: ControlPlane, process: ProxyState | None) -> dict[str, object]:
    run, unpublished = plane.runs.get(name), plane.unpublished.get(name)
    gates = [gate for gate in (run and run.gate, unpublished and unpublished.gate) if gate]
    is_current = run is not None and run.is_current and unpublished is None
    return {
        "name": name,
        "wanted": gates[-1].hash,
        "active": run.active if run else None,
        "active_at": run.active_at.isoformat(timespec="milliseconds")
        if run and run.active_at
        else None,
        "current": is_current,
        "problem": None if is_current else _problem(name, plane, process),
        "pid": process.pid if process else None,
        "restarts": process.restarts if process else 0,
        "listens": list(listens_of(gates[0])),
        "hosts": len(hosts_of(gates[0])),
    }


def hosts_of(gate: Gate) -> frozenset[str]:
    """The hosts that a gate serves, on whichever listener."""
    return frozenset(host.host for one in gate.listeners for host in one.hosts)


def listens_of(gate: Gate) -> tuple[str, ...]:
    """Where a gate listens, as `https://127.0.0.1:8443`."""
    return tuple(
        f"{one.protocol}://{f'[{one.address}]' if ':' in one.address else one.address}:{one.port}"
        for one in gate.listeners
    )


def _problem(name: str, plane: ControlPlane, process: ProxyState | None) -> str:
    """Why a gate does not run what the documents say, as far as known."""
    rejections = plane.rejections(name)
    if rejections:
        return "; ".join(found.message for found in rejections)
    if process is None or process.pid is None:
        return "its Envoy does not run; it is being started"
    run = plane.runs.get(name)
    return (run.unproved if run else "") or "it is being brought to what the documents say"


def _finding(found: Finding) -> dict[str, object]:
    return {
        "code": found.code,
        "severity": found.severity.name.lower(),
        "message": found.message,
        "hint": found.hint,
        "place": str(found.where or found.origin or "") or None,
    }
