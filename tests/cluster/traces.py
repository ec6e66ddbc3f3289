"""What a cluster could leave on a machine, as plain text lines, to compare before with after.

Files outside of the cluster's folder, processes, mounts, network interfaces, addresses, routes, namespaces,
packet rules, sets, control groups and kernel settings. Read-only; needs root to see all of it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

_PROGRAMS = re.compile(
    r"^\S*/?(containerd\S*|runc|unshare|nsenter|pause|kubelet|kube-proxy|kube-router|coredns) "
    r"|build/cluster/|tests\.cluster\.balancers"
)
_SETTINGS = re.compile(
    r"^(net\.ipv[46]\.(ip_forward|conf\..*)|net\.bridge\..*|net\.netfilter\.\S*(max|timeout\S*)"
    r"|vm\.(overcommit_memory|panic_on_oom)|kernel\.(panic\w*|keys\.root_max\w*)) ="
)
_PLACES = (
    *("/var/lib/kubelet", "/var/lib/cni", "/var/lib/containerd", "/var/log/pods"),
    *("/var/log/containers", "/run/containerd", "/run/netns", "/run/flannel", "/run/xtables.lock"),
    *("/opt/containerd", "/opt/cni", "/etc/cni/net.d", "/usr/libexec/kubernetes"),
    *("/var/lib/kube-proxy", "/var/lib/kube-router", "/run/kubernetes", "/var/run/kubernetes"),
)


def seen() -> set[str]:
    """One line for each thing that is there now."""
    return {f"{kind}: {line}" for kind, lines in _kinds() for line in lines}


def _kinds() -> Iterator[tuple[str, list[str]]]:
    yield "process", _processes()
    yield "mount", [_mount(line) for line in _lines("/proc/self/mountinfo")]
    yield "interface", [re.sub(r"^\d+: ", "", line) for line in _said("ip", "-oneline", "link")]
    yield "address", [re.sub(r"^\d+: ", "", line) for line in _said("ip", "-oneline", "address")]
    yield "route", _said("ip", "route", "show", "table", "all")
    yield "rule", _said("ip", "rule")
    yield "network namespace", [place.name for place in Path("/run/netns").glob("*")]
    yield "packet rule", _said("nft", "list", "ruleset")
    yield (
        "old packet rule",
        [line for line in _said("iptables-legacy-save") if not line.startswith(("#", ":"))],
    )
    yield "set", _said("ipset", "list", "-name")
    yield (
        "control group",
        [str(place) for place in Path("/sys/fs/cgroup").rglob("**/") if _ours(place)],
    )
    yield "setting", [line for line in _said("sysctl", "--all") if _SETTINGS.match(line)]
    yield "file", [place for place in _PLACES if Path(place).exists()]


def _ours(group: Path) -> bool:
    return "gatereeve" in str(group) or "kubepods" in str(group) or "k8s.io" in str(group)


def _processes() -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if _PROGRAMS.search(words) and int(folder.name) != os.getpid():
            found.append(f"{folder.name} {words[:200]}")
    return found


def _mount(line: str) -> str:
    """Without its numbers, which the kernel hands out anew."""
    return " ".join(line.split()[3:])


def _lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines()


def _said(*command: str) -> list[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False
        ).stdout.splitlines()
    except FileNotFoundError:
        return []
