"""`gatereeve digest FOLDER [NAME]`: the digests that approvals bind to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from gatereeve.cli.terminal import OUT
from gatereeve.core.errors import SettingsError
from gatereeve.runtime.folder_reader import read_folder


def digest(
    folder: Annotated[Path, typer.Argument(help="The folder of Kubernetes documents.")],
    name: Annotated[
        str | None, typer.Argument(help="A ModelVersion: NAME or NAMESPACE/NAME.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Print the digest of each ModelVersion: what an Approval's subject.digest must say."""
    world = read_folder(folder)
    versions = [
        doc
        for (namespace, key), doc in world.model_versions.items()
        if name is None or name in (key, f"{namespace}/{key}")
    ]
    if name is not None and not versions:
        raise SettingsError(f"there is no ModelVersion {name} in {folder}")
    if name is not None and len(versions) == 1 and not as_json:
        typer.echo(versions[0].digest)
        return
    if as_json:
        rows = [
            {
                "name": d.ref.short,
                "model": d.spec.model,
                "version": d.spec.version,
                "digest": d.digest,
            }
            for d in versions
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    for doc in versions:  # never cut: it is there to be copied
        OUT.print(Text(f"{doc.ref.short} ({doc.spec.model} {doc.spec.version})", style="bold"))
        OUT.print(f"  {doc.digest}")
