"""Settings of a running Gatereeve: the one place that reads the environment and the command line.

Defaults are safe ones. Everything that is stored lies under one state directory, mode 0700.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gatereeve.admission.guards.settings import Stamps
from gatereeve.core.errors import SettingsError
from gatereeve.sources.kube.access import Access, InCluster, Kubeconfig

_LONGEST_RUN = 70
_LONGEST_GATE = 24
_LEAST_HEAP = 1024**3
_CONTAINER_MEMORY = Path("/sys/fs/cgroup/memory.max")

NAMESPACE_VARIABLE, POD_VARIABLE = "POD_NAMESPACE", "POD_NAME"
"""Environment of a pod, by the downward API: where it runs and what it is called."""

KUBECONFIG_VARIABLE = "KUBECONFIG"
"""Environment: the kubeconfig of a user outside the cluster."""

STATE_VARIABLE = "GATEREEVE_STATE"
"""Environment: the state directory, when the command line names none."""


REPLICA_VARIABLE = "GATEREEVE_REPLICA"
"""Environment: the name of a gate's replica, when the command line names none."""


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
    def documents(self) -> Path:
        """Digests of the documents whose changes were recorded (`documents`)."""
        return self.root / "documents.journal"

    @property
    def governed(self) -> Path:
        """The Services and servers of models (`governed_addresses`)."""
        return self.root / "governed.json"

    @property
    def folder(self) -> Path:
        """The documents of the folder that were in force last (`last_documents`)."""
        return self.root / "folder.journal"

    @property
    def guards(self) -> Path:
        """Digests of the guards that were seen last (`guarding`)."""
        return self.root / "guards.journal"

    @property
    def key_sets(self) -> Path:
        """Key sets that were retrieved last (`key_memory`)."""
        return self.root / "key-sets.json"

    def last_good(self, gate: str) -> Path:
        return self.root / "last-good" / f"{gate}.journal"

    def last_good_files(self) -> list[Path]:
        return list((self.root / "last-good").glob("*.journal"))


def half_of_memory() -> int:
    """Half of this machine's memory, or of what our container may use, in bytes; 1 GiB where that
    is unknown or less, unless the container has less.
    """
    try:
        half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError):
        half = 0
    machine = max(half, _LEAST_HEAP)
    with contextlib.suppress(OSError, ValueError):  # cgroup v2: "max" where there is no bound
        return min(machine, int(_CONTAINER_MEMORY.read_text()) // 2)
    return machine


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """The place of a controller in a cluster.

    namespace: where it runs, keeps its Lease and its certificates, and finds the Services of gates.
    replica: name of its pod. namespaces: those that are watched, () for all. files: a mounted
    directory with the files that Gates name.
    """

    access: Access
    namespace: str
    replica: str
    namespaces: tuple[str, ...] = ()
    files: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings:
    """One `gatereeve controller`. Addresses are `host:port`.

    documents: a folder, or a cluster. xds_names, webhook_names: under which names others reach our services.
    webhook: where changes are reviewed, "" for nowhere. stamps: as in `GuardSettings`.
    webhook_clients: PEM of the authority of the API server's client certificate, None where the cluster
    offers none. webhook_client_names: one of which that certificate must have.
    certificates: where a folder's are kept, ours and those of gates (`key_store`). mounted: a directory
    with a certificate that another program issues and renews; nothing is issued then.
    gates: where the agents of all gates of a Gate answer, with `{gate}` for its name; empty when
    only those that are connected here are asked.
    """

    documents: Path | ClusterSettings
    state: StatePaths
    certificates: Path
    mounted: Path | None = None
    xds: str = "0.0.0.0:18000"
    http: str = "0.0.0.0:8081"
    xds_names: tuple[str, ...] = ("gatereeve-controllers",)
    webhook: str = ""
    webhook_names: tuple[str, ...] = ()
    webhook_clients: Path | None = None
    webhook_client_names: tuple[str, ...] = ()
    stamps: Stamps = "policy"
    gates: str = ""
    removal_grace_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePaths:
    """Where the processes of one gate meet: a directory that its containers share.

    The sockets lie in a directory of our own in it, mode 0700; all containers have one user.
    """

    shared: Path

    @property
    def root(self) -> Path:
        return self.shared / "gate"

    @property
    def admin_socket(self) -> Path:
        return self.root / "admin.sock"

    @property
    def records_socket(self) -> Path:
        return self.root / "records.sock"

    @property
    def life(self) -> Path:
        """When the Envoy of now began; for the recorder (`gate_life`)."""
        return self.root / "life.json"

    @property
    def envoy(self) -> Path:
        return self.root / "envoy"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """One `gatereeve gate`. Addresses are `host:port`.

    replica: distinguishes the gates of this Gate; the pod's name. controllers: any of them will do.
    server_name: what a controller's certificate is called. certificates: a mounted Secret.
    drain_least_s, drain_longest_s: how long a stop waits for clients to leave.
    """

    gate: str
    replica: str
    controllers: tuple[str, ...]
    server_name: str
    certificates: Path
    paths: GatePaths
    zone: str = ""
    http: str = "0.0.0.0:8082"
    agent: str = "0.0.0.0:18002"
    concurrency: int = 2
    drain_least_s: float = 10.0
    drain_longest_s: float = 60.0
    max_connections: int = 50_000
    heap_bytes: int = field(default_factory=half_of_memory)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderSettings:
    """One `gatereeve recorder`, beside the gate whose names and directory it shares.

    last_s: how long, once it is to stop, it waits for the gate to end first.
    """

    gate: str
    replica: str
    paths: GatePaths
    state: Path
    http: str = "0.0.0.0:8083"
    last_s: float = 360.0


def replica_name(name: str | None, environment: Mapping[str, str] | None = None) -> str:
    """As given, else the pod's or machine's name. Raises SettingsError when there is none."""
    environment = os.environ if environment is None else environment
    replica = name or environment.get(REPLICA_VARIABLE) or environment.get("HOSTNAME")
    if not replica:
        raise SettingsError("the name of this replica is not known", hint="name it with --replica")
    return replica


def state_paths(path: Path | None, environment: Mapping[str, str] | None = None) -> StatePaths:
    """The state directory: as given, else from the environment, else `.gatereeve` here."""
    environment = os.environ if environment is None else environment
    root = path or Path(environment.get(STATE_VARIABLE) or ".gatereeve")
    return StatePaths(root=root.absolute())


def prepare_state(paths: StatePaths) -> None:
    """Make the directories, private to this user. Raises SettingsError when that cannot be."""
    prepare(paths.root, paths.run, paths.root / "gates", hint="name another --state")


def prepare(*directories: Path, hint: str) -> None:
    """Make directories, private to this user. Raises SettingsError when that cannot be."""
    for directory in directories:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory_stat = directory.lstat()
            if not stat.S_ISDIR(directory_stat.st_mode) or directory_stat.st_uid != os.getuid():
                raise SettingsError(f"{directory} is not a directory of this user", hint=hint)
            directory.chmod(0o700)
        except OSError as error:
            raise SettingsError(
                f"the directory {directory} cannot be used: {error.strerror}", hint=hint
            ) from error


def cluster_settings(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    namespace: str | None = None,
    namespaces: tuple[str, ...] = (),
    files: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> ClusterSettings:
    """The settings as given, else from the environment of a pod. Raises SettingsError without both."""
    environment = os.environ if environment is None else environment
    if kubeconfig is not None:
        access: Access = Kubeconfig(path=kubeconfig, context=context)
    else:
        host, port = (environment.get(f"KUBERNETES_SERVICE_{word}") for word in ("HOST", "PORT"))
        if not host or not port or not port.isdigit():
            raise SettingsError(
                "this is no pod of a cluster: KUBERNETES_SERVICE_HOST and _PORT are not set",
                hint="name the cluster with --kubeconfig",
            )
        access = InCluster(host=host, port=int(port))
    namespace = namespace or environment.get(NAMESPACE_VARIABLE)
    if not namespace:
        raise SettingsError(
            "the namespace of the controllers is not known",
            hint=f"name it with --namespace, or set {NAMESPACE_VARIABLE}",
        )
    return ClusterSettings(
        access=access,
        namespace=namespace,
        replica=environment.get(POD_VARIABLE) or socket.gethostname(),
        namespaces=namespaces,
        files=files,
    )


def kubeconfig_access(
    kubeconfig: Path | None, context: str | None, environment: Mapping[str, str] | None = None
) -> Access:
    """A person's way to a cluster: as given, else $KUBECONFIG, else kubectl's own place.

    Raises SettingsError when there is none.
    """
    environment = os.environ if environment is None else environment
    home = Path(environment.get("HOME", "/")) / ".kube" / "config"
    path = kubeconfig or Path(environment.get(KUBECONFIG_VARIABLE) or home)
    if not path.is_file():
        raise SettingsError(
            f"there is no kubeconfig at {path}", hint="name one file with --kubeconfig"
        )
    return Kubeconfig(path=path, context=context)
