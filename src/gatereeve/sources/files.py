"""A folder of documents as a source of Worlds.

Remembers what it read: an unchanged file is not read again and its documents keep their identity.
What can no longer be read stays as it was last good; what was removed is removed. Knows nothing of
notifications (`watch`) and nothing of networks (`jwks`).
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gatereeve.api import parse, parsed
from gatereeve.api.update import Assembly, update
from gatereeve.api.world import World
from gatereeve.core import errors, findings, protocols
from gatereeve.sources import listing, named

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What came over the network. jwks: as in `World`. found: what could not be retrieved."""

    jwks: Mapping[str, str] = field(default_factory=dict)
    found: tuple[findings.Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A file as it was last read.

    held: documents seemed to vanish, which the next look decides; then this is how it was before.
    """

    stamp: listing.Stamp | None
    content: parsed.Parsed
    held: parsed.Parsed | None = None


class FolderSource:
    """Reads one folder, again and again. Reading blocks; one caller at a time, others wait.

    retrieved: asked for whenever a World is made, in the thread that reads.
    revision: rises whenever a World differs from the one before in more than its instant.
    """

    def __init__(
        self,
        folder: Path,
        clock: protocols.Clock,
        *,
        retrieved: Callable[[], Retrieved] = Retrieved,
    ) -> None:
        self.folder = folder.absolute()
        self.revision = 0
        self._clock = clock
        self._retrieved = retrieved
        self._lock = threading.Lock()
        self._library = named.Library(self.folder)
        self._listing = listing.Listing()
        self._known: dict[str, _Known] = {}
        self._named: frozenset[str] = frozenset()
        self._assembly: Assembly | None = None
        self._world: World | None = None

    @property
    def unsettled(self) -> frozenset[Path]:
        """Files that seemed to lose documents when last read; they want a second look soon."""
        return frozenset(
            self.folder / path for path, known in self._known.items() if known.held is not None
        )

    def read(self, changed: Collection[Path] | None = None) -> World:
        """The World as the folder is now.

        changed: what may have changed, absolute or relative to the folder; None looks at everything.
        A document that vanishes from a file in `changed` is held until that file is looked at once
        more, because it may just be being written.
        Raises SourceError when the folder cannot be listed and never could. When it vanishes later,
        that is a finding and the last documents stay.
        """
        with self._lock:
            return self._read(changed)

    def _read(self, changed: Collection[Path] | None) -> World:
        paths = None if changed is None else {self._relative(path) for path in changed}
        partly = paths is not None and self._world is not None and all(map(self._is_plain, paths))
        gone = [] if partly else self._scan()
        looks = self._looks(paths if partly else None)
        for path, stamp in looks.items():
            self._look(path, stamp, hold=changed is not None)
        world = self._assemble([*self._listing.found, *gone])
        if self._world is None or not _same(self._world, world):
            self.revision += 1
        self._world = world
        return world

    def _relative(self, path: Path) -> str:
        try:
            return path.relative_to(self.folder).as_posix()
        except ValueError:
            return path.as_posix()

    def _is_plain(self, path: str) -> bool:
        """Whether looking at this one path is enough: it neither is nor was a folder or a link."""
        if path in self._known or path in self._named:
            return True
        full = self.folder / path
        if full.is_symlink() or full.is_dir():
            return False
        below = f"{path}/"
        return not any(known.startswith(below) for known in self._known)

    def _scan(self) -> list[findings.Finding]:
        """Lists the folder anew; a finding when it is not there any more."""
        try:
            self._listing = listing.scan(self.folder)
        except OSError as error:
            if self._world is None:
                raise errors.SourceError(
                    f"{self.folder} cannot be listed: {error.strerror}",
                    hint="name an existing folder that this process may read",
                ) from error
            self._listing = listing.Listing(lost=[""])
            return [
                listing.problem(
                    "unreadable-file",
                    ".",
                    f"the folder cannot be listed: {error.strerror}",
                    "bring it back; until then the last good documents stay in force",
                )
            ]
        return []

    def _looks(self, paths: Collection[str] | None) -> dict[str, listing.Stamp | None]:
        """The files to look at, by path, as they are now; None for those that are gone."""
        if paths is not None:
            self._listing.found = [
                f for f in self._listing.found if f.where is None or f.where.file not in paths
            ]
            return {path: listing.look(self.folder, path) for path in sorted(paths)}
        lost = tuple(f"{below}/" if below else "" for below in self._listing.lost)
        looks: dict[str, listing.Stamp | None] = {
            path: None for path in self._known if not (lost and path.startswith(lost))
        }
        looks.update(self._listing.files)
        return looks

    def _look(self, path: str, stamp: listing.Stamp | None, *, hold: bool) -> None:
        before = self._known.get(path)
        if before is not None and before.stamp == stamp and before.held is None:
            return
        full = None if before is None else before.held or before.content
        if stamp is None:
            after = parsed.Parsed(file=path)
        else:
            stamp, after = self._load(path, stamp, full)
        if before is not None and full is not None:
            after = parsed.keep_last_good(after, before.content)
            decided = before.held is not None and before.stamp == stamp
            holding = parsed.hold_lost(after, before.content) if hold and not decided else None
            if holding is not None:
                self._known[path] = _Known(stamp=stamp, content=holding, held=full)
                return
        if stamp is None:
            self._known.pop(path, None)
        else:
            self._known[path] = _Known(stamp=stamp, content=after)

    def _load(
        self, path: str, stamp: listing.Stamp, previous: parsed.Parsed | None
    ) -> tuple[listing.Stamp | None, parsed.Parsed]:
        """One file, read between two looks that agree, so that it is not half of two versions."""
        for _ in range(_ATTEMPTS):
            result = self._read_file(path, previous)
            again = listing.look(self.folder, path)
            if again == stamp or again is None:
                break
            stamp = again
        return stamp, result

    def _read_file(self, path: str, previous: parsed.Parsed | None) -> parsed.Parsed:
        try:
            data = named.read_bounded(self.folder / path, listing.MAX_FILE_BYTES)
        except OSError as error:
            return parsed.unreadable(
                path,
                "unreadable-file",
                f"the file cannot be read: {error.strerror}",
                "check its rights and its size",
            )
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            return parsed.unreadable(
                path,
                "unreadable-file",
                f"the file is not UTF-8 (byte {error.start})",
                "save it as UTF-8",
                line=data.count(b"\n", 0, error.start) + 1,
            )
        return parse.parse_text(text, path, previous)

    def _assemble(self, found: list[findings.Finding]) -> World:
        retrieved = self._retrieved()
        self._assembly = update(
            self._assembly,
            [self._known[path].content for path in sorted(self._known)],
            at=self._clock.now(),
            jwks=retrieved.jwks,
        )
        world = self._assembly.world
        files = self._library.read(world.gates.values())
        self._named = frozenset(files.named)
        meant = {file for file in files.named if self._holds_nothing(file)}
        found = [
            *found,
            *files.found,
            *retrieved.found,
            *(f for f in world.findings if f.where is None or f.where.file not in meant),
        ]
        return dataclasses.replace(
            world,
            files=files.files,
            geo=files.geo,
            findings=findings.order(found),
            broken=tuple(b for b in world.broken if b.where is None or b.where.file not in meant),
        )

    def _holds_nothing(self, path: str) -> bool:
        """A key set in a .json file is no document, and no broken one either."""
        known = self._known.get(path)
        return known is not None and not any(
            part.docs or part.kept or any(broken.ref.kind for broken in part.broken)
            for part in known.content.parts
        )


def _same(one: World, other: World) -> bool:
    """Whether two Worlds differ in nothing but their instant; documents compare by identity."""
    pairs = (
        (getattr(one, item.name), getattr(other, item.name))
        for item in dataclasses.fields(World)
        if item.name != "at"
    )
    return all(a is b or a == b for a, b in pairs)
