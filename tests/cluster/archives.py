"""Container images as files, without a registry: a tar of layers, a configuration and a list of names.

The format is docker's archive, which containerd, docker, podman and skopeo all read. The same content
gives the same bytes: files in order, owned by root, no times.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

EPOCH = 0


def write(
    archive: Path, *, names: Sequence[str], layers: Sequence[Path], config: Mapping[str, object]
) -> None:
    """layers: tar files, the lowest first. config: Entrypoint, User, Env, … as docker names them."""
    sums = [f"sha256:{_digest(layer)}" for layer in layers]
    described = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": dict(config),
            "rootfs": {"type": "layers", "diff_ids": sums},
        },
        sort_keys=True,
    ).encode()
    config_name = f"{hashlib.sha256(described).hexdigest()}.json"
    files = [f"{total.removeprefix('sha256:')}.tar" for total in sums]
    manifest = [{"Config": config_name, "RepoTags": list(names), "Layers": files}]
    part = archive.with_suffix(".part")
    with tarfile.open(part, "w") as out:
        _add_bytes(out, config_name, described)
        for name, layer in zip(files, layers, strict=True):
            with layer.open("rb") as content:
                out.addfile(_entry(name, layer.stat().st_size), content)
        _add_bytes(out, "manifest.json", json.dumps(manifest).encode())
    part.replace(archive)


def pack_program(layer: Path, program: Path, inside: str) -> None:
    """A layer that holds one static program and nothing else."""
    with tarfile.open(layer, "w") as out, program.open("rb") as content:
        entry = _entry(inside.lstrip("/"), program.stat().st_size)
        entry.mode = 0o755
        out.addfile(entry, content)


def pack_folder(layer: Path, folder: Path) -> None:
    """A layer with everything below a folder: its modes and links kept, owners and times not."""
    with tarfile.open(layer, "w") as out:
        for file in sorted(folder.rglob("*")):
            entry = out.gettarinfo(file, file.relative_to(folder).as_posix())
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = EPOCH
            # Hard links depend on the order of reading; each file stands for itself.
            if entry.islnk():
                entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", file.stat().st_size
            if entry.isreg():
                with file.open("rb") as content:
                    out.addfile(entry, content)
            else:
                out.addfile(entry)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mtime = EPOCH
    return entry


def _add_bytes(out: tarfile.TarFile, name: str, content: bytes) -> None:
    out.addfile(_entry(name, len(content)), io.BytesIO(content))


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
