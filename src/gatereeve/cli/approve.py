"""`gatereeve approve` and `gatereeve reject`: one decision on one version, for the digest of now.

Prints the Approval, for `kubectl apply -f -` or a file beside the other documents. Talks to no
cluster: what the cluster thinks of it is said by its guards.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer
import yaml

from gatereeve.admission.approving import decision
from gatereeve.api.people import Role
from gatereeve.api.world import ModelVersionDoc
from gatereeve.cli.terminal import ERR
from gatereeve.core.errors import SettingsError
from gatereeve.runtime.folders import read_folder
from gatereeve.runtime.supervise import SystemClock


class RoleName(StrEnum):
    """As whom somebody decides."""

    owner = "owner"
    risk = "risk"
    privacy = "privacy"
    security = "security"


_VERSION = typer.Argument(help="The ModelVersion: NAME or NAMESPACE/NAME.", show_default=False)
_ROLE = typer.Option("--role", help="As whom you decide.", show_default=False)
_REASON = typer.Option("--reason", help="Why; it stays on record.", show_default=False)
_WHO = typer.Option(
    "--approver",
    help="You, as the API server knows you (`kubectl auth whoami`).",
    show_default=False,
)
_FOLDER = typer.Option(
    "--folder", help="The documents; the digest is read from there.", show_default=False
)
_DIGEST = typer.Option(
    "--digest",
    help="The digest you looked at, instead of a folder: status.digest of the version.",
    show_default=False,
)
_EXPIRES = typer.Option(
    "--expires", help="When the decision ends: 2027-06-30 or with a time.", show_default=False
)
_GLASS = typer.Option(
    "--break-glass",
    help="No approval but an emergency, for so many hours; for those whom a Gate names.",
    min=1,
    max=72,
    show_default=False,
)


def approve(
    version: Annotated[str, _VERSION],
    role: Annotated[RoleName, _ROLE],
    reason: Annotated[str, _REASON],
    approver: Annotated[str, _WHO],
    folder: Annotated[Path | None, _FOLDER] = None,
    digest: Annotated[str | None, _DIGEST] = None,
    expires: Annotated[datetime | None, _EXPIRES] = None,
    break_glass: Annotated[int | None, _GLASS] = None,
) -> None:
    """Approve a version as it is now: print the Approval, for `| kubectl apply -f -` or a file."""
    glass = None if break_glass is None else timedelta(hours=break_glass)
    if glass is not None and expires is not None:
        raise SettingsError("--break-glass ends by itself; leave --expires out")
    if glass is not None and len(reason) < 10:
        raise SettingsError("an emergency needs a --reason that others understand")
    _decide("approve", version, role, reason, approver, folder, digest, expires, glass)


def reject(
    version: Annotated[str, _VERSION],
    role: Annotated[RoleName, _ROLE],
    reason: Annotated[str, _REASON],
    approver: Annotated[str, _WHO],
    folder: Annotated[Path | None, _FOLDER] = None,
    digest: Annotated[str | None, _DIGEST] = None,
) -> None:
    """Reject a version as it is now: print the Approval that says so. One rejection is enough."""
    _decide("reject", version, role, reason, approver, folder, digest, None, None)


def _decide(
    decided: Literal["approve", "reject"],
    version: str,
    role: RoleName,
    reason: str,
    approver: str,
    folder: Path | None,
    digest: str | None,
    expires: datetime | None,
    glass: timedelta | None,
) -> None:
    if (folder is None) == (digest is None):
        raise SettingsError("give either --folder or --digest: a decision binds to one digest")
    namespace, _, name = version.rpartition("/")
    if folder is not None:
        found = _find(folder, namespace, name)
        namespace, name, digest = found.ref.namespace, found.ref.name, found.digest
        if decided == "approve" and found.spec.author == approver:
            raise SettingsError(
                f"{approver} is the author of {found.ref.short}", hint="let somebody else decide"
            )
    now = SystemClock().now()
    document = decision(
        namespace or "default",
        name,
        digest or "",
        role=_role(role),
        decided=decided,
        approver=approver,
        reason=reason,
        expires=None if expires is None else _zoned(expires),
        since=None if glass is None else now,
        until=None if glass is None else now + glass,
    )
    typer.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)
    if glass is not None:
        ERR.print("An emergency: it is told as break-glass-active as long as it lasts.")


def _role(role: RoleName) -> Role:
    names: dict[RoleName, Role] = {
        RoleName.owner: "owner", RoleName.risk: "risk",
        RoleName.privacy: "privacy", RoleName.security: "security",
    }  # fmt: skip
    return names[role]


def _zoned(moment: datetime) -> datetime:
    """A time without a zone is meant in UTC, as in documents."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _find(folder: Path, namespace: str, name: str) -> ModelVersionDoc:
    found = [
        doc
        for (place, key), doc in read_folder(folder).model_versions.items()
        if key == name and namespace in ("", place)
    ]
    if len(found) != 1:
        raise SettingsError(
            f"there is {'no' if not found else 'more than one'} ModelVersion {name} in {folder}",
            hint="write NAMESPACE/NAME; `gatereeve digest` lists them",
        )
    return found[0]
