"""The same documents from a cluster and from a folder compile to the same bytes.

All golden cases are put into an API server; what it has is written to a folder as `kubectl get -o
yaml` would, and both Worlds are compiled.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatereeve.api import registry
from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.core.findings import Finding
from gatereeve.sources.folder.folder_source import FolderSource
from gatereeve.sources.kube.source import KubeSettings, KubeSource
from tests.support import golden
from tests.support.apiserver import ApiServer, Obj, serving
from tests.unit.sources.clock import StillClock
from tests.unit.sources.kube.harness import client_of

UNLIKE = {"reading", "gate-conflict"}
"""What is no object never gets into a cluster; and Gates of a folder share one machine's addresses."""
CASES = sorted(
    path.parent
    for path in golden.FOLDER.glob("*/*/in.yaml")
    if not UNLIKE & {path.parent.name, path.parent.parent.name}
)


def objects_of(text: str) -> list[Obj]:
    """The objects as an API server keeps them; Secrets have no `stringData` there."""
    found = []
    for value in yaml.load_all(text, _Loader):
        items = value["items"] if value and value.get("kind") == "List" else [value]
        found += [_kept(item) for item in items if item]
    return found


class _Loader(yaml.SafeLoader):
    """Times stay text, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    k: [(tag, regex) for tag, regex in rows if tag != "tag:yaml.org,2002:timestamp"]
    for k, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _kept(obj: Obj) -> Obj:
    texts = obj.pop("stringData", None)
    if texts:
        data = {k: base64.b64encode(v.encode()).decode() for k, v in texts.items()}
        obj["data"] = {**obj.get("data", {}), **data}
    return obj


def fits(obj: Any) -> bool:
    """Whether there is such a kind in a cluster at all."""
    group, _, version = str(obj.get("apiVersion")).rpartition("/")
    kind = registry.BY_KIND.get((group, str(obj.get("kind"))))
    return kind in registry.KINDS and version in kind.versions


async def world_of(server: ApiServer, folder: Path) -> World:
    async with client_of(server, folder) as client:
        source = KubeSource(client, StillClock(), KubeSettings(files=folder))
        async with contextlib.aclosing(source.worlds()) as worlds, asyncio.timeout(30):
            return await anext(worlds)


def without_where(found: tuple[Finding, ...]) -> list[tuple[object, ...]]:
    return sorted((str(f.code), str(f.origin), f.message, f.hint) for f in found)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.parent.name}/{c.name}")
async def test_a_cluster_and_a_folder_compile_alike(case: Path, tmp_path: Path) -> None:
    objects = [obj for obj in objects_of(golden.text_of(case)) if fits(obj)]
    folder = tmp_path / "documents"
    folder.mkdir()
    async with serving() as server:
        for obj in objects:
            server.put(obj)
        cluster = await world_of(server, tmp_path)
        for kind in registry.KINDS:
            for n, obj in enumerate(server.all(kind.kind)):
                (folder / f"{kind.plural}-{n}.yaml").write_text(yaml.safe_dump(obj))
    shown = FolderSource(folder, StillClock()).read()
    one, other = compiler.compile(cluster), compiler.compile(shown)
    assert [g.hash for g in one.ir.gates] == [g.hash for g in other.ir.gates]
    assert one.ir == other.ir
    assert without_where(one.findings) == without_where(other.findings)
    assert one.next_change == other.next_change
    assert set(cluster.broken) == set(shown.broken)
    assert all(f.where is None for f in one.findings)


def test_cases_are_compared() -> None:
    assert len(CASES) > 70
