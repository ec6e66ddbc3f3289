"""The images that a test cluster needs beside our own: each one static program, packed as an archive.

`archive` gives the file and makes it first where it is missing; it is kept beside the program that it is
made of, under a name that tells what else is in it, so it changes when they do.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import archives, tools

NOBODY = "65532:65532"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """program: what it runs, of `tools`. names: how pods ask for it. user: unless the pod says."""

    program: str
    names: Sequence[str]
    user: str = NOBODY

    @property
    def config(self) -> Mapping[str, object]:
        return {"Entrypoint": [f"/{self.program}"], "User": self.user, "Env": ["PATH=/"]}


PAUSE = Image(program="pause", names=["gatereeve.test/pause:1"])
# The suite's manifests add a capability for port 53, which only root gets without one on the file.
COREDNS = Image(
    program="coredns",
    names=["gatereeve.test/coredns:1", "registry.k8s.io/coredns/coredns:v1.12.2"],
    user="0:0",
)
# The names are those that the manifests of Gateway API's suite ask for.
ECHO = Image(
    program="echo-basic",
    names=[
        "gatereeve.test/echo:1",
        "registry.k8s.io/gateway-api/echo-basic:v1.5.1",
        "registry.k8s.io/gateway-api/echo-basic:v1.6.0-dev.3",
    ],
)
# A stand-in for a model server, no model: it answers the same to everything.
STANDIN = Image(program="standin", names=["gatereeve.test/model-standin:1"])
ALL = (PAUSE, COREDNS, ECHO, STANDIN)


def archive(image: Image) -> Path:
    program = tools.path(image.program)
    said = repr((tuple(image.names), sorted(image.config.items())))
    made = program.with_name(f"{program.name}-{zlib.crc32(said.encode()):08x}.tar")
    if not made.exists():
        with tempfile.TemporaryDirectory(dir=program.parent) as work:
            layer, whole = Path(work) / "layer", Path(work) / "image.tar"
            archives.pack_program(layer, program, f"/{image.program}")
            archives.write(whole, names=image.names, layers=[layer], config=image.config)
            whole.replace(made)
    return made
