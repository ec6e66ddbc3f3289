"""A whole Kubernetes on this machine: control plane, nodes with real pods, names, balancers, policies.

`Cluster` is what tests and `make cluster` use. Where USE_EXISTING_CLUSTER is set, nothing is started or
ended: the cluster that KUBECONFIG names is used as it is. Everything a cluster of ours writes is below
`build/cluster`; when `down` returns, nothing of it is left on the machine.

`python -m tests.cluster.cluster up|down|status`
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import images, network, tools, traces, waiting
from tests.cluster import node as nodes
from tests.cluster.controlplane import ControlPlane, KubectlError

ROOT = Path(__file__).parent.parent.parent
STATE = ROOT / "build" / "cluster"
SYSTEM = Path(__file__).parent / "system.yaml"
READY_S = 180.0


class NoClusterError(Exception):
    """No cluster can be had here. Says what is missing."""


@dataclass(kw_only=True)
class Cluster:
    """One cluster of ours on one machine; `up` twice is as good as once, also from another process."""

    state: Path = field(default=STATE)

    @property
    def kubeconfig(self) -> Path:
        """As the administrator."""
        if is_foreign():
            return Path(os.environ["KUBECONFIG"])
        return self.state / "kubeconfig"

    @property
    def plane(self) -> ControlPlane:
        return ControlPlane(
            state=self.state / "plane",
            address=network.HOST,
            outlives=True,
            extra=(
                f"--kubelet-client-certificate={self._certificates / 'kubelet-client.crt'}",
                f"--kubelet-client-key={self._certificates / 'kubelet-client.key'}",
                f"--kubelet-certificate-authority={self._certificates / 'ca.crt'}",
                # Nodes are known by their addresses; this machine resolves no names of theirs.
                "--kubelet-preferred-address-types=InternalIP",
                "--enable-admission-plugins=NodeRestriction",
            ),
        )

    def node(self, number: int = 1) -> nodes.Node:
        return nodes.Node(number=number, state=self.state / f"node{number}", plane=self.plane)

    def all_nodes(self) -> list[nodes.Node]:
        found = [self.node(int(folder.name[4:])) for folder in self.state.glob("node*")]
        return sorted(found, key=lambda node: node.number)

    def is_up(self) -> bool:
        """Has it come up whole, and do its nodes live? Its API server may be stopped meanwhile."""
        return is_foreign() or (
            (self.state / "up").exists() and all(node.is_alive() for node in self.all_nodes())
        )

    def up(self) -> None:
        """Its first node is Ready and names are served when this returns.

        What an earlier one left, that died halfway or with its machine, is cleared first.
        """
        if self.is_up():
            return
        if lacking := missing():
            raise NoClusterError(lacking)
        if network.exists() and not self.state.exists():
            raise NoClusterError(f"another cluster runs on this machine, of {network.owner()}")
        install()
        for program in tools.CLUSTER:
            tools.path(program)
        self.down()
        self.state.mkdir(parents=True)
        (self.state / "before").write_text("\n".join(sorted(traces.seen())))
        network.up(self.state)
        self._start_plane()
        self.add_node(1)
        self.start("balancers")
        self.kubectl("apply", "--server-side", "-f", "-", given=SYSTEM.read_text())
        self.rollout("deployment/coredns", namespace="kube-system")
        (self.state / "up").touch()

    def down(self) -> list[str]:
        """Every process, mount, interface, route, packet rule and control group of it is gone.

        Returns what is on the machine and was not before `up`: nothing, or there is a defect.
        """
        if is_foreign() or not self.state.exists():
            return []
        for name in ("balancers", "kube-controller-manager", "kube-scheduler"):
            self.stop(name)
        for node in self.all_nodes():
            node.remove()
        self.plane.stop()
        network.down()
        before = self.state / "before"
        known = set(before.read_text().splitlines()) if before.exists() else traces.seen()
        shutil.rmtree(self.state)
        return sorted(traces.seen() - known)

    def add_node(self, number: int) -> nodes.Node:
        """Ready when this returns, with the images of the harness."""
        made = self.node(number)
        made.up()
        for image in images.ALL:
            made.load_image(images.archive(image))
        made.join()
        waiting.until(
            lambda: self._is_ready(made),
            f"{made.name} is Ready",
            deadline_s=READY_S,
            seen=made.tails,
        )
        pods = f'{{"spec": {{"podCIDR": "{made.place.pods}", "podCIDRs": ["{made.place.pods}"]}}}}'
        self.kubectl("patch", "node", made.name, "--patch", pods)
        made.guard()
        self._route()
        return made

    def lose_node(self, number: int) -> None:
        """Its power is gone. Services are reached through another node from here on, as a balancer in
        front of a cluster sees to it; what Kubernetes makes of the loss takes its own time."""
        self.node(number).lose()
        self._route()

    def remove_node(self, number: int) -> None:
        self.node(number).remove()
        self._route()
        self.kubectl("delete", "node", f"node{number}", "--ignore-not-found")

    def load_image(self, archive: Path, name: str | None = None) -> None:
        """On every node. name: how pods ask for it, when not by the archive's own names."""
        for node in self.all_nodes():
            node.load_image(archive, name)

    def kubectl(
        self, *arguments: str, given: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """As the administrator. given: its standard input. Raises KubectlError when it says no."""
        command = [str(tools.path("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def rollout(self, name: str, *, namespace: str = "default", deadline_s: int = 120) -> None:
        """Waits until a Deployment, StatefulSet or DaemonSet runs as it says."""
        self.kubectl(
            *("rollout", "status", name, f"--namespace={namespace}", f"--timeout={deadline_s}s")
        )

    def start(self, name: str) -> None:
        """Starts a part that `stop` or `kill` ended."""
        if name == "kube-apiserver":
            self.plane.start_apiserver()
        else:
            self.plane.run(name, self._commands()[name])

    def stop(self, name: str) -> None:
        """kube-apiserver, kube-controller-manager, kube-scheduler or balancers; asked to end."""
        if (program := self.plane.program(name)) is not None:
            program.stop()

    def kill(self, name: str) -> None:
        """The same, as when its machine lost power."""
        if (program := self.plane.program(name)) is not None:
            program.kill()

    @property
    def _certificates(self) -> Path:
        return self.state / "plane" / "certificates"

    def _start_plane(self) -> None:
        plane = self.plane
        plane.authority.create()
        plane.authority.issue("kubelet-client", user="kube-apiserver", groups=["system:masters"])
        plane.start()
        shutil.copy(plane.kubeconfig("admin"), self.kubeconfig)
        self.start("kube-controller-manager")
        self.start("kube-scheduler")

    def _commands(self) -> dict[str, list[str | Path]]:
        plane = self.plane
        manager = plane.component_kubeconfig("kube-controller-manager")
        scheduler = plane.component_kubeconfig("kube-scheduler")
        return {
            "kube-controller-manager": [
                tools.path("kube-controller-manager"),
                f"--kubeconfig={manager}",
                f"--authentication-kubeconfig={manager}",
                f"--authorization-kubeconfig={manager}",
                f"--root-ca-file={plane.ca}",
                f"--service-account-private-key-file={plane.state / 'service-accounts.key'}",
                f"--cluster-signing-cert-file={plane.ca}",
                f"--cluster-signing-key-file={plane.authority.key}",
                "--use-service-account-credentials",
                f"--flex-volume-plugin-dir={plane.state / 'volume-plugins'}",
                "--leader-elect=false",
                "--secure-port=0",
                # A lost node is to be noticed within a test.
                "--node-monitor-grace-period=20s",
            ],
            "kube-scheduler": [
                tools.path("kube-scheduler"),
                f"--kubeconfig={scheduler}",
                f"--authentication-kubeconfig={scheduler}",
                f"--authorization-kubeconfig={scheduler}",
                "--leader-elect=false",
                "--secure-port=0",
            ],
            "balancers": [sys.executable, "-m", "tests.cluster.balancers", plane.state],
        }

    def _route(self) -> None:
        """Between all nodes that live, and from this machine to them."""
        alive = [node for node in self.all_nodes() if node.is_alive()]
        network.route([node.place for node in alive])
        for node in alive:
            for other in alive:
                if other.number != node.number:
                    node.run("ip", "route", "replace", other.place.pods, "via", other.place.address)

    def _is_ready(self, node: nodes.Node) -> bool:
        node.require()
        told = '{.status.conditions[?(@.type=="Ready")].status}'
        said = self.kubectl("get", "node", node.name, f"--output=jsonpath={told}", check=False)
        return said.stdout == "True"


def is_foreign() -> bool:
    """Is the cluster somebody else's?"""
    return os.environ.get("USE_EXISTING_CLUSTER", "").lower() in ("1", "true")


def missing() -> str | None:
    """Why no cluster can be had here, in words for a reader; None when it can."""
    if is_foreign():
        return None if os.environ.get("KUBECONFIG") else "USE_EXISTING_CLUSTER needs KUBECONFIG"
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a whole cluster needs Linux and root; or set USE_EXISTING_CLUSTER and KUBECONFIG"
    if not shutil.which("apt-get") and (packages := nodes.missing_packages()):
        return f"a whole cluster needs {', '.join(packages)}"
    return tools.missing(*tools.CLUSTER)


def install() -> None:
    """The system's programs that a node needs, from Debian's packages; only what is missing."""
    if not (packages := nodes.missing_packages()):
        return
    print(f"installing {', '.join(packages)} …", file=sys.stderr, flush=True)
    quiet = dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive"}
    fetch = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if subprocess.run(fetch, env=quiet, capture_output=True, check=False).returncode:
        subprocess.run(["apt-get", "update"], env=quiet, stdout=sys.stderr, check=True)
        subprocess.run(fetch, env=quiet, stdout=sys.stderr, check=True)


def main(arguments: list[str]) -> int:
    cluster = Cluster()
    began = time.monotonic()
    try:
        if arguments == ["up"]:
            cluster.up()
            print(f"up in {time.monotonic() - began:.0f} s; export KUBECONFIG={cluster.kubeconfig}")
        elif arguments == ["down"]:
            left = cluster.down()
            print("\n".join(["left behind:", *left]) if left else "nothing is left")
            return 1 if left else 0
        elif arguments == ["status"]:
            print(cluster.kubectl("get", "nodes,pods", "--all-namespaces").stdout)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except (NoClusterError, tools.MissingToolError, KubectlError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
