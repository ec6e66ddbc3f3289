"""The Approval document that `gatereeve approve` and `gatereeve reject` make. Pure.

It contains the digest of the version, the role and the person. The compiler decides whether it counts;
the guards decide approver may create it.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Literal

from gatereeve.admission.guards.settings import Object
from gatereeve.api.people import Role
from gatereeve.core.canonical import Json
from gatereeve.core.refs import GATEREEVE_GROUP

_SEPARATORS = re.compile(r"[^a-z0-9]+")


def make_approval(
    namespace: str,
    version: str,
    digest: str,
    *,
    role: Role,
    decided: Literal["approve", "reject"],
    approver: str,
    reason: str,
    expires: datetime | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Object:
    """Return the Approval. since, until: of a break-glass approval. Times have a time zone.

    The name depends on version, decision, role and approver, so a repeated decision is the same object.
    """
    spec: dict[str, Json] = {
        "subject": {"kind": "ModelVersion", "name": version, "digest": digest},
        "role": role,
        "decision": decided,
        "approver": approver,
        "reason": reason,
    }
    if expires is not None:
        spec["expires"] = _format_time(expires)
    if until is not None:
        begin = {"since": _format_time(since)} if since is not None else {}
        spec["breakGlass"] = {**begin, "until": _format_time(until)}
    return {
        "apiVersion": f"{GATEREEVE_GROUP}/v1alpha1",
        "kind": "Approval",
        "metadata": {"name": _make_name(version, spec), "namespace": namespace},
        "spec": spec,
    }


def _format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _make_name(version: str, spec: dict[str, Json]) -> str:
    """Return a readable name with a hash that makes it unique."""
    text = "\n".join(str(spec.get(k)) for k in ("subject", "role", "approver", "breakGlass"))
    suffix = hashlib.sha256(text.encode()).hexdigest()[:10]
    kind = "glass" if "breakGlass" in spec else str(spec["role"])
    approver = (
        _SEPARATORS.sub("-", str(spec["approver"]).lower()).strip("-")[:40].strip("-") or "unnamed"
    )
    return f"{version[:180].rstrip('.-')}-{kind}-{approver}-{suffix}"
