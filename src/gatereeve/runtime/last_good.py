"""The last good configuration of a gate, kept across restarts of the control plane.

A gate that restarts while the newest configuration is rejected must still get what it accepted
before. One journal per gate, private because it holds certificates' keys; a change adds to it what
changed, and a kill leaves what was kept before. What cannot be read is said so and ignored: the
gate then gets the newest configuration only.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec

from gatereeve.core.logs import EventLog
from gatereeve.core.refs import ConfigHash
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.runtime.journal import Journal

_LOG = EventLog(__name__)

_VERSION = "version"


class _Resource(msgspec.Struct, frozen=True):
    type_url: str
    name: str
    version: str
    body: bytes
    needs: tuple[tuple[str, str], ...]


class LastGood:
    """See the module. Used by one caller at a time; `load` before the first `save`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journal = Journal(path)
        self._kept: dict[str, str] = {}

    def load(self) -> snap.Snapshot | None:
        """What was saved, or None when there is nothing that can be used."""
        stored = self._journal.load()
        version = stored.pop(_VERSION, None)
        if version is None:
            return None
        try:
            found = {
                key: msgspec.msgpack.decode(value, type=_Resource) for key, value in stored.items()
            }
        except msgspec.MsgspecError as error:
            _LOG.warning("last_good_unusable", file=self._path, error=error)
            return None
        self._kept = {key: resource.version for key, resource in found.items()}
        resources: dict[snap.TypeUrl, dict[str, snap.Resource]] = {}
        for one in found.values():
            resources.setdefault(snap.TypeUrl(one.type_url), {})[one.name] = snap.Resource(
                name=one.name,
                version=one.version,
                body=one.body,
                needs=tuple((snap.TypeUrl(type_url), name) for type_url, name in one.needs),
            )
        return snap.Snapshot(version=ConfigHash(version.decode()), resources=resources)

    def save(self, snapshot: snap.Snapshot) -> None:
        """Keep this one. Raises OSError when it cannot be written; what was kept before then stays."""
        version = str(snapshot.version).encode()
        placed = {
            f"{type_url} {name}": (type_url, resource)
            for type_url, resources in snapshot.resources.items()
            for name, resource in resources.items()
        }
        changed: dict[str, bytes | None] = {_VERSION: version}
        if self._journal.extends:
            changed |= dict.fromkeys(self._kept.keys() - placed.keys())
            changed |= {
                key: _stored(type_url, resource)
                for key, (type_url, resource) in placed.items()
                if self._kept.get(key) != resource.version
            }
        self._journal.save(
            changed,
            lambda: itertools.chain(
                [(_VERSION, version)], ((key, _stored(*place)) for key, place in placed.items())
            ),
        )
        self._kept = {key: resource.version for key, (_, resource) in placed.items()}


def _stored(type_url: snap.TypeUrl, resource: snap.Resource) -> bytes:
    return msgspec.msgpack.encode(
        _Resource(type_url, resource.name, resource.version, resource.body, resource.needs)
    )
