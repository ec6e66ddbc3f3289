"""A folder of documents as a source of Worlds.

Remembers what it read: an unchanged file is not read again and its documents keep their identity.
What can no longer be read stays as it was last good, and closes what it could speak of when it never
was; what was removed is removed. Every file that is not read has a finding. Knows nothing of
notifications (`watch`) and nothing of networks (`jwks`).
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from gatereeve.api import parse, parsed
from gatereeve.api.world import AnyDoc, World
from gatereeve.core import errors, findings, protocols
from gatereeve.core.report import describe
from gatereeve.sources.folder import file_names, listing, misnamed, named_files, settling
from gatereeve.sources.folder.listing import Look, Stamp
from gatereeve.sources.store import DocumentStore

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
_ATTEMPTS = 3
_MOST_PASSED: Final = 1000
_REMEMBERED: Final[Stamp] = (-1, -1, -1, -1, -1)
"""How a file looks of which only the documents are known, from an earlier process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What came over the network. jwks: as in `World`. found: what could not be retrieved."""

    jwks: Mapping[str, str] = field(default_factory=dict)
    found: tuple[findings.Finding, ...] = ()


class Memory(Protocol):
    """What outlives the process. Called in the thread that reads."""

    def load(self) -> Iterable[AnyDoc]:
        """The documents that were in force last, each with its file; none when that is not sure."""
        ...

    def save(self, world: World) -> None:
        """These are in force now. Durable when it returns; never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A file as it was last taken. ends: whether its last line was whole."""

    look: Look
    content: parsed.Parsed
    ends: bool = True


class FolderSource:
    """Reads one folder, again and again. Reading blocks; one caller at a time, others wait.

    retrieved: asked for whenever a World is made, in the thread that reads. memory: what was in
    force before this process, and where that is kept.
    revision: rises whenever a World differs from the one before in more than its instant.
    """

    def __init__(
        self,
        folder: Path,
        clock: protocols.Clock,
        *,
        retrieved: Callable[[], Retrieved] = Retrieved,
        memory: Memory | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.revision = 0
        self._clock = clock
        self._retrieved = retrieved
        self._memory = memory
        self._lock = threading.Lock()
        self._library = named_files.Library(self.folder)
        self._listing = listing.Listing()
        self._known: dict[str, _Known] = {}
        self._misnamed: set[str] = set()
        self._settling = settling.Settling()
        self._gone: set[str] = set()
        self._cut: set[str] = set()
        self._named: frozenset[str] = frozenset()
        self._store = DocumentStore()
        self._world: World | None = None

    def _remember(self, docs: Iterable[AnyDoc]) -> None:
        """Takes over documents that were in force before, each with its file.

        They stand in for what cannot be read now. A file that is gone still counts as there until it
        has been gone for a while, as later.
        """
        by_file: dict[str, list[AnyDoc]] = {}
        for doc in docs:
            by_file.setdefault(doc.file, []).append(doc)
        for file, group in by_file.items():
            part = parsed.Part(key=b"remembered", before=0, docs=tuple(group))
            content = parsed.Parsed(file=file, parts=(part,))
            self._known[file] = _Known(look=_REMEMBERED, content=content)
        self._store.put({path: known.content for path, known in self._known.items()})

    @property
    def settles_in(self) -> float | None:
        """Seconds until a file that changed is settled; None when none changed."""
        with self._lock:
            lost, now = self._lost(), self._clock.monotonic()
            last = self._gone if self._comes(now) else frozenset()
            paths = [path for path in self._settling.paths - last if not path.startswith(lost)]
            return self._settling.due(now, [(path, self._quiet_s(path)) for path in paths])

    def read(self) -> World:
        """The World of everything in the folder as it is now, settled or not.

        Raises SourceError when the folder cannot be listed and never could. When it vanishes later,
        that is a finding and the last documents stay.
        """
        with self._lock:
            return self._read(None, at_once=True)

    def follow(self, changed: Collection[Path] | None) -> World:
        """The World of those changes that are settled; ask again after `settles_in`.

        changed: what may have changed, absolute or relative to the folder; None looks at everything.
        Raises SourceError as `read` does.
        """
        with self._lock:
            return self._read(changed, at_once=self._world is None)

    def _read(self, changed: Collection[Path] | None, *, at_once: bool) -> World:
        if self._memory is not None and self._world is None:
            self._remember(self._memory.load())
        paths = None if changed is None else {self._relative(path) for path in changed}
        partly = (
            paths is not None
            and self._world is not None
            and "" not in self._listing.lost
            and self.folder.is_dir()
            and all(map(self._is_plain, paths))
        )
        gone = [] if partly else self._scan()
        looks = self._looks((paths or set()) | self._settling.paths if partly else None)
        now = self._clock.monotonic()
        for path, seen in looks.items():
            known = self._known.get(path)
            if (known.look if known is not None else None) == seen:
                self._end(path)
            elif self._settling.see(path, seen, now):
                self._cut.discard(path)
        for path in sorted(
            self._settling.paths & looks.keys(), key=lambda p: (looks[p] is None, p)
        ):
            self._settle(path, looks[path], now, at_once=at_once)
        self._store.put({path: self._content(path) for path in {*looks, *self._misnamed}})
        world = self._make_world(gone)
        if self._world is None or not _same(self._world, world):
            self.revision += 1
        self._world = world
        if self._memory is not None:
            self._memory.save(world)
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
        return path not in self._listing.refused and not any(
            known.startswith(below) for known in (*self._known, *self._listing.passed)
        )

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
            return [listing.at(".", describe("unreadable-file.root", error=error.strerror))]
        return []

    def _looks(self, paths: Collection[str] | None) -> dict[str, Look]:
        """The files to look at, by path, as they are now; None for those that are gone."""
        if paths is not None:
            for path in paths:
                self._list_passed(path)
            return {path: listing.look(self.folder, path) for path in sorted(paths)}
        lost = self._lost()
        everything = (*self._known, *self._settling.paths)
        looks: dict[str, Look] = {path: None for path in everything if not path.startswith(lost)}
        looks.update(self._listing.files)
        looks.update(self._listing.others)
        refused = self._listing.refused
        looks.update((p, r) for p, r in refused.items() if not self._is_kept_folder(p))
        return looks

    def _lost(self) -> tuple[str, ...]:
        """How the paths begin of what cannot be looked at this time."""
        return tuple(f"{below}/" if below else "" for below in self._listing.lost)

    def _is_kept_folder(self, path: str) -> bool:
        """A folder that cannot be listed and of which documents are known: those stay."""
        lost = path in self._listing.lost
        return lost and any(known.startswith(f"{path}/") for known in self._known)

    def _list_passed(self, path: str) -> None:
        """A single file that is passed over came or went."""
        if file_names.role(path) == "passed" and not file_names.is_in_hidden_folder(path):
            if (self.folder / path).is_file():
                self._listing.passed[path] = file_names.why_passed(path)
            else:
                self._listing.passed.pop(path, None)

    def _quiet_s(self, path: str) -> float:
        """How long a file that waits has to stay as it is."""
        is_slow = path in self._gone or path in self._cut or file_names.role(path) == "other"
        return settling.GONE_S if is_slow else settling.QUIET_S

    def _settle(self, path: str, seen: Look, now: float, *, at_once: bool) -> None:
        """Takes a file that looks different, if that is over."""
        known = self._known.get(path)
        (self._gone.add if seen is None else self._gone.discard)(path)
        if seen is None and known is not None and known.look == _REMEMBERED:
            at_once = False
        waits = not at_once and not _is_moved_here(seen, known)
        if waits and self._settling.waits(path, now, self._quiet_s(path)) > 0:
            return
        if seen is None and not at_once and self._comes(now):
            return
        if seen is None:
            self._known.pop(path, None)
            self._misnamed.discard(path)
            self._end(path)
            return
        taken = self._take(path, seen, known)
        is_cut = known is not None and not at_once and _is_cut(known, taken)
        if is_cut and self._settling.waits(path, now, settling.GONE_S) > 0:
            self._cut.add(path)
            return
        self._known[path] = taken
        self._end(path)

    def _comes(self, now: float) -> bool:
        """Whether other files wait that do not vanish: one that vanished may be one of them, under
        another name. Not for ever: changes may be without end."""
        return self._settling.ages(now) < settling.LONGEST_S and bool(
            self._settling.paths - self._gone
        )

    def _end(self, path: str) -> None:
        self._settling.end(path)
        self._gone.discard(path)
        self._cut.discard(path)

    def _take(self, path: str, seen: Stamp | findings.Finding, known: _Known | None) -> _Known:
        """The file as it is; what was last good stands in for what cannot be read."""
        previous = None if known is None else known.content
        if isinstance(seen, findings.Finding):
            content = parsed.unreadable(path, seen)
            return _Known(look=seen, content=parsed.keep_last_good(content, previous))
        if file_names.role(path) == "other":
            self._misnamed.add(path)
            return _Known(look=seen, content=self._read_other(path))
        for _ in range(_ATTEMPTS):  # between two looks that agree, so not half of two versions
            content, ends = self._read_file(path, previous)
            again = listing.look(self.folder, path)
            if again == seen or not isinstance(again, tuple):
                break
            seen = again
        return _Known(look=seen, content=parsed.keep_last_good(content, previous), ends=ends)

    def _read_other(self, path: str) -> parsed.Parsed:
        try:
            with (self.folder / path).open("rb") as file:
                return misnamed.read(path, file.read(misnamed.MAX_BYTES))
        except OSError as error:
            self._listing.passed[path] = f"it cannot be looked into: {error.strerror}"
            return parsed.Parsed(file=path)

    def _read_file(self, path: str, previous: parsed.Parsed | None) -> tuple[parsed.Parsed, bool]:
        """The documents of one file, and whether its last line is whole."""
        try:
            data = named_files.read_bounded(self.folder / path, MAX_FILE_BYTES)
        except OSError as error:
            limit = MAX_FILE_BYTES // 2**20
            problem = describe("unreadable-file", error=error.strerror, limit=limit)
            return parsed.unreadable(path, problem), True
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            problem = describe("unreadable-file.byte", byte=error.start)
            return parsed.unreadable(path, problem, line=line), True
        return parse.parse_text(text, path, previous), data.endswith(b"\n")

    def _content(self, path: str) -> parsed.Parsed | None:
        """What the file says now; None when it is gone."""
        known = self._known.get(path)
        if known is None:
            return None
        if path in self._gone or path in self._cut:
            return parsed.held(known.content)
        original = file_names.original_of(path) if file_names.role(path) == "other" else ""
        return misnamed.copy_of(path, original) if original in self._known else known.content

    def _make_world(self, found: list[findings.Finding]) -> World:
        retrieved = self._retrieved()
        world = self._store.world(at=self._clock.now(), jwks=retrieved.jwks)
        files = self._library.read(world.gates.values())
        self._named = frozenset(files.named)
        meant = {file for file in files.named if self._holds_nothing(file)}
        found = [
            *found,
            *files.found,
            *retrieved.found,
            *self._passed(),
            *(f for f in world.findings if f.where is None or f.where.file not in meant),
        ]
        return dataclasses.replace(
            world,
            files=files.files,
            geo=files.geo,
            findings=findings.order(found),
            broken=tuple(b for b in world.broken if b.where is None or b.where.file not in meant),
        )

    def _passed(self) -> Iterator[findings.Finding]:
        """A line for each file that is passed over and that no Gate names."""
        passed = sorted(self._listing.passed.keys() - self._named)
        for path in passed[:_MOST_PASSED]:
            yield listing.at(path, describe("file-not-read", why=self._listing.passed[path]))
        more = len(passed) - _MOST_PASSED
        if more > 0:
            yield listing.at(".", describe("file-not-read.more", number=more))

    def _holds_nothing(self, path: str) -> bool:
        """A key set in a .json file is no document, and no broken one either."""
        known = self._known.get(path)
        return known is not None and not any(
            part.docs or part.kept or any(broken.ref.kind for broken in part.broken)
            for part in known.content.parts
        )


def _is_moved_here(seen: Look, known: _Known | None) -> bool:
    """Whether a finished file was moved to this path.

    rename(2) gives the path another inode and changes its ctime; a write sets mtime and ctime alike.
    """
    if not isinstance(seen, tuple):
        return False
    modified, changed, _, inode, _ = seen
    before = known.look if known is not None else None
    return changed > modified and not (isinstance(before, tuple) and before[3] == inode)


def _is_cut(known: _Known, taken: _Known) -> bool:
    """Whether a file lost documents or the end of its last line: it may just be being written."""
    if known.ends and not taken.ends:
        return True
    there = {doc.ref for doc in (*taken.content.docs, *taken.content.kept)}
    there.update(broken.ref for broken in taken.content.broken)
    return any(doc.ref not in there for doc in (*known.content.docs, *known.content.kept))


def _same(one: World, other: World) -> bool:
    """Whether two Worlds differ in nothing but their instant; documents compare by identity."""
    pairs = (
        (getattr(one, item.name), getattr(other, item.name))
        for item in dataclasses.fields(World)
        if item.name != "at"
    )
    return all(a is b or a == b for a, b in pairs)
