"""`gatereeve version`: ours and that of the Envoy it would start."""

from __future__ import annotations

import typer

from gatereeve import __version__
from gatereeve.core.errors import ProxyError
from gatereeve.runtime.local_gates import envoy_version


def version() -> None:
    """Print the versions of Gatereeve and of its Envoy."""
    try:
        envoy = envoy_version()
    except ProxyError as error:
        envoy = f"not usable: {error}"
    typer.echo(f"gatereeve {__version__}\nenvoy     {envoy}")
