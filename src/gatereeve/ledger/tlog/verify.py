"""Verifies a copied log offline, with the public key only, and names every fault with its file and index.

Stands alone: of the product it imports only the formats beside it. It trusts nothing in the directory. It
reads every file once, holds a few tiles in memory, and goes on after a fault.

Steps: 1. The checkpoint: format, signature, quorum. 2. Names: which files are there, which do not belong.
3. The tiles of the right edge: they must have the signed root. 4. Every tile below: its root must be the hash
in the tile above, and every entry must have its hash. 5. Older partial files: they must be the beginning of
what follows. 6. Older checkpoints that the auditor kept: the log must continue them.
Whether a hash or what it stands for was changed is decided by the third party between both: the signed hash above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gatereeve.ledger.tlog import checkpoints, inventory, notes, policy, tiles, tree
from gatereeve.ledger.tlog.checkpoints import Checkpoint
from gatereeve.ledger.tlog.faults import Fault, TlogError, fault
from gatereeve.ledger.tlog.tile_checks import TileChecks, read_file
from gatereeve.ledger.tlog.tiles import HASH_BYTES

CHECKPOINT = inventory.CHECKPOINT
MAX_FAULTS = 10_000
"""Faults that are kept one by one; more are only counted."""

Progress = Callable[[int, int], None]
"""Called with the entries checked so far and the entries of the log, after each bundle."""
Visit = Callable[[int, Sequence[bytes]], None]
"""Called with the index of the first entry and the entries of each bundle that has the hashes of its tile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found. is_intact: the checkpoint holds, and everything that it implies is there and unchanged.

    checkpoint: None where it is unusable; then files were checked against each other only. size: entries that
    were looked at. faults: at most MAX_FAULTS of `fault_count`. leftovers: files beyond the checkpoint, and
    temporary ones: no signature covers them, and an interrupted batch leaves such files.
    """

    checkpoint: Checkpoint | None
    size: int
    faults: tuple[Fault, ...]
    fault_count: int
    leftovers: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        return self.checkpoint is not None and not self.fault_count


def verify(
    directory: Path,
    key: notes.VerifierKey,
    *,
    trust: policy.Policy | None = None,
    older: Iterable[bytes] = (),
    progress: Progress | None = None,
    visit: Visit | None = None,
    report: Callable[[Fault], None] | None = None,
) -> Verdict:
    """Verify the log in `directory`, whose origin is the name of `key`.

    trust: the quorum of witnesses to evaluate. older: signed checkpoints of this log that were kept.
    report: called with each fault when it is found. Faults are returned, never raised; OSError is raised only
    where a folder in `directory` cannot be listed.
    """
    faults = _Faults(report)
    checkpoint = _open_checkpoint(directory, key, trust, faults)  # 1
    size = inventory.find_extent(directory) if checkpoint is None else checkpoint.size
    files = inventory.list_files(directory, size)  # 2
    for path in files.unexpected:
        faults.add(fault("unexpected-file", path))
    kept = _open_older(older, key, size, faults)
    checks = TileChecks(
        directory=directory,
        size=size,
        partials=files.partials,
        add=faults.add,
        progress=progress,
        visit=visit,
        wanted={(n.level or 0, n.index) for each in kept for n in tiles.edge(each.size)},
    )
    checks.check_all(None if checkpoint is None else checkpoint.root)  # 3 to 5
    for each in kept:  # 6
        _check_older(each, checks, faults)
    return Verdict(
        checkpoint=checkpoint,
        size=size,
        faults=tuple(faults.kept),
        fault_count=faults.count,
        leftovers=tuple(files.leftovers),
    )


@dataclass(slots=True)
class _Faults:
    """Faults of one run, in the order in which they were found."""

    report: Callable[[Fault], None] | None
    kept: list[Fault] = field(default_factory=list)
    count: int = 0

    def add(self, found: Fault) -> None:
        self.count += 1
        if len(self.kept) < MAX_FAULTS:
            self.kept.append(found)
        if self.report is not None:
            self.report(found)

    def add_error(self, error: TlogError, file: str) -> None:
        """A value of a file is unusable."""
        self.add(Fault(code=error.code, file=file, message=f"{file}: {error}", hint=error.hint))


def _open_checkpoint(
    directory: Path, key: notes.VerifierKey, trust: policy.Policy | None, faults: _Faults
) -> Checkpoint | None:
    try:
        data = read_file(directory / CHECKPOINT, notes.MAX_NOTE_BYTES + 1)
    except FileNotFoundError:
        faults.add(fault("file-missing", CHECKPOINT))
        return None
    except OSError as error:
        faults.add(fault("file-unreadable", CHECKPOINT, why=error.strerror or str(error)))
        return None
    try:
        checkpoint = checkpoints.open_checkpoint(data, (key,), key.name)
    except TlogError as error:
        faults.add_error(error, CHECKPOINT)
        return None
    if trust is not None:
        try:
            policy.open_with_policy(data, trust)
        except TlogError as error:
            faults.add_error(error, CHECKPOINT)
    return checkpoint


def _open_older(
    older: Iterable[bytes], key: notes.VerifierKey, size: int, faults: _Faults
) -> list[Checkpoint]:
    """The older checkpoints that the log may contain; for each of the others there is a fault."""
    kept = []
    for number, signed in enumerate(older, 1):
        name = f"older checkpoint {number}"
        try:
            checkpoint = checkpoints.open_checkpoint(signed, (key,), key.name)
        except TlogError as error:
            faults.add_error(error, name)
            continue
        if checkpoint.size > size:
            faults.add(fault("rolled-back", name, size=size, older=checkpoint.size))
        else:
            kept.append(checkpoint)
    return kept


def _check_older(older: Checkpoint, checks: TileChecks, faults: _Faults) -> None:
    """The hashes that are believed after the check must have the root of an older checkpoint.

    Where files are missing there may be no hashes; then their faults are all that can be said.
    """
    hashes = {
        name: checks.kept[name.level or 0, name.index][: name.width * HASH_BYTES]
        for name in tiles.edge(older.size)
    }
    if any(len(known) < name.width * HASH_BYTES for name, known in hashes.items()):
        return
    if tree.restore(older.size, hashes.__getitem__).root() != older.root:
        faults.add(fault("history-rewritten", CHECKPOINT, older=older.size))
