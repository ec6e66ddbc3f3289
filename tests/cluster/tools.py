"""The programs that tests need, built once from published Go modules and kept by what they are made of.

Each folder of `tests/cluster/go` is a module that pins programs in its go.mod and go.sum. `path`
gives a program's place and builds it first where it is missing. Programs handed in through
KUBEBUILDER_ASSETS (a folder) or TEST_ASSET_<PROGRAM> (one program) are taken as they are.
Kept under ${XDG_CACHE_HOME:-~/.cache}/gatereeve/tools, in one folder per hash of a module's files, so a
fresh checkout builds nothing again.

`python -m tests.cluster.tools NAME…` builds and prints paths.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
MODULES = HERE / "go"
KUBERNETES_VERSION = "v1.36.3"
_MAJOR, _MINOR = KUBERNETES_VERSION.removeprefix("v").split(".")[:2]
# Without these the programs call themselves v0.0.0-master, and feature code parses that.
_VERSION_FLAGS = tuple(
    f"-X {package}.{name}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for name, value in (
        ("gitVersion", KUBERNETES_VERSION),
        ("gitMajor", _MAJOR),
        ("gitMinor", _MINOR),
        ("gitTreeState", "clean"),
    )
)


class MissingToolError(Exception):
    """A program is neither handed in nor can it be built here. Says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A folder of `tests/cluster/go`. programs: name → Go package; a name in .test is its tests."""

    name: str
    programs: Mapping[str, str]
    ldflags: tuple[str, ...] = field(default=())

    @property
    def folder(self) -> Path:
        return MODULES / self.name

    @property
    def built(self) -> Path:
        """Where its programs are kept: another folder as soon as anything they are made of changes."""
        parts = [*sorted(self.folder.rglob("*.go")), self.folder / "go.mod"]
        parts += [file for file in (self.folder / "go.sum",) if file.exists()]
        found = hashlib.sha256(" ".join(self.ldflags).encode())
        for part in parts:
            found.update(part.relative_to(self.folder).as_posix().encode() + b"\0")
            found.update(part.read_bytes() + b"\0")
        return cache() / "tools" / f"{self.name}-{found.hexdigest()[:16]}"


KUBERNETES = Module(
    name="kubernetes",
    programs={
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in (
            "kube-apiserver",
            "kubectl",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
        )
    },
    ldflags=_VERSION_FLAGS,
)
ETCD = Module(name="etcd", programs={"etcd": "go.etcd.io/etcd/server/v3"})
ADDONS = Module(
    name="addons",
    programs={
        "kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
        "coredns": "./coredns",
        "helm": "helm.sh/helm/v4/cmd/helm",
    },
)
# Gateway API's own suite, compiled: run it with the suite's flags, from the module's folder.
SUITE = Module(
    name="suite",
    programs={
        "echo-basic": "sigs.k8s.io/gateway-api/conformance/echo-basic",
        "conformance.test": ".",
    },
)
PAUSE = Module(name="pause", programs={"pause": "."})
STANDIN = Module(name="standin", programs={"standin": "."})
# Checks a log with code of others: Go's sumdb and Tessera's fsck.
TLOG = Module(name="tlog", programs={"tlog-check": "."})
ALL = (KUBERNETES, ETCD, ADDONS, SUITE, PAUSE, STANDIN, TLOG)

ENVTEST = ("etcd", "kube-apiserver", "kubectl")
CLUSTER = (
    *("etcd", *KUBERNETES.programs, "kube-router", "coredns"),
    *("pause", "echo-basic", "standin"),
)
SETS: Mapping[str, tuple[str, ...]] = {"envtest": ENVTEST, "cluster": CLUSTER}


def cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "gatereeve"


def path(program: str) -> Path:
    """Where a program is; built first where it is missing.

    Raises MissingToolError where there is no Go to build it with. A module that does not build raises
    CalledProcessError, with the compiler's words on standard error.
    """
    return handed_in(program) or build(program)


def handed_in(program: str) -> Path | None:
    """The program that the environment names, by the conventions of controller-runtime's envtest."""
    one = os.environ.get(f"TEST_ASSET_{program.upper().replace('-', '_')}")
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    place = Path(one) if one else Path(folder) / program if folder else None
    if place is None or (not one and not place.exists()):
        return None
    if not os.access(place, os.X_OK):
        raise MissingToolError(f"{place} is named by the environment, but is no program")
    return place


def missing(*programs: str) -> str | None:
    """Why these programs cannot be had here, in words for a reader; None when they can."""
    lacking = [
        name
        for name in programs
        if not handed_in(name) and not (_module_of(name).built / name).exists()
    ]
    if not lacking:
        return None
    return missing_go(
        f"no {', '.join(lacking)} here, and KUBEBUILDER_ASSETS names no folder with them"
    )


def missing_go(what_for: str) -> str | None:
    """Why nothing can be built from a Go module here; None where Go is installed."""
    return None if shutil.which("go") else f"{what_for}: install Go, at least as go.mod says"


def build(program: str) -> Path:
    module = _module_of(program)
    place = module.built / program
    if place.exists():
        return place
    if not shutil.which("go"):
        raise MissingToolError(missing(program))
    with _alone(module.built):
        if not place.exists():
            _compile(module, program, place)
    return place


def module_folder(module: str, dependency: str) -> Path:
    """The unpacked source of a module that `module` pins: for the files that it ships."""
    found = subprocess.run(
        ["go", "mod", "download", "-json", dependency],
        cwd=MODULES / module,
        capture_output=True,
        check=True,
        env=_environment(),
    )
    return Path(json.loads(found.stdout)["Dir"])


def _module_of(program: str) -> Module:
    for module in ALL:
        if program in module.programs:
            return module
    raise ValueError(f"no module builds {program}")


def _compile(module: Module, program: str, place: Path) -> None:
    """Built beside its place and moved there whole: a build that dies leaves nothing that looks done."""
    began = time.monotonic()
    print(f"building {program} (once) …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as work:
        made = Path(work) / program
        subprocess.run(
            [
                *("nice", "-n", "10", "go"),
                *(("test", "-c") if program.endswith(".test") else ("build",)),
                *("-p", "2", "-trimpath"),
                f"-ldflags={' '.join(('-s', '-w', *module.ldflags))}",
                f"-o={made}",
                module.programs[program],
            ],
            cwd=module.folder,
            check=True,
            env=_environment(),
        )
        made.replace(place)
    print(f"built {program} in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _environment() -> dict[str, str]:
    """Static programs, of exactly what go.sum says."""
    return dict(os.environ) | {
        "CGO_ENABLED": "0",
        "GOWORK": "off",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
    }


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One builder at a time, over all processes of this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    for name in arguments or ["envtest"]:
        for program in SETS.get(name, (name,)):
            try:
                print(path(program))
            except (MissingToolError, ValueError) as error:
                print(error, file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
