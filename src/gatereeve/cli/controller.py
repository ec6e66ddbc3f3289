"""`gatereeve controller`: the control plane for gates elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatereeve.admission.guards.settings import Stamps
from gatereeve.cli import running
from gatereeve.cli.terminal import DEFAULT_STATE, fail
from gatereeve.cli.up import UpPrinter
from gatereeve.core.errors import SettingsError
from gatereeve.runtime.controller import controller as serve
from gatereeve.runtime.settings import (
    ClusterSettings,
    ControllerSettings,
    cluster_settings,
    state_paths,
)


def controller(
    folder: Annotated[
        Path | None, typer.Option(help="Read a folder of Kubernetes documents.")
    ] = None,
    cluster: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--cluster", help="Read the cluster around this pod.")
    ] = False,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Read the cluster that this file names.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Of the kubeconfig.")] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            help="Where the controllers run: their Lease, certificates and the gates' Services.",
            show_default="$POD_NAMESPACE",
        ),
    ] = None,
    watch: Annotated[
        list[str] | None,
        typer.Option(help="A namespace to read; may be repeated.", show_default="all of them"),
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option(help="A directory with the files that Gates of a cluster name."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Where to keep changes and last good.", show_default=DEFAULT_STATE),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Where certificates are kept, shared by all controllers.",
            show_default="certificates in the state directory",
        ),
    ] = None,
    mounted: Annotated[
        Path | None,
        typer.Option(
            help="A directory with tls.crt, tls.key and ca.crt that another program renews;"
            " nothing is issued here then."
        ),
    ] = None,
    xds: Annotated[
        str, typer.Option(help="Where gates connect, with mutual TLS.")
    ] = "0.0.0.0:18000",
    http: Annotated[str, typer.Option(help="Health and metrics.")] = "0.0.0.0:8081",
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="A DNS name under which gates verify us; may be repeated.",
            show_default="gatereeve-controllers",
        ),
    ] = None,
    webhook: Annotated[
        str,
        typer.Option(
            help="HOST:PORT where the API server has changes reviewed, as 0.0.0.0:9443.",
            show_default="nowhere",
        ),
    ] = "",
    stamps: Annotated[
        Stamps,
        typer.Option(
            help="Which part writes who changed a document, as given to `gatereeve guards`."
        ),
    ] = "policy",
    webhook_name: Annotated[
        list[str] | None,
        typer.Option(help="A DNS name of the admission webhook's Service; may be repeated."),
    ] = None,
    webhook_clients: Annotated[
        Path | None,
        typer.Option(
            help="PEM of the authority that signed the certificate which the API server shows to"
            " webhooks (its --admission-control-config-file). Only that client is answered then, and"
            " records name who deleted a document.",
            show_default="any client is answered",
        ),
    ] = None,
    webhook_client: Annotated[
        list[str] | None,
        typer.Option(
            help="A name in that certificate: its common name, a DNS name or a URI; may be repeated."
        ),
    ] = None,
    gates: Annotated[
        str,
        typer.Option(
            help="HOST:PORT of the agents of all gates of a Gate, {gate} for its name; the leader"
            " then asks those too that other controllers serve."
        ),
    ] = "",
    log_format: running.LogFormatOption = running.LogFormat.TEXT,
) -> None:
    """Serve gates elsewhere: read documents, compile, hand out over xDS. Run as many as you like."""
    in_cluster = cluster or kubeconfig is not None
    if in_cluster == (folder is not None):
        raise typer.BadParameter("name exactly one of --folder, --cluster and --kubeconfig")
    if webhook and not webhook_name and mounted is None:
        raise typer.BadParameter(
            "--webhook needs --webhook-name: the name under which the API server reaches it, as"
            " gatereeve-webhook.NAMESPACE.svc"
        )
    if webhook_name and not webhook:
        raise typer.BadParameter("--webhook-name says nothing without --webhook HOST:PORT")
    if (webhook_clients is not None or webhook_client) and not webhook:
        raise typer.BadParameter("--webhook-clients says nothing without --webhook HOST:PORT")
    if (webhook_clients is None) != (not webhook_client):
        raise typer.BadParameter(
            "--webhook-clients and --webhook-client go together: an authority, and the name of the"
            " API server in the certificate that it signed"
        )
    paths = state_paths(state)
    documents: Path | ClusterSettings | None = folder
    if documents is None:
        try:
            documents = cluster_settings(
                kubeconfig=kubeconfig,
                context=context,
                namespace=namespace,
                namespaces=tuple(watch or ()),
                files=files,
            )
        except SettingsError as error:
            fail(str(error), error.hint)
            raise typer.Exit(3) from None
    settings = ControllerSettings(
        documents=documents,
        state=paths,
        certificates=(store or paths.root / "certificates").absolute(),
        mounted=mounted,
        xds=xds,
        http=http,
        xds_names=tuple(name or ("gatereeve-controllers",)),
        webhook=webhook,
        webhook_names=tuple(webhook_name or ()),
        webhook_clients=webhook_clients,
        webhook_client_names=tuple(webhook_client or ()),
        stamps=stamps,
        gates=gates,
    )
    printer = UpPrinter(str(folder) if folder else "the cluster")
    running.serve(serve(settings, printer), log_format)
