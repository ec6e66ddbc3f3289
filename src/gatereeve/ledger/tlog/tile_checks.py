"""Compares the stored tiles and bundles of a log with each other and with its root, and finds which is wrong.

Each stored hash has two witnesses: what lies below it, and the tile above it, up to the signed root. A tile
whose root is the hash above it is right, so what differs below is wrong. Otherwise, if what lies below has the
hash above, the tile itself is wrong. Only two faults in one place can leave this open.
Reads each file once, from left to right; holds one tile for each level and one bundle.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from stat import S_ISREG

from gatereeve.ledger.tlog import merkle, tiles, tree
from gatereeve.ledger.tlog.faults import Fault, fault
from gatereeve.ledger.tlog.tiles import HASH_BYTES, WIDTH, Name

Visit = Callable[[int, Sequence[bytes]], None]
Hashes = list[bytes | None]


@dataclass(frozen=True, slots=True)
class _Bundle:
    """The entries of a bundle that could be read. problem: why it does not have exactly `width` of them."""

    entries: list[bytes]
    problem: str | None

    def offset(self, number: int) -> int:
        return sum(2 + len(entry) for entry in self.entries[:number])


@dataclass(frozen=True, slots=True)
class _Checked:
    """A tile after its check. root: what the tile above should have. hashes: the ones that are believed."""

    root: bytes | None
    hashes: bytes


@dataclass(frozen=True, slots=True)
class _Edge:
    """A partial tile of the right edge: as it is stored, and as what lies below it demands."""

    name: Name
    stored: bytes | None
    derived: Hashes
    bundle: _Bundle | None

    @property
    def differing(self) -> list[int]:
        return _differing(self.stored, self.derived)


@dataclass(slots=True)
class TileChecks:
    """One pass over the files of a log. `partials` of an `Inventory`; `wanted` tiles are kept in `kept`."""

    directory: Path
    size: int
    partials: dict[tuple[int | None, int], list[int]]
    add: Callable[[Fault], None]
    progress: Callable[[int, int], None] | None = None
    visit: Visit | None = None
    wanted: set[tuple[int, int]] = field(default_factory=set)
    kept: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def check_all(self, root: bytes | None) -> None:
        """Check everything that the size implies. root: the signed one, None where nothing is signed."""
        names = list(tiles.edge(self.size))
        stored = {name: self._read_tile(name) for name in names}
        is_signed = root is not None and self._root_of(stored) == root
        edges = []
        for name in reversed(names):
            derived, bundle = self._derive(name, stored[name], is_trusted=is_signed)
            edges.append(_Edge(name, stored[name], derived, bundle))
        right = {name for name in names if is_signed} or self._choose(edges, root)
        for edge in edges:
            self._report_edge(edge, right, is_signed=is_signed)
        if root is not None and right is None and not any(edge.differing for edge in edges):
            found = self._root_of({edge.name: _join(edge.derived) for edge in edges})
            if found is not None:
                self.add(
                    fault("root-differs", "checkpoint", found=found.hex(), expected=root.hex())
                )

    def _root_of(self, hashes: dict[Name, bytes | None]) -> bytes | None:
        """The root over tiles of the right edge; None where one is missing."""
        present = {name: data for name, data in hashes.items() if data is not None}
        if len(present) < len(hashes):
            return None
        return tree.restore(self.size, present.__getitem__).root()

    def _choose(self, edges: list[_Edge], root: bytes | None) -> set[Name] | None:
        """The edge tiles that are right as stored, so that the others, as derived, give the signed root.

        None where no choice gives it, or nothing is signed.
        """
        if root is None:
            return None
        options = []
        for edge in edges:
            derived = _join(edge.derived)
            options.append([(edge, data) for data in {edge.stored, derived} if data is not None])
        for choice in itertools.product(*options):
            if self._root_of({edge.name: data for edge, data in choice}) == root:
                return {edge.name for edge, data in choice if data == edge.stored}
        return None

    def _report_edge(self, edge: _Edge, right: set[Name] | None, *, is_signed: bool) -> None:
        """right: see `_choose`. is_signed: what is below was read, and judged, by edge tiles that are right."""
        level = edge.name.level or 0
        is_right = right is not None and edge.name in right
        for k in edge.differing:
            if is_right and level == 0:
                self._add_entry("entry-differs", edge.name, k, edge.bundle)
            elif is_right and is_signed:
                pass  # the tile below has its faults already
            elif is_right:
                child = Name(level - 1, edge.name.index * WIDTH + k)
                self._add_hash("tile-differs", child, None)
            elif level == 0 and _join(edge.derived) is None:
                self._add_hash("entry-or-hash-differs", edge.name, k)
            else:
                self._add_hash("hash-differs", edge.name, k)
        derived = _join(edge.derived)
        believed = (edge.stored or derived) if is_right or right is None else derived
        self._believe(edge.name, believed or b"")

    def _check_tile(self, name: Name, above: bytes | None, *, is_trusted: bool) -> bytes | None:
        """Check a full tile and all below it. Returns the hash that the tile above should have for it.

        above: the hash that it has. is_trusted: the tile with that hash has the root that it must have.
        """
        stored = self._read_tile(name)
        is_right = stored is not None and above is not None and merkle.fold(stored) == above
        derived, bundle = self._derive(name, stored, is_trusted=is_right)
        checked = self._judge(
            name, stored, derived, bundle, above, is_right=is_right, is_trusted=is_trusted
        )
        self._believe(name, checked.hashes)
        return checked.root

    def _judge(
        self,
        name: Name,
        stored: bytes | None,
        derived: Hashes,
        bundle: _Bundle | None,
        above: bytes | None,
        *,
        is_right: bool,
        is_trusted: bool,
    ) -> _Checked:
        level = name.level or 0
        if is_right and stored is not None:
            if level == 0 and bundle is not None:
                for k in _differing(stored, derived):
                    self._add_entry("entry-differs", name, k, bundle)
            return _Checked(above, stored)
        joined = _join(derived)
        root = None if joined is None else merkle.fold(joined)
        differing = _differing(stored, derived)
        is_below_right = root is not None and root == above
        for k in differing:
            known = is_below_right or level > 0
            self._add_hash("hash-differs" if known else "entry-or-hash-differs", name, k)
        decides_above = is_trusted or (root is None and stored is not None)
        if not is_below_right and not differing and above is not None and decides_above:
            self._add_hash("tile-differs", name, None)
        if joined is not None:
            return _Checked(root, joined)
        return _Checked(None if stored is None else merkle.fold(stored), stored or b"")

    def _derive(
        self, name: Name, stored: bytes | None, *, is_trusted: bool
    ) -> tuple[Hashes, _Bundle | None]:
        """The hashes that a tile should have, by what lies below it; None for those that are unknown."""
        level = name.level or 0
        if level == 0:
            return self._derive_leaves(name, stored)
        derived: Hashes = []
        for k in range(name.width):
            above = None if stored is None else stored[k * HASH_BYTES : (k + 1) * HASH_BYTES]
            child = Name(level - 1, name.index * WIDTH + k)
            derived.append(self._check_tile(child, above, is_trusted=is_trusted))
        return derived, None

    def _derive_leaves(self, name: Name, stored: bytes | None) -> tuple[Hashes, _Bundle | None]:
        first = name.index * WIDTH
        bundle = self._read_bundle(Name(None, name.index, name.width))
        hashes: Hashes = [None] * name.width
        if bundle is not None:
            leaves = [sha256(b"\x00" + entry).digest() for entry in bundle.entries]
            if bundle.problem is None:
                hashes = list(leaves)
                if self.visit is not None and b"".join(leaves) == stored:
                    self.visit(first, bundle.entries)
            else:
                self._add_malformed(name, bundle, leaves, stored)
        if self.progress is not None:
            self.progress(first + name.width, self.size)
        return hashes, bundle

    def _add_malformed(
        self, name: Name, bundle: _Bundle, leaves: list[bytes], stored: bytes | None
    ) -> None:
        """A bundle whose lengths do not add up: the first entry that has not its hash is the place."""
        known = [] if stored is None else _split(stored)
        same = itertools.takewhile(
            lambda pair: pair[0] == pair[1], zip(leaves, known, strict=False)
        )
        k = min(len(list(same)), name.width)
        self.add(
            fault(
                "bundle-malformed",
                Name(None, name.index, name.width).path,
                index=name.index * WIDTH + k,
                offset=bundle.offset(k),
                what=f"{bundle.problem}; the first difference is in entry {name.index * WIDTH + k}",
            )
        )

    def _believe(self, name: Name, hashes: bytes) -> None:
        """What is known about a tile at the end: compare its older partial files, keep it if it is wanted."""
        level, key = name.level or 0, (name.level or 0, name.index)
        if key in self.wanted:
            self.kept[key] = hashes
        for kind in (level, None) if level == 0 else (level,):
            for width in sorted(self.partials.pop((kind, name.index), ())):
                # Without any hash of the tile its files are missing, which is a fault of its own.
                if width < name.width and hashes:
                    self._check_partial(Name(kind, name.index, width), hashes)

    def _check_partial(self, name: Name, hashes: bytes) -> None:
        expected = _split(hashes)[: name.width]
        if name.level is None:
            bundle = self._read_bundle(name)
            if bundle is None:
                return
            found = [merkle.hash_leaf(entry) for entry in bundle.entries]
            problem = bundle.problem is not None
        else:
            data = self._read_tile(name)
            if data is None:
                return
            bundle, found, problem = None, _split(data), False
        for k, pair in enumerate(itertools.zip_longest(found[: name.width], expected)):
            if pair[0] != pair[1]:
                offset = k * HASH_BYTES if bundle is None else bundle.offset(k)
                self._add_partial(name, k, offset)
                return
        if problem:
            self._add_partial(name, name.width, bundle.offset(name.width) if bundle else 0)

    def _add_partial(self, name: Name, k: int, offset: int) -> None:
        index = name.index * WIDTH + k
        self.add(fault("partial-differs", name.path, index=index, offset=offset))

    def _add_entry(self, code: str, name: Name, k: int, bundle: _Bundle | None) -> None:
        path = Name(None, name.index, name.width).path
        offset = None if bundle is None else bundle.offset(k)
        self.add(fault(code, path, index=name.index * WIDTH + k, offset=offset))

    def _add_hash(self, code: str, name: Name, k: int | None) -> None:
        index = name.index * WIDTH + (k or 0)
        offset = None if k is None else k * HASH_BYTES
        self.add(fault(code, name.path, index=index, offset=offset))

    def _read_tile(self, name: Name) -> bytes | None:
        """The hashes of a tile; None, with a fault, where there are too few."""
        expected = name.width * HASH_BYTES
        found = self._read(name, expected)
        if found is None:
            return None
        data, is_whole = found
        if len(data) < expected or (is_whole and len(data) != expected):
            size = f"more than {expected}" if len(data) > expected else len(data)
            index, offset = name.index * WIDTH, min(len(data), expected)
            self.add(
                fault(
                    "file-length",
                    name.path,
                    index=index,
                    offset=offset,
                    found=size,
                    expected=expected,
                )
            )
        return data[:expected] if len(data) >= expected else None

    def _read_bundle(self, name: Name) -> _Bundle | None:
        found = self._read(name, tiles.MAX_BUNDLE_BYTES)
        if found is None:
            return None
        data, is_whole = found
        entries, end = tiles.split_bundle(data, name.width)
        problem = None
        if len(entries) < name.width:
            problem = (
                f"it ends within entry {len(entries)} of {name.width}, which begins at byte {end}"
            )
        elif is_whole and end != len(data):
            problem = f"bytes follow the last of {name.width} entries, at byte {end}"
        return _Bundle(entries, problem)

    def _read(self, name: Name, limit: int) -> tuple[bytes, bool] | None:
        """At most `limit` + 1 bytes, and whether they are all of the file that has this very name.

        A full file stands in for a partial one that is gone: then what follows its part is not looked at.
        None, with a fault, where there is neither.
        """
        try:
            return read_file(self.directory / PurePosixPath(name.path), limit + 1), True
        except FileNotFoundError:
            pass
        except OSError as error:
            self._add_unreadable(name, error)
            return None
        full = Name(name.level, name.index)
        if name != full:
            try:
                part = tiles.MAX_BUNDLE_BYTES if name.level is None else WIDTH * HASH_BYTES
                return read_file(self.directory / PurePosixPath(full.path), part), False
            except OSError:
                pass
        self.add(fault("file-missing", name.path, index=name.index * WIDTH))
        return None

    def _add_unreadable(self, name: Name, error: OSError) -> None:
        why = error.strerror or str(error)
        self.add(fault("file-unreadable", name.path, index=name.index * WIDTH, why=why))


def read_file(path: Path, limit: int) -> bytes:
    """At most `limit` bytes of a regular file. Raises OSError, also for a link or a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not S_ISREG(status.st_mode):
            raise OSError("it is no regular file")
        data = file.read(min(limit, status.st_size))
        return data if data is not None else b""


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[i : i + HASH_BYTES] for i in range(0, len(hashes), HASH_BYTES)]


def _join(hashes: Hashes) -> bytes | None:
    """All hashes, or None where one is unknown."""
    known = [each for each in hashes if each is not None]
    return b"".join(known) if len(known) == len(hashes) else None


def _differing(stored: bytes | None, derived: Hashes) -> list[int]:
    """Which hashes are known and are not those that are stored."""
    if stored is None or stored == _join(derived):
        return []
    pairs = zip(_split(stored), derived, strict=False)
    return [k for k, (old, new) in enumerate(pairs) if new is not None and old != new]
