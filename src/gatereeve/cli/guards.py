"""`gatereeve guards`: the Kubernetes objects that guard a cluster, made from its documents."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer
import yaml

from gatereeve.admission.guard_drift import find_drift
from gatereeve.admission.guards.generate import make_guards
from gatereeve.admission.guards.settings import GuardSettings, Object, Stamps
from gatereeve.cli.cluster import chosen
from gatereeve.cli.terminal import ERR, print_findings, summary
from gatereeve.core.errors import SettingsError
from gatereeve.core.findings import Finding, Severity, order
from gatereeve.runtime.cluster_reader import read_cluster, read_guards
from gatereeve.runtime.folder_reader import read_folder
from gatereeve.sources.folder import dumps

_DEFAULT = GuardSettings()

KINDS = (
    "clusterroles,clusterrolebindings,rolebindings,guardparameters,validatingadmissionpolicies,"
    "validatingadmissionpolicybindings,mutatingadmissionpolicies,mutatingadmissionpolicybindings,"
    "validatingwebhookconfigurations,mutatingwebhookconfigurations"
)
"""What to dump for `--check`."""

IN_CLUSTER = "cluster"


class Form(StrEnum):
    """How the objects are written."""

    yaml = "yaml"
    json = "json"


def _of_dumps(folder: Path) -> tuple[tuple[Object, ...], tuple[Finding, ...]]:
    """The objects of a folder of dumps, and what of it could not be read."""
    dump = dumps.read_dump(folder)
    return tuple(cast("Object", dict(doc.spec)) for doc in dump.docs), dump.findings


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
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of Kubernetes documents.", show_default=False)
    ] = None,
    cluster: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option(
            "--cluster",
            help="Read the documents from the cluster that kubectl would ask, in place of a folder.",
        ),
    ] = False,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(help="The same, by this file.", show_default="$KUBECONFIG, ~/.kube/config"),
    ] = None,
    context: Annotated[str | None, typer.Option(help="Of the kubeconfig.")] = None,
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
        typer.Option(
            help="PEM of who signed the webhook's certificate. Not needed: the controllers show it.",
            show_default=False,
        ),
    ] = None,
    webhook: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option(
            "--webhook/--no-webhook",
            help="Register the webhook, too. Only where controllers serve it (`webhook.enabled` of the"
            " chart): unanswered, its registration refuses every change of governed documents.",
        ),
    ] = True,
    stamps: Annotated[
        Stamps,
        typer.Option(
            help="Who writes who changed a document: the API server (Kubernetes 1.36), the webhook."
        ),
    ] = "policy",
    check: Annotated[
        str,
        typer.Option(
            help="Print nothing but what differs from the guards that are installed: `cluster`, or a"
            f" folder of dumps: `kubectl get {KINDS} -A -o yaml`.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Print the guards of a cluster: roles, admission policies with their parameters, the webhook.

    For `| kubectl apply --server-side --force-conflicts -f -` by an administrator of the cluster.
    Applies nothing itself.
    """
    access = chosen(kubeconfig, context, cluster=cluster or check == IN_CLUSTER)
    if folder is not None and (access is None or check == IN_CLUSTER):
        world, place = read_folder(folder), str(folder)
    elif folder is None and access is not None:
        world, place = asyncio.run(read_cluster(access)), "the cluster"
    else:
        raise typer.BadParameter("name a folder, or the cluster with --cluster or --kubeconfig")
    try:
        bundle = "" if ca is None else base64.b64encode(ca.read_bytes()).decode()
    except OSError as error:
        raise SettingsError(f"{ca} cannot be read: {error.strerror}") from error
    objects = make_guards(
        world,
        GuardSettings(
            namespace=namespace,
            service_account=service_account,
            service=service,
            ca_bundle=bundle,
            webhook=webhook,
            stamps=stamps,
        ),
    )
    if check:
        if check == IN_CLUSTER and access is not None:
            installed, broken = asyncio.run(read_guards(access)), tuple[Finding, ...]()
        else:
            installed, broken = _of_dumps(Path(check))
        findings = order((*find_drift(objects, installed), *broken, *world.findings))
        print_findings(findings)
        ERR.print(f"{check}: {summary(findings)}")
        raise typer.Exit(
            1 if any(finding.severity is Severity.ERROR for finding in findings) else 0
        )
    if to is Form.json:
        typer.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
    else:
        typer.echo(to_yaml(objects), nl=False)
    errors = [finding for finding in world.findings if finding.severity is Severity.ERROR]
    print_findings(errors, ERR)
    if errors:
        ERR.print(
            f"{place}: {summary(errors)}: the people whom these documents name are not in the roles"
        )
    raise typer.Exit(1 if errors else 0)
