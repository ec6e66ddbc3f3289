"""Settings of a running Gatereeve: the one place that reads the environment and the command line.

Defaults are safe ones. Everything that is stored lies under one state directory, mode 0700.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gatereeve.core.errors import SettingsError

_LONGEST_RUN = 70
_LONGEST_GATE = 24
_LEAST_HEAP = 1024**3

STATE_VARIABLE = "GATEREEVE_STATE"
"""Environment: the state directory, when the command line names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePaths:
    """Where things lie under the state directory.

    Sockets lie in `run`; a state directory whose path is too long for Unix sockets (107 bytes) has
    its `run` in the system's temporary directory, under a name that follows from the path.
    """

    root: Path

    @property
    def run(self) -> Path:
        inside = self.root / "run"
        if len(os.fsencode(inside)) <= _LONGEST_RUN:
            return inside
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"gatereeve-{os.getuid()}-{name}"

    @property
    def xds_socket(self) -> Path:
        return self.run / "xds.sock"

    @property
    def control_socket(self) -> Path:
        return self.run / "control.sock"

    def admin_socket(self, gate: str) -> Path:
        """The admin socket of a gate; the name is cut so that it fits."""
        name = (
            gate if len(gate) <= _LONGEST_GATE else hashlib.sha256(gate.encode()).hexdigest()[:16]
        )
        return self.run / f"{name}.admin.sock"

    def gate_directory(self, gate: str) -> Path:
        return self.root / "gates" / gate

    @property
    def records(self) -> Path:
        return self.root / "records"

    def last_good(self, gate: str) -> Path:
        return self.root / "last-good" / f"{gate}.msgpack"

    def last_good_files(self) -> list[Path]:
        return list((self.root / "last-good").glob("*.msgpack"))


def half_of_memory() -> int:
    """Half of this machine's memory, in bytes; 1 GiB at least, and where that is not told."""
    try:
        found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError):
        found = 0
    return max(found, _LEAST_HEAP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One `gatereeve up`.

    concurrency: Envoy worker threads per gate. removal_grace_s: how long what nothing references
    any more stays on the gates. drain_s: how long a stop waits for open requests.
    heap_bytes: what one Envoy may use before it refuses requests; a model takes about 0.2 MB of it.
    """

    folder: Path
    state: StatePaths
    concurrency: int = 2
    removal_grace_s: float = 5.0
    drain_s: float = 10.0
    max_connections: int = 50_000
    heap_bytes: int = field(default_factory=half_of_memory)


def state_paths(given: Path | None, environment: Mapping[str, str] | None = None) -> StatePaths:
    """The state directory: as given, else from the environment, else `.gatereeve` here."""
    environment = os.environ if environment is None else environment
    root = given or Path(environment.get(STATE_VARIABLE) or ".gatereeve")
    return StatePaths(root=root.absolute())


def prepare_state(paths: StatePaths) -> None:
    """Make the directories, private to this user. Raises SettingsError when that cannot be."""
    try:
        for directory in (paths.root, paths.run, paths.root / "gates"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = directory.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                raise SettingsError(
                    f"{directory} is not a directory of this user", hint="name another --state"
                )
            directory.chmod(0o700)
    except OSError as error:
        raise SettingsError(
            f"the state directory {paths.root} cannot be used: {error.strerror}",
            hint="name another one with --state",
        ) from error
