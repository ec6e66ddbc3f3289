"""The wires between this machine and its test nodes: one bridge, one pair of interfaces for each node.

All addresses are private, all routes hang on the bridge: when it is deleted, nothing of them is left.
A node's pods and the cluster's Services are reached through the node's own address, so what kube-proxy
and the network policies do to a packet happens inside the node, never on this machine.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

BRIDGE = "gatereeve0"
HOST = "10.240.0.1"
_NODES = "10.240.0.0/24"
POD_RANGE = "10.244.0.0/16"
_ALIAS_BYTES = 250
BALANCERS = "10.240.1"
"""Where Services of type LoadBalancer get their addresses: this and a last number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the number-th node is."""

    number: int

    @property
    def address(self) -> str:
        return f"10.240.0.{10 + self.number}"

    @property
    def pods(self) -> str:
        return f"10.244.{self.number}.0/24"

    @property
    def wire(self) -> str:
        """The end of its wire on this machine."""
        return f"gatereeve{self.number}"


def up(owner: Path) -> None:
    """owner: the cluster's folder, for whoever finds the bridge and wonders."""
    if exists():
        return
    ip("link", "add", BRIDGE, "type", "bridge")
    ip("link", "set", BRIDGE, "alias", str(owner)[-_ALIAS_BYTES:])
    ip("address", "add", f"{HOST}/{_NODES.rpartition('/')[2]}", "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")


def down() -> None:
    """The nodes' wires end with the nodes."""
    if exists():
        ip("link", "delete", BRIDGE)


def exists() -> bool:
    return ip("link", "show", BRIDGE, check=False) == 0


def owner() -> str:
    """The folder of the cluster whose bridge is there; nothing when there is none."""
    file = Path("/sys/class/net") / BRIDGE / "ifalias"
    return file.read_text().strip() if file.exists() else ""


def connect(place: Place, process: int) -> None:
    """Gives the network namespace of a process its wire; it is called eth0 in there."""
    ip("link", "add", place.wire, "type", "veth", "peer", "name", "eth0", "netns", str(process))
    ip("link", "set", place.wire, "master", BRIDGE, "up")


def route(places: list[Place]) -> None:
    """From this machine to pods on their nodes, and to Services through the first node that lives."""
    if not places:
        return
    for place in places:
        ip("route", "replace", place.pods, "via", place.address)
    first = places[0]
    ip("route", "replace", "10.96.0.0/16", "via", first.address)
    ip("route", "replace", f"{BALANCERS}.0/24", "via", first.address)


def ip(*words: str, check: bool = True) -> int:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise NetworkError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.returncode


class NetworkError(Exception):
    """This machine's network could not be set up. Holds the words of `ip`."""
