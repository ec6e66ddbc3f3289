"""`gatereeve approve` and `gatereeve reject`: one decision on one version, for the digest of now.

Prints the Approval, for `kubectl apply -f -` or a file beside the other documents; or makes it in a
cluster, as the person whom the API server knows. The guards of the cluster accept or refuse it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, cast

import typer
import yaml

from gatereeve.admission.approvals import make_approval
from gatereeve.admission.guards.settings import Object
from gatereeve.api.people import Role, is_anonymous
from gatereeve.api.world import ModelVersionDoc, World
from gatereeve.cli.cluster import chosen
from gatereeve.cli.terminal import ERR, OUT
from gatereeve.compile.governance.people import gather_people
from gatereeve.compile.governance.person_names import Directory, UnclearError
from gatereeve.core.errors import SettingsError
from gatereeve.runtime.decision_writer import decide
from gatereeve.runtime.folder_reader import read_folder
from gatereeve.runtime.supervise import SystemClock
from gatereeve.sources.kube.access import Access


class RoleName(StrEnum):
    """The role of a decision."""

    owner = "owner"
    risk = "risk"
    privacy = "privacy"
    security = "security"


_VERSION = typer.Argument(help="The ModelVersion: NAME or NAMESPACE/NAME.", show_default=False)
_ROLE = typer.Option("--role", help="As whom you decide.", show_default=False)
_REASON = typer.Option("--reason", help="Why; it stays on record.", show_default=False)
_WHO = typer.Option(
    "--approver",
    help="You, as the API server knows you (`kubectl auth whoami`). Not needed with --cluster.",
    show_default=False,
)
_CLUSTER = typer.Option(
    "--cluster",
    help="Read the version from the cluster that kubectl would ask, and make the Approval there.",
)
_KUBECONFIG = typer.Option(
    help="The same, by this file.", show_default="$KUBECONFIG, ~/.kube/config"
)
_CONTEXT = typer.Option(help="Of the kubeconfig.")
_FOLDER = typer.Option(
    "--folder", help="The documents; the digest is read from there.", show_default=False
)
_DIGEST = typer.Option(
    "--digest",
    help="The digest you looked at, status.digest of the version: instead of a folder, or to be sure"
    " that the cluster still has that one.",
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
    approver: Annotated[str, _WHO] = "",
    folder: Annotated[Path | None, _FOLDER] = None,
    digest: Annotated[str | None, _DIGEST] = None,
    cluster: Annotated[bool, _CLUSTER] = False,  # noqa: FBT002 - a flag
    kubeconfig: Annotated[Path | None, _KUBECONFIG] = None,
    context: Annotated[str | None, _CONTEXT] = None,
    expires: Annotated[datetime | None, _EXPIRES] = None,
    break_glass: Annotated[int | None, _GLASS] = None,
) -> None:
    """Approve a version as it is now: print the Approval, for `| kubectl apply -f -` or a file, or
    make it in the cluster."""
    glass = None if break_glass is None else timedelta(hours=break_glass)
    if glass is not None and expires is not None:
        raise SettingsError("--break-glass ends by itself; leave --expires out")
    if glass is not None and len(reason) < 10:
        raise SettingsError("an emergency needs a --reason that others understand")
    decision = DecisionText(
        decided="approve", role=_role(role), reason=reason, approver=approver, digest=digest,
        expires=None if expires is None else _zoned(expires), glass=glass,
    )  # fmt: skip
    _decide(decision, version, folder, chosen(kubeconfig, context, cluster=cluster))


def reject(
    version: Annotated[str, _VERSION],
    role: Annotated[RoleName, _ROLE],
    reason: Annotated[str, _REASON],
    approver: Annotated[str, _WHO] = "",
    folder: Annotated[Path | None, _FOLDER] = None,
    digest: Annotated[str | None, _DIGEST] = None,
    cluster: Annotated[bool, _CLUSTER] = False,  # noqa: FBT002 - a flag
    kubeconfig: Annotated[Path | None, _KUBECONFIG] = None,
    context: Annotated[str | None, _CONTEXT] = None,
) -> None:
    """Reject a version as it is now: print the Approval that says so, or make it in the cluster.
    One rejection is enough."""
    decision = DecisionText(
        decided="reject", role=_role(role), reason=reason, approver=approver, digest=digest
    )  # fmt: skip
    _decide(decision, version, folder, chosen(kubeconfig, context, cluster=cluster))


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionText:
    """One decision, as given on the command line. digest: of the version that was reviewed."""

    decided: Literal["approve", "reject"]
    role: Role
    reason: str
    approver: str
    digest: str | None
    expires: datetime | None = None
    glass: timedelta | None = None

    def document(self, namespace: str, name: str, digest: str, approver: str) -> Object:
        if is_anonymous(approver):
            raise SettingsError(
                f"{approver} is no person: callers without a credential have this name",
                hint="--approver NAME of the person who decides",
            )
        now = SystemClock().now()
        return make_approval(
            namespace,
            name,
            digest,
            role=self.role,
            decided=self.decided,
            approver=approver,
            reason=self.reason,
            expires=self.expires,
            since=None if self.glass is None else now,
            until=None if self.glass is None else now + self.glass,
        )

    def of_version(self, version: ModelVersionDoc, approver: str, directory: Directory) -> Object:
        """Raises SettingsError for what would not count: an author's own approval, a name that is
        refused, another digest than was reviewed."""
        if self.decided == "approve":
            decides = _person(directory, approver, self.role)
            if decides == _person(directory, version.spec.author):
                raise SettingsError(
                    f"{approver} is the author of {version.ref.short} ({version.spec.author})",
                    hint="another person must decide",
                )
        if self.digest not in (None, version.digest):
            raise SettingsError(
                f"{version.ref.short} is not what you looked at: its digest is {version.digest}",
                hint="look at it again; a decision binds to one digest",
            )
        return self.document(version.ref.namespace, version.ref.name, version.digest, approver)


def _person(directory: Directory, name: str, role: Role | None = None) -> str:
    """Who that is. Raises SettingsError for a name that is no person's."""
    try:
        return directory.find(name, role).id
    except UnclearError as error:
        raise SettingsError(
            f"{name!a} does not count as a person here: {error}",
            hint="write it as the API server or the People documents have it",
        ) from error


def _decide(decision: DecisionText, text: str, folder: Path | None, access: Access | None) -> None:
    namespace, _, name = text.rpartition("/")
    if access is not None:
        if folder is not None:
            raise SettingsError("a folder and a cluster are two places: name one")
        made = asyncio.run(
            decide(
                access,
                namespace or "default",
                name,
                lambda inputs: decision.of_version(
                    inputs.version, decision.approver or inputs.username, Directory()
                ),
            )
        )
        _print_made(made)
    elif not decision.approver:
        raise SettingsError("who decides?", hint="--approver NAME, or --cluster, which knows you")
    elif folder is not None and decision.digest is None:
        world = read_folder(folder)
        directory = gather_people(world).directory
        version = _find(world, folder, namespace, name)
        _print(decision.of_version(version, decision.approver, directory))
    elif folder is None and decision.digest is not None:
        _person(Directory(), decision.approver)
        _print(decision.document(namespace or "default", name, decision.digest, decision.approver))
    else:
        raise SettingsError(
            "give either --folder or --digest: a decision binds to one digest",
            hint="or --cluster, which has the version",
        )
    if decision.glass is not None:
        ERR.print("An emergency: the finding break-glass-active stays as long as it lasts.")


def _print(document: Object) -> None:
    typer.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)


def _print_made(made: Object) -> None:
    """One line of what is now in the cluster."""
    spec = cast("Mapping[str, str]", made["spec"])
    metadata = cast("Mapping[str, str]", made["metadata"])
    subject = cast("Mapping[str, str]", spec["subject"])
    done = {"approve": "approved", "reject": "rejected"}[spec["decision"]]
    place = metadata["namespace"]
    OUT.print(
        f"{spec['approver']} {done} ModelVersion {place}/{subject['name']} as {spec['role']},"
        f" {subject['digest']}: Approval {place}/{metadata['name']}",
        soft_wrap=True,
    )


def _role(role: RoleName) -> Role:
    names: dict[RoleName, Role] = {
        RoleName.owner: "owner", RoleName.risk: "risk",
        RoleName.privacy: "privacy", RoleName.security: "security",
    }  # fmt: skip
    return names[role]


def _zoned(moment: datetime) -> datetime:
    """A time without a zone is meant in UTC, as in documents."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _find(world: World, folder: Path, namespace: str, name: str) -> ModelVersionDoc:
    versions = [
        doc
        for (place, key), doc in world.model_versions.items()
        if key == name and namespace in ("", place)
    ]
    if len(versions) != 1:
        raise SettingsError(
            f"there is {'no' if not versions else 'more than one'} ModelVersion {name} in {folder}",
            hint="write NAMESPACE/NAME; `gatereeve digest` lists them",
        )
    return versions[0]
