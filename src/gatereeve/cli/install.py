"""`gatereeve install …`: plain manifests, our kinds alone, and what a cluster lacks.

Prints and looks; applies nothing itself.
"""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from gatereeve.cli.terminal import OUT
from gatereeve.core.installation import Check, Verdict
from gatereeve.runtime import installation_check
from gatereeve.runtime import manifests as plain
from gatereeve.runtime.settings import kubeconfig_access

_STYLES = {
    Verdict.FINE: "green", Verdict.DEGRADED: "yellow", Verdict.MISSING: "bold red", Verdict.UNKNOWN: "magenta",
}  # fmt: skip

_NAMESPACE = typer.Option("--namespace", "-n", help="Of controllers and gates.")

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


class Form(StrEnum):
    """How checks are written."""

    human = "human"
    json = "json"


@app.command("manifests", short_help="Everything, as plain YAML.")
def manifests(
    image: Annotated[
        str,
        typer.Option(help="Image of every process, with its tag or digest.", show_default=False),
    ],
    namespace: Annotated[str, _NAMESPACE] = "gatereeve-system",
    gate: Annotated[str, typer.Option(help="Name of the Gate document.")] = "public",
    gateway_api: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--gateway-api", help="With a GatewayClass; the cluster has the kind.")
    ] = False,
    crds: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--crds/--no-crds", help="Begin with our kinds.")
    ] = True,
) -> None:
    """Print an installation without Helm, for `| kubectl apply --server-side -f -`.

    The Helm chart with its defaults; for other values, use the chart.
    """
    text = plain.manifests(namespace=namespace, image=image, gate=gate, gateway_api=gateway_api)
    typer.echo((plain.definitions() if crds else "") + text, nl=False)


@app.command("crds", short_help="Our kinds alone, as plain YAML.")
def crds() -> None:
    """Print our CustomResourceDefinitions, for `| kubectl apply --server-side -f -`."""
    typer.echo(plain.definitions(), nl=False)


@app.command("check", short_help="What the cluster lacks.")
def check(
    namespace: Annotated[str, _NAMESPACE] = "gatereeve-system",
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            help="The cluster, and you in it.", show_default="$KUBECONFIG, else ~/.kube/config"
        ),
    ] = None,
    context: Annotated[str | None, typer.Option(help="Of the kubeconfig.")] = None,
    output: Annotated[Form, typer.Option("--output", "-o", help="How to write.")] = Form.human,
) -> None:
    """Say what a cluster lacks for an installation, or for this version of one. Changes nothing.

    Exit code 1 if something is missing or unknown.
    """
    access = kubeconfig_access(kubeconfig, context)
    checks = asyncio.run(installation_check.look(access, namespace=namespace))
    if output is Form.json:
        typer.echo(json.dumps([_to_plain(check) for check in checks], indent=2))
    else:
        for check in checks:
            _print(check)
    is_bad = any(check.verdict in (Verdict.MISSING, Verdict.UNKNOWN) for check in checks)
    raise typer.Exit(1 if is_bad else 0)


def _print(check: Check) -> None:
    OUT.print(
        Text.assemble((f"{check.verdict.value:9}", _STYLES[check.verdict]), (check.about, "bold"), f": {check.state}")
    )  # fmt: skip
    if check.hint:
        OUT.print(Text.assemble("         ", ("hint: ", "dim"), check.hint))


def _to_plain(check: Check) -> dict[str, str]:
    return {
        "about": check.about, "verdict": check.verdict.value, "said": check.state, "hint": check.hint,
    }  # fmt: skip
