"""What a controller reads, which of its replicas leads, and where its certificates are kept.

The controller is the same on a machine with a folder and in a cluster; only the `Environment`
differs. `FolderEnvironment` is here, the cluster's is in `cluster_environment`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gatereeve.api.world import World
from gatereeve.core.protocols import Clock
from gatereeve.pki.stores import DirectoryStore, KeyStore
from gatereeve.proxy.xds.server import MutualTls
from gatereeve.runtime import governed_addresses
from gatereeve.runtime.change_records import ChangeRecords
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.folder_reader import check_readable
from gatereeve.runtime.last_documents import LastDocuments
from gatereeve.runtime.lock_file import LockFile
from gatereeve.runtime.metrics import Measured
from gatereeve.runtime.settings import StatePaths
from gatereeve.sources.folder.folder_source import FolderSource, Retrieved
from gatereeve.sources.watch import Watch

BackgroundTask = Callable[[], Awaitable[None]]
Retrieve = Callable[[], Retrieved]


class Source(Protocol):
    """Where Worlds come from: `sources.watch.Watch`, or the reflectors of a cluster.

    Only whole Worlds: the first one when everything it reads has been read.
    """

    async def run(self, apply: Callable[[World], Awaitable[None]]) -> None:
        """Gives every World to `apply`, in order, one at a time. Until cancelled."""
        ...

    def wake(self) -> None:
        """A World is wanted soon although nothing changed: time went on, or a key set arrived."""
        ...


class Leader(Protocol):
    """Whether this replica writes: asked before every write, answered at once."""

    def is_leading(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInputs:
    """What the tasks of an environment read. webhook: its certificate, None before there is one."""

    plane: ControlPlane
    changes: ChangeRecords
    webhook: Callable[[], MutualTls | None]


class Environment(Protocol):
    """See the module.

    name: for people, as `the folder X`. background_tasks: what runs for this environment, by name,
    from before the first World until the end.
    """

    @property
    def name(self) -> str: ...

    @property
    def source(self) -> Source: ...

    @property
    def leader(self) -> Leader: ...

    @property
    def store(self) -> KeyStore: ...

    @property
    def memory(self) -> governed_addresses.GovernedStore: ...

    def background_tasks(self, inputs: TaskInputs) -> Mapping[str, BackgroundTask]: ...

    def notify(self) -> None:
        """What is known about documents or gates changed; returns at once."""
        ...

    def metrics(self) -> Measured:
        """What is measured only here."""
        ...

    async def aclose(self) -> None:
        """Let go of the leadership and of connections."""
        ...


class FolderEnvironment:
    """A folder of documents; certificates in a directory that all controllers here share."""

    def __init__(
        self, folder: Path, state: StatePaths, certificates: Path, clock: Clock, retrieved: Retrieve
    ) -> None:
        """Raises SourceError when the folder is not there or may not be read, SettingsError when the
        memory of Services and servers of models cannot be read."""
        check_readable(folder)
        self.memory = governed_addresses.FileStore(state.governed, used=state.documents.exists())
        self.memory.read()
        self.name = str(folder.absolute())
        last = LastDocuments(state.folder, folder)
        self.source = Watch(FolderSource(folder, clock, retrieved=retrieved, memory=last))
        self.leader = LockFile(certificates / "leader")
        self.store = DirectoryStore(certificates)

    def background_tasks(self, _inputs: TaskInputs) -> Mapping[str, BackgroundTask]:
        return {}

    def notify(self) -> None:
        """A folder has no objects with a status."""

    def metrics(self) -> Measured:
        return iter(())

    async def aclose(self) -> None:
        self.leader.close()
