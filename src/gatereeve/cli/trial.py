"""`gatereeve trial-certificate HOST…`: a CA and a certificate for trying things on a laptop.

Never for production: the CA's key is thrown away, so nothing else can be signed by it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatereeve.cli.terminal import OUT
from gatereeve.core.errors import SettingsError
from gatereeve.pki.trial import trial_certificate
from gatereeve.runtime.supervise import SystemClock


def certificate(
    hosts: Annotated[list[str], typer.Argument(help="Hosts, like model.example or *.example.")],
    out: Annotated[Path, typer.Option(help="The YAML file to write; ca.pem is written beside it.")],
    name: Annotated[str, typer.Option(help="The Secret's name.")] = "gate-tls",
    namespace: Annotated[str, typer.Option(help="The Secret's namespace.")] = "default",
) -> None:
    """Write a TLS Secret for trying things, and the CA that clients must trust."""
    now = SystemClock().now()
    secret, authority = trial_certificate(tuple(hosts), name=name, namespace=namespace, now=now)
    ca_file = out.parent / "ca.pem"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.touch(mode=0o600)
        out.write_text(secret)
        ca_file.write_text(authority)
    except OSError as error:
        raise SettingsError(f"{out} cannot be written: {error.strerror}") from error
    OUT.print(f"wrote {out} (Secret {namespace}/{name}) and {ca_file} (for clients to trust)")
