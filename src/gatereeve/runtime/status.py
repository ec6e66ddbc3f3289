"""What `gatereeve status` tells, as one JSON value. Pure: a reading of what others know."""

from __future__ import annotations

from gatereeve.core.findings import Severity
from gatereeve.intake.accesslog import AccessLog
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.proxies import Fleet


def status_of(plane: ControlPlane, fleet: Fleet, intake: AccessLog) -> dict[str, object]:
    """gates: one object each, by name; findings: counts by severity; records: counts since start.

    A gate is `current` when it has proved that it runs what was published last.
    """
    gates: list[dict[str, object]] = []
    for name, run in sorted(plane.runs.items()):
        process = fleet.states.get(name)
        gates.append(
            {
                "name": name,
                "wanted": run.gate.hash,
                "active": run.active,
                "active_at": run.active_at.isoformat(timespec="milliseconds") if run.active_at else None,
                "current": run.active == run.gate.hash,
                "problem": run.problem,
                "pid": process.pid if process else None,
                "restarts": process.restarts if process else 0,
                "listens": [
                    f"{one.protocol}://{one.address}:{one.port}" for one in run.gate.listeners
                ],
                "hosts": sum(len(one.hosts) for one in run.gate.listeners),
            }
        )  # fmt: skip
    found = plane.all_findings()
    return {
        "gates": gates,
        "findings": {
            severity.name.lower(): sum(f.severity is severity for f in found)
            for severity in Severity
        },
        "records": {"requests": intake.received, "lost": intake.lost},
    }
