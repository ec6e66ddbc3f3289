"""The files that Gate documents name: key sets, certificate authorities, GeoIP databases.

They stand beside the documents. A name with `..`, and a link that leads outside, is refused with a
finding; what is merely not there is reported by the compiler, where the effect is known.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gatereeve.api import gate as api
from gatereeve.api.world import GateDoc, GeoTable
from gatereeve.core import canonical, findings
from gatereeve.core.report import finding
from gatereeve.sources import geoip
from gatereeve.sources.folder import listing

MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Naming:
    """A place in a Gate that names a file."""

    path: str
    file: str
    geo: bool = False


@dataclass(slots=True, kw_only=True)
class NamedFiles:
    """What was read. files and geo: as in `World`. named: every file that is named."""

    named: set[str] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)
    geo: dict[str, GeoTable] = field(default_factory=dict)
    found: list[findings.Finding] = field(default_factory=list)


def namings(spec: api.GateSpec) -> Iterator[Naming]:
    """Every file that a Gate names, in the order of the document."""
    for index, provider in enumerate(spec.identity.jwt):
        place = f"spec.identity.jwt[{index}].jwks"
        if provider.jwks.source is not None and provider.jwks.source.file is not None:
            yield Naming(f"{place}.source.file", provider.jwks.source.file)
        remote = provider.jwks.remote
        if remote is not None and remote.ca is not None and remote.ca.file is not None:
            yield Naming(f"{place}.remote.ca.file", remote.ca.file)
    if spec.identity.mtls is not None and spec.identity.mtls.ca.file is not None:
        yield Naming("spec.identity.mtls.ca.file", spec.identity.mtls.ca.file)
    for index, source in enumerate(spec.attributes.region):
        if source.geoip is not None:
            place = f"spec.attributes.region[{index}].geoip.database"
            yield Naming(place, source.geoip.database, geo=True)


class Library:
    """Reads named files, each again only when it changed. One caller at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bytes: dict[str, tuple[listing.Stamp, bytes]] = {}
        self._tables: dict[str, tuple[listing.Stamp, str, GeoTable | None]] = {}

    def read(self, gates: Iterable[GateDoc]) -> NamedFiles:
        """All files that `gates` name, as they are now."""
        result = NamedFiles()
        for doc in gates:
            for naming in namings(doc.spec):
                result.named.add(naming.file)
                refusal = self._read(naming, result)
                if refusal:
                    result.found.append(_refused(doc, naming, refusal))
        self._bytes = {name: kept for name, kept in self._bytes.items() if name in result.named}
        self._tables = {name: kept for name, kept in self._tables.items() if name in result.named}
        return result

    def _read(self, naming: Naming, result: NamedFiles) -> str:
        """Reads one file into `result`; why it is refused, or "" ."""
        path = PurePosixPath(naming.file)
        if path.is_absolute() or ".." in path.parts:
            return "it must lie in the folder of the documents"
        try:
            status = (self._folder / path).stat()
        except OSError:
            return ""
        if not listing.inside(self._folder, naming.file):
            return "it leads out of the folder of the documents"
        bound = geoip.MAX_BYTES if naming.geo else MAX_BYTES
        if not stat.S_ISREG(status.st_mode):
            return "it is no regular file"
        if status.st_size > bound:
            return f"it is larger than {bound // 2**20} MiB"
        try:
            if naming.geo:
                self._geo(naming.file, listing.stamp_of(status), result)
            else:
                self._plain(naming.file, listing.stamp_of(status), result)
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
        return ""

    def _plain(self, name: str, stamp: listing.Stamp, result: NamedFiles) -> None:
        kept = self._bytes.get(name)
        if kept is None or kept[0] != stamp:
            data = read_bounded(self._folder / name, MAX_BYTES)
            if kept is not None and kept[1] == data:
                data = kept[1]
            kept = self._bytes[name] = (stamp, data)
        result.files[name] = kept[1]

    def _geo(self, name: str, stamp: listing.Stamp, result: NamedFiles) -> None:
        kept = self._tables.get(name)
        if kept is None or kept[0] != stamp:
            data = read_bounded(self._folder / name, geoip.MAX_BYTES)
            digest = canonical.sha256(data)
            same = kept is not None and kept[1] == digest
            table = kept[2] if kept is not None and same else geoip.read_table(data)
            kept = self._tables[name] = (stamp, digest, table)
        if kept[2] is not None:
            result.geo[name] = kept[2]


def read_bounded(path: Path, bound: int) -> bytes:
    """The file's bytes. Raises OSError when it cannot be read or has more than `bound` bytes."""
    with path.open("rb") as file:
        data = file.read(bound + 1)
    if len(data) > bound:
        raise OSError(0, f"more than {bound // 2**20} MiB")
    return data


def _refused(doc: GateDoc, naming: Naming, why: str) -> findings.Finding:
    return finding(doc, "missing-file", naming.path, file=naming.file, why=why)
