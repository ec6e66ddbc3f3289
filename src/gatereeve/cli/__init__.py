"""The command line: one module per command. The only package that knows the terminal.

Exit codes: 0 fine · 1 findings of severity error, or a refusal asked for · 2 wrong usage ·
3 the command could not do its work. `main` is one of the three places that catch everything.
"""

from __future__ import annotations

import sys

import typer

from gatereeve.cli import (
    check,
    compiling,
    digest,
    explain,
    status,
    tail,
    trial,
    up,
    version,
    who_can,
)
from gatereeve.cli.terminal import fail
from gatereeve.core.errors import GatereeveError

app = typer.Typer(
    name="gatereeve",
    help="Governs AI models where their traffic enters: at the Kubernetes ingress.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("check")(check.check)
app.command("compile")(compiling.compile_folder)
app.command("explain")(explain.explain)
app.command("who-can")(who_can.who_can)
app.command("digest")(digest.digest)
app.command("status")(status.status)
app.command("tail")(tail.tail)
app.command("trial-certificate")(trial.certificate)
app.command("version")(version.version)


def main() -> None:
    """Run the command line; every known failure is one sentence and a hint."""
    try:
        app()
    except GatereeveError as error:
        fail(str(error), error.hint)
        sys.exit(3)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
