"""`gatereeve guards FOLDER`: the Kubernetes objects that guard a cluster, made from its documents."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, cast

import typer
import yaml

from gatereeve.admission.drift import drift
from gatereeve.admission.guards.generate import guards as generate
from gatereeve.admission.guards.settings import GuardSettings, Object
from gatereeve.cli.terminal import ERR, print_findings, summary
from gatereeve.core.errors import SettingsError
from gatereeve.core.findings import Finding, Severity, order
from gatereeve.runtime.folders import read_folder
from gatereeve.sources import dumps

_DEFAULT = GuardSettings()

KINDS = (
    "clusterroles,clusterrolebindings,rolebindings,guardparameters,validatingadmissionpolicies,"
    "validatingadmissionpolicybindings,mutatingadmissionpolicies,mutatingadmissionpolicybindings,"
    "validatingwebhookconfigurations,mutatingwebhookconfigurations"
)
"""What to dump for `--check`."""


class Form(StrEnum):
    """How the objects are written."""

    yaml = "yaml"
    json = "json"


class Stamps(StrEnum):
    """Who writes who changed a document."""

    policy = "policy"
    webhook = "webhook"
    nobody = "nobody"


def _drift(wanted: tuple[Object, ...], folder: Path) -> tuple[Finding, ...]:
    """What differs in the dumps, and what of them could not be read."""
    dump = dumps.read_dump(folder)
    installed = tuple(cast("Object", dict(doc.spec)) for doc in dump.docs)
    return (*drift(wanted, installed), *dump.findings)


def to_yaml(objects: Iterable[Object]) -> str:
    """Every object as a document of its own."""
    return yaml.dump_all(
        objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100, explicit_start=True
    )


class _Dumper(yaml.SafeDumper):
    """Writes a value that occurs twice twice: no anchors."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def guards(
    folder: Annotated[Path, typer.Argument(help="The folder of Kubernetes documents.")],
    to: Annotated[Form, typer.Option(help="How to write.")] = Form.yaml,
    namespace: Annotated[
        str, typer.Option(help="Where the controllers stand.")
    ] = _DEFAULT.namespace,
    service_account: Annotated[
        str, typer.Option(help="Of the controllers.")
    ] = _DEFAULT.service_account,
    service: Annotated[str, typer.Option(help="Of the controllers' webhook.")] = _DEFAULT.service,
    ca: Annotated[
        Path | None,
        typer.Option(help="PEM of who signed the webhook's certificate.", show_default=False),
    ] = None,
    webhook: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option(
            "--webhook/--no-webhook",
            help="Register the webhook, too. Only where it is served: unanswered, its registration"
            " refuses every change of governed documents.",
        ),
    ] = False,
    stamps: Annotated[
        Stamps,
        typer.Option(
            help="Who writes who changed a document: the API server (Kubernetes 1.36), the webhook."
        ),
    ] = Stamps.policy,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Print nothing but what differs from the guards in this folder of dumps: "
            f"`kubectl get {KINDS} -A -o yaml`.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print the guards of a cluster: roles, admission policies with their parameters, the webhook.

    For `| kubectl apply -f -` by an administrator of the cluster. Applies nothing itself.
    """
    world = read_folder(folder)
    try:
        bundle = "" if ca is None else base64.b64encode(ca.read_bytes()).decode()
    except OSError as error:
        raise SettingsError(f"{ca} cannot be read: {error.strerror}") from error
    who: dict[Stamps, Literal["policy", "webhook", "nobody"]] = {
        Stamps.policy: "policy", Stamps.webhook: "webhook", Stamps.nobody: "nobody",
    }  # fmt: skip
    objects = generate(
        world,
        GuardSettings(
            namespace=namespace,
            service_account=service_account,
            service=service,
            ca_bundle=bundle,
            webhook=webhook,
            stamps=who[stamps],
        ),
    )
    if check is not None:
        found = order((*_drift(objects, check), *world.findings))
        print_findings(found)
        ERR.print(f"{check}: {summary(found)}")
        raise typer.Exit(1 if any(one.severity is Severity.ERROR for one in found) else 0)
    if to is Form.json:
        typer.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
    else:
        typer.echo(to_yaml(objects), nl=False)
    errors = [finding for finding in world.findings if finding.severity is Severity.ERROR]
    print_findings(errors, ERR)
    if errors:
        ERR.print(
            f"{folder}: {summary(errors)}: whoever these documents name is not among the roles"
        )
    raise typer.Exit(1 if errors else 0)
