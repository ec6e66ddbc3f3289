"""A node with real pods, in namespaces of its own on this machine: processes, mounts, network.

Its first process holds them: when that one is killed, every process, mount, interface, route and
packet rule of the node ends at the same moment, as when a machine loses power. What remains are its
state folder and control groups, which `remove` clears.

containerd and runc run the containers, `ptp` from the CNI plugins wires them, kube-proxy serves
Services and kube-router enforces NetworkPolicies.
"""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import controlplane, network, processes, tools, waiting

PAUSE_IMAGE = "gatereeve.test/pause:1"
DNS_ADDRESS = "10.96.0.10"
CNI_PLUGINS = "/usr/lib/cni"
PACKAGES: dict[str, str] = {
    "containerd": "containerd",
    "runc": "runc",
    f"{CNI_PLUGINS}/ptp": "containernetworking-plugins",
    "nft": "nftables",
    "conntrack": "conntrack",
    "iptables": "iptables",
    "ipset": "ipset",
    "ip": "iproute2",
}
"""Programs a node needs from the system, and the Debian packages that bring them."""

_INIT = Path(__file__).parent / "node_init.sh"
_SOCKET = "/run/containerd/containerd.sock"
_APART = (
    *("unshare", "--net", "--mount", "--pid", "--ipc", "--uts"),
    *("--fork", "--mount-proc", "--kill-child", "--"),
)
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_CONTAINERS = "k8s.io"
"""containerd's name for what Kubernetes runs; it puts their control groups under it."""


@dataclass(kw_only=True)
class Node:
    """state: its folder. plane: whom it belongs to."""

    number: int
    state: Path
    plane: controlplane.ControlPlane

    @property
    def name(self) -> str:
        return f"node{self.number}"

    @property
    def place(self) -> network.Place:
        return network.Place(number=self.number)

    def is_alive(self) -> bool:
        holder = self.program("init")
        return holder is not None and holder.is_alive()

    def program(self, name: str) -> processes.Program | None:
        return processes.load(self.state / "programs" / f"{name}.json")

    def up(self) -> None:
        """Its programs run when this returns; when it is Ready, the API server says."""
        (self.state / "programs").mkdir(parents=True, exist_ok=True)
        self._hold()
        self._wire()
        self._configure()
        self.start("containerd", ["containerd", "--config", self.state / "containerd.toml"])
        waiting.until(self._has_containerd, "containerd answers", seen=self._tail("containerd"))

    def join(self) -> None:
        """Needs the pause image."""
        self.start("kubelet", self._kubelet())
        self.start("kube-proxy", self._kube_proxy())

    def guard(self) -> None:
        """NetworkPolicies are enforced from here on. Needs the node's podCIDR."""
        self.start("kube-router", self._kube_router())

    def require(self) -> None:
        """Raises DiedError when a program of the node ended by itself."""
        for file in (self.state / "programs").glob("*.json"):
            self._require(file.stem)

    def tails(self) -> str:
        """The last words of everything in it."""
        return "\n".join(
            f"--- {file.stem}\n{file.read_text(errors='replace')[-1500:]}"
            for file in sorted((self.state / "logs").glob("*.log"))
        )

    def start(self, name: str, command: Sequence[str | Path]) -> None:
        """Runs a program inside the node, for as long as the node lives."""
        holder = self._require_holder()
        outer = processes.start(
            name,
            [*_enter(holder), *command],
            log=self.state / "logs" / f"{name}.log",
            outlives=True,
        )
        # The one that enters stays outside; what it started inside is the program.
        inner = waiting.until(lambda: processes.child_of(outer), f"{name} starts", seen=outer.tail)
        inner.save(self.state / "programs" / f"{name}.json")

    def run(
        self, *command: str | Path, check: bool = True, given: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs a command inside the node to its end."""
        words = [str(word) for word in (*_enter(self._require_holder()), *command)]
        done = subprocess.run(words, capture_output=True, input=given, check=False)
        if check and done.returncode:
            raise NodeError(f"{' '.join(words)}: {done.stderr.decode(errors='replace').strip()}")
        return done

    def load_image(self, archive: Path, name: str | None = None) -> None:
        """Imports an OCI or docker archive; pods then find it under its own names, and under `name`."""
        listing = self.ctr("images", "import", str(archive)).stdout.decode()
        if name:
            found = next(line.split()[1] for line in listing.splitlines() if "unpacking " in line)
            if found != name:
                self.ctr("images", "tag", "--force", found, name)

    def ctr(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return self.run("ctr", "--address", _SOCKET, "--namespace", "k8s.io", *words)

    def lose(self) -> None:
        """As when the machine loses power: everything of the node ends at once, unasked."""
        holder = self.program("init")
        if holder is not None:
            holder.kill()
        waiting.until(
            lambda: network.ip("link", "show", self.place.wire, check=False) != 0,
            f"the wire of {self.name} is gone",
        )

    def remove(self) -> None:
        """Ends it and clears what it left."""
        self.lose()
        self._clear_control_groups()
        shutil.rmtree(self.state)

    def _hold(self) -> None:
        """Makes the node's namespaces and the process that keeps them."""
        outer = processes.start(
            f"{self.name}",
            [*_APART, "sh", _INIT, self.state, tools.path("pause")],
            log=self.state / "logs" / "init.log",
            outlives=True,
        )
        pause = str(tools.path("pause"))
        inner = waiting.until(
            lambda: processes.child_of(outer, running=pause), f"{self.name} starts", seen=outer.tail
        )
        inner.save(self.state / "programs" / "init.json")

    def _wire(self) -> None:
        holder = self._require_holder()
        network.connect(self.place, holder.pid)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", f"{self.place.address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "route", "add", "default", "via", network.HOST)
        self.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self.run("hostname", self.name)

    def _configure(self) -> None:
        (self.state / "cni").mkdir(exist_ok=True)
        (self.state / "cni" / "10-ptp.conflist").write_text(json.dumps(self._cni(), indent=1))
        (self.state / "containerd.toml").write_text(self._containerd())
        (self.state / "resolv.conf").write_text("")
        authority = self.plane.authority
        authority.issue(
            self.name,
            user=f"system:node:{self.name}",
            groups=["system:nodes"],
            dns=[self.name],
            addresses=[self.place.address],
        )
        (self.state / "kubelet.json").write_text(json.dumps(self._kubelet_settings(), indent=1))

    def _cni(self) -> dict[str, object]:
        return {
            "cniVersion": "1.0.0",
            "name": "pods",
            "plugins": [
                {
                    # Every packet of a pod is routed, so rules see all of them; on a bridge, packets
                    # between pods of one node would pass below the rules.
                    "type": "ptp",
                    "ipMasq": False,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": "/run/cni/addresses",
                        "ranges": [[{"subnet": self.place.pods}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }

    def _containerd(self) -> str:
        cri = 'plugins."io.containerd.grpc.v1.cri"'
        return f"""version = 2
root = "{self.state / "containerd"}"
state = "/run/containerd"
# This one makes a folder outside of the node's state.
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = "{_SOCKET}"
[{cri}]
sandbox_image = "{PAUSE_IMAGE}"
# Without CAP_SYS_RESOURCE runc could not lower a score and would end without a word.
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[{cri}.cni]
bin_dir = "{CNI_PLUGINS}"
conf_dir = "{self.state / "cni"}"
[{cri}.containerd]
snapshotter = "overlayfs"
[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""

    def _kubelet_settings(self) -> dict[str, object]:
        authority = self.plane.authority
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.place.address,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": False},
                "x509": {"clientCAFile": str(authority.certificate)},
            },
            "authorization": {"mode": "AlwaysAllow"},
            "tlsCertFile": str(authority.folder / f"{self.name}.crt"),
            "tlsPrivateKeyFile": str(authority.folder / f"{self.name}.key"),
            "containerRuntimeEndpoint": f"unix://{_SOCKET}",
            "clusterDNS": [DNS_ADDRESS],
            "clusterDomain": "cluster.local",
            "resolvConf": str(self.state / "resolv.conf"),
            "volumePluginDir": str(self.state / "volume-plugins"),
            # Each container has its group; pods get none, since not every machine lets them be made.
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": False,
            "enforceNodeAllocatable": [],
            "failCgroupV1": False,
            "failSwapOn": False,
            "localStorageCapacityIsolation": False,
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            # One API server, few nodes: prompt rather than polite.
            "nodeStatusUpdateFrequency": "5s",
            "syncFrequency": "10s",
            "shutdownGracePeriod": "0s",
        }

    def _kubelet(self) -> list[str | Path]:
        return [
            tools.path("kubelet"),
            f"--config={self.state / 'kubelet.json'}",
            f"--kubeconfig={self.plane.component_kubeconfig(self.name)}",
            f"--root-dir={self.state / 'kubelet'}",
            f"--hostname-override={self.name}",
            f"--node-ip={self.place.address}",
            f"--node-labels=topology.kubernetes.io/zone=zone{self.number}",
        ]

    def _kube_proxy(self) -> list[str | Path]:
        return [
            tools.path("kube-proxy"),
            f"--kubeconfig={self.plane.component_kubeconfig('kube-proxy')}",
            "--proxy-mode=nftables",
            f"--cluster-cidr={network.POD_RANGE}",
            # The machine's limits of connection tracking stay as they are.
            "--conntrack-max-per-core=0",
            f"--hostname-override={self.name}",
        ]

    def _kube_router(self) -> list[str | Path]:
        return [
            tools.path("kube-router"),
            f"--kubeconfig={self.plane.component_kubeconfig('kube-router')}",
            "--run-firewall=true",
            "--run-router=false",
            "--run-service-proxy=false",
            f"--service-cluster-ip-range={controlplane.SERVICE_RANGE}",
            f"--hostname-override={self.name}",
        ]

    def _clear_control_groups(self) -> None:
        """The kernel keeps the group of a container that ended without runc, until it is removed."""
        kept = self.state / "containerd" / "io.containerd.grpc.v1.cri"
        names = [place.name for place in kept.glob("*/*")]
        for hierarchy in (*_CONTROL_GROUPS.glob(f"*/{_CONTAINERS}"), _CONTROL_GROUPS / _CONTAINERS):
            for name in names:
                _remove_group(hierarchy / name)
            with contextlib.suppress(OSError):
                # Another node's containers may be in there.
                hierarchy.rmdir()

    def _has_containerd(self) -> bool:
        self._require("containerd")
        return self.run("ctr", "--address", _SOCKET, "version", check=False).returncode == 0

    def _require(self, name: str) -> None:
        program = self.program(name)
        if program is not None:
            program.require()

    def _tail(self, name: str) -> Callable[[], object]:
        return lambda: (self.state / "logs" / f"{name}.log").read_text(errors="replace")[-2000:]

    def _require_holder(self) -> processes.Program:
        holder = self.program("init")
        if holder is None or not holder.is_alive():
            raise NodeError(f"{self.name} does not run")
        return holder


class NodeError(Exception):
    """A node, or a command in it, failed. Holds its words."""


def missing_packages() -> list[str]:
    return [package for program, package in PACKAGES.items() if not shutil.which(program)]


def _enter(holder: processes.Program) -> list[str]:
    return [
        "nsenter",
        f"--target={holder.pid}",
        "--net",
        "--mount",
        "--pid",
        "--ipc",
        "--uts",
        "--",
    ]


def _remove_group(group: Path) -> None:
    """Innermost first. The last process in it may be just about to leave."""
    for place in sorted(group.glob("**/"), reverse=True):
        waiting.until(lambda place=place: _is_removed(place), f"{place} is empty")  # type: ignore[misc]  # bound by default


def _is_removed(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError as error:
        return error.errno == errno.ENOENT
    return True
