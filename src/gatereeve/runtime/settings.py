"""Settings of a running Gatereeve: the one place that reads the environment and the command line.

Defaults are safe ones. Everything that is stored lies under one state directory, mode 0700.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gatereeve.core.errors import SettingsError

STATE_VARIABLE = "GATEREEVE_STATE"
"""Environment: the state directory, when the command line names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePaths:
    """Where things lie under the state directory. Unix sockets are short names: 107 bytes at most."""

    root: Path

    @property
    def xds_socket(self) -> Path:
        return self.root / "run" / "xds.sock"

    @property
    def control_socket(self) -> Path:
        return self.root / "run" / "control.sock"

    def admin_socket(self, gate: str) -> Path:
        return self.root / "run" / f"{gate}.admin.sock"

    def gate_directory(self, gate: str) -> Path:
        return self.root / "gates" / gate

    @property
    def records(self) -> Path:
        return self.root / "records"

    def last_good(self, gate: str) -> Path:
        return self.root / "last-good" / f"{gate}.msgpack"

    def last_good_files(self) -> list[Path]:
        return list((self.root / "last-good").glob("*.msgpack"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One `gatereeve up`.

    concurrency: Envoy worker threads per gate. removal_grace_s: how long what nothing references
    any more stays on the gates. drain_s: how long a stop waits for open requests.
    """

    folder: Path
    state: StatePaths
    concurrency: int = 2
    removal_grace_s: float = 5.0
    drain_s: float = 10.0
    startup_s: float = 60.0
    max_connections: int = 50_000


def state_paths(given: Path | None, environment: Mapping[str, str] | None = None) -> StatePaths:
    """The state directory: as given, else from the environment, else `.gatereeve` here."""
    environment = os.environ if environment is None else environment
    root = given or Path(environment.get(STATE_VARIABLE) or ".gatereeve")
    return StatePaths(root=root.absolute())


def prepare_state(paths: StatePaths) -> None:
    """Make the directories, private to this user. Raises SettingsError when that cannot be."""
    try:
        for directory in (paths.root, paths.root / "run", paths.root / "gates", paths.records):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)
    except OSError as error:
        raise SettingsError(
            f"the state directory {paths.root} cannot be used: {error.strerror}",
            hint="name another one with --state",
        ) from error
    longest = len(os.fsencode(paths.control_socket)) + 40
    if longest > 107:
        raise SettingsError(
            f"the path of the state directory is too long for Unix sockets: {paths.root}",
            hint="name a shorter one with --state",
        )
