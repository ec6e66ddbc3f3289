"""The document of one decision, as `gatereeve approve` and `reject` make it. Pure.

Everything that binds is in it: the digest of the version as it is now, the role, the person. Whether
it counts is the compiler's business, and who may make it the guards'.
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

_OTHER = re.compile(r"[^a-z0-9]+")


def decision(
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
    """The Approval. since, until: of a broken glass; times have a zone.

    Its name follows from what is decided, by whom and as what: deciding again is the same object.
    """
    spec: dict[str, Json] = {
        "subject": {"kind": "ModelVersion", "name": version, "digest": digest},
        "role": role,
        "decision": decided,
        "approver": approver,
        "reason": reason,
    }
    if expires is not None:
        spec["expires"] = _instant(expires)
    if until is not None:
        begin = {"since": _instant(since)} if since is not None else {}
        spec["breakGlass"] = {**begin, "until": _instant(until)}
    return {
        "apiVersion": f"{GATEREEVE_GROUP}/v1alpha1",
        "kind": "Approval",
        "metadata": {"name": _name(version, spec), "namespace": namespace},
        "spec": spec,
    }


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _name(version: str, spec: dict[str, Json]) -> str:
    """Legible as far as it goes, and distinct by a hash of what it stands for."""
    said = "\n".join(str(spec.get(k)) for k in ("subject", "role", "approver", "breakGlass"))
    sign = hashlib.sha256(said.encode()).hexdigest()[:10]
    kind = "glass" if "breakGlass" in spec else str(spec["role"])
    who = _OTHER.sub("-", str(spec["approver"]).lower()).strip("-")[:40].strip("-") or "somebody"
    return f"{version[:180].rstrip('.-')}-{kind}-{who}-{sign}"
