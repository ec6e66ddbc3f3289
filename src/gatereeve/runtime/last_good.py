"""The last good configuration of each gate, kept across restarts of the control plane.

A gate that restarts while the newest configuration is rejected must still get what it accepted
before. One file per gate, mode 0600 because it holds certificates' keys; replaced atomically, so a
kill leaves the old one. A file that cannot be read is said so and ignored: the gate then gets the
newest configuration only.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from gatereeve.core.refs import ConfigHash
from gatereeve.proxy.xds import snapshot as snap

_LOG = logging.getLogger(__name__)


class _Resource(msgspec.Struct, frozen=True):
    name: str
    version: str
    body: bytes
    needs: tuple[tuple[str, str], ...]


class _Stored(msgspec.Struct, frozen=True):
    version: str
    resources: dict[str, list[_Resource]]


def save(path: Path, snapshot: snap.Snapshot) -> None:
    """Replace the file. Raises OSError when it cannot be written; the old one then stays."""
    stored = _Stored(
        version=snapshot.version,
        resources={
            type_url: [_Resource(r.name, r.version, r.body, r.needs) for r in found.values()]
            for type_url, found in snapshot.resources.items()
        },
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.msgpack.encode(stored))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def load(path: Path) -> snap.Snapshot | None:
    """What was saved, or None when there is nothing that can be used."""
    try:
        stored = msgspec.msgpack.decode(path.read_bytes(), type=_Stored)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        _LOG.warning("%s cannot be used as last good configuration: %s", path, error)
        return None
    return snap.Snapshot(
        version=ConfigHash(stored.version),
        resources={
            snap.TypeUrl(type_url): {
                r.name: snap.Resource(
                    name=r.name,
                    version=r.version,
                    body=r.body,
                    needs=tuple((snap.TypeUrl(t), n) for t, n in r.needs),
                )
                for r in found
            }
            for type_url, found in stored.resources.items()
        },
    )
