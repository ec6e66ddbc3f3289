"""The command line: one module per command. The only package that knows the terminal.

Exit codes: 0 fine · 1 findings of severity error, or a refusal asked for · 2 wrong usage ·
3 the command could not do its work. `main` is one of the three places that catch everything.
"""

from __future__ import annotations

import sys

import typer

from gatereeve.cli import (
    approve,
    audit_cluster,
    check,
    compiling,
    controller,
    digest,
    explain,
    gate,
    guards,
    install,
    ledger,
    recorder,
    status,
    tail,
    trial,
    up,
    version,
    who_can,
)
from gatereeve.cli.terminal import fail_with
from gatereeve.core.errors import GatereeveError

app = typer.Typer(
    name="gatereeve",
    help="Governs AI models where their traffic enters: at the Kubernetes ingress.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("up", short_help="Serve a folder on this machine, live.")(up.up)
app.command("controller", short_help="Serve gates elsewhere: compile, xDS.")(controller.controller)
app.command("gate", short_help="One Envoy, configured by controllers.")(gate.gate)
app.command("recorder", short_help="Keep the records of the gate beside it.")(recorder.recorder)
app.command("check", short_help="Check a folder of documents.")(check.check)
app.command("compile", short_help="What each gate must do, as YAML.")(compiling.compile_folder)
app.command("explain", short_help="Why a request is served or refused.")(explain.explain)
app.command("who-can", short_help="Who may use a model.")(who_can.who_can)
app.command("digest", short_help="What an Approval must say of a version.")(digest.digest)
app.command("approve", short_help="Approve a version as it is now.")(approve.approve)
app.command("reject", short_help="Reject a version as it is now.")(approve.reject)
app.command("guards", short_help="Roles and policies for a cluster.")(guards.guards)
app.command("status", short_help="Which gate runs what, and why not.")(status.status)
app.command("tail", short_help="The newest records, as `ledger tail`.")(tail.tail)
app.add_typer(ledger.app, name="ledger", short_help="The record: show, prove, verify, export.",
              help="The record of requests and changes: look into it, prove it, verify a copy of it.")  # fmt: skip
app.command("audit-cluster", short_help="What is ungoverned or risky in a cluster.")(
    audit_cluster.audit_cluster
)
app.command("trial-certificate", short_help="A TLS Secret for trying things.")(trial.certificate)
app.add_typer(install.app, name="install", short_help="Manifests, and what a cluster lacks.",
              help="Install into a cluster: plain manifests, our kinds, and what is lacking.")  # fmt: skip
app.command("version", short_help="Versions of Gatereeve and of its Envoy.")(version.version)


def main() -> None:
    """Run the command line; every known failure is one sentence and a hint."""
    try:
        app()
    except GatereeveError as error:
        fail_with(error)
        sys.exit(3)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
