"""Documents × ways to be broken × ways to be reached.

Each blow falls on one file of a cell of its own. *Warm*: while the gate serves the whole cell, and
again after it has read the change. *Cold*: before the gate ever saw the cell whole. *Restart*: between
two runs of one gate, which keeps its state. No caller whom
the whole documents refuse may be answered by the cell's server afterwards, whatever it was.

What a deliberate deletion may give, and nothing else (`may_gain`): a whole policy that only denies,
taken out of the folder or out of its file, takes its own denials with it. That is a decision, as an
edit is; a file that cannot be read, or is there under another name, is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gatereeve.compile import compiler
from gatereeve.core import errors
from gatereeve.runtime import folder_reader as reading
from tests.attacks import breaking, cells, wire
from tests.attacks import documents as docs
from tests.attacks.battery import Attack, Outcome
from tests.attacks.breaking import Blow
from tests.attacks.cells import Cell, Way
from tests.attacks.documents import Ports
from tests.attacks.running import Running, until_served
from tests.attacks.servers import Servers
from tests.support import gate as gates

BATCH = 12
"""Cells that stand in one folder at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One blow on one file of a cell. stage: warm, cold or restart."""

    stage: str
    file: str
    blow: Blow

    @property
    def id(self) -> str:
        return f"{self.stage}/{self.file}/{self.blow.name}"

    def strike(self, folder: Path, cell: Cell) -> None:
        """The same blow on the cell's own file: what is written is the cell's, bent."""
        name = f"{cell.ns}-{self.file}.yaml"
        listed = breaking.blows(name, cell.files()[name], self.chance(self.stage, self.file))
        next(one for one in listed if one.name == self.blow.name).strike(folder / name)

    @staticmethod
    def chance(stage: str, file: str) -> random.Random:
        """Where bytes are cut and bent."""
        return random.Random(f"{stage} {file}")


FILES = ("model", "version", "allow", "deny", "service", "slice", "grant", "route")
_LARGE = ("too-large", "too-many-characters")


def cases(stage: str, chance: random.Random, wanted: int, only: str | None = None) -> list[Case]:
    """The cases of a stage, `wanted` of them spread over every file and every way to break it."""
    model = Cell(number=0, ports=Ports(1, 2, 3, 4))
    found = []
    for file, data in model.files().items():
        what = file.rpartition("-")[2].removesuffix(".yaml")
        for blow in breaking.blows(file, data, Case.chance(stage, what)):
            usable = blow.warm if stage == "warm" else blow.cold
            if usable and (blow.name not in _LARGE or what in ("model", "deny")):
                found.append(Case(stage=stage, file=what, blow=blow))
    if only is not None:
        return [one for one in found if only.startswith(f"{one.id}/") or one.id.startswith(only)]
    return sorted(chance.sample(found, min(wanted, len(found))), key=lambda one: one.id)


def may_gain(case: Case, way: Way) -> bool:
    """Whether a person took a denial back: the one thing that deletion may give (see above)."""
    return case.file == "deny" and case.blow.deletes and not way.granted


def attacks(case: Case, cell: Cell, moment: str) -> list[Attack]:
    """All that a blow may have opened; moment: tells two looks at one blow apart."""
    found = []
    told = f"{cell.ns}-{case.file}.yaml {case.blow.name}, {case.stage}"
    for way in cell.ways():
        if way.granted and case.stage == "cold" and case.blow.deletes:
            continue  # the platform granted the Service, and nothing ever said that a model is there
        callers = dict(cell.callers)
        if not way.model and way.host not in (cell.name("side"), cell.name("api")):
            callers = {"nobody": None}
        for who, header in callers.items():
            mark = f"{case.id}/{way.host.split('.')[0].rpartition('-')[0]}/{who}/{moment}"
            gains = header is not None and may_gain(case, way)
            found.append(
                Attack(
                    id=mark,
                    sni=way.host,
                    data=wire.request("/", *([header] if header else []), mark=mark, host=way.host),
                    may=cell.own_servers if gains else frozenset(),
                    told=told,
                )
            )
    return [*found, *_web(case, moment)]


def _web(case: Case, moment: str) -> list[Attack]:
    """The website of another namespace, which no blow may touch while the last good form serves."""
    if case.stage == "cold":
        return []
    return [_control(f"{case.id}/web/{moment}", docs.host("web"), None, docs.WEB)]


def controls(stage: str, cell: Cell, moment: str) -> list[Attack]:
    """The legitimate callers of a whole cell."""
    mark = f"{stage}/legitimate-{cell.number}/{moment}"
    return [
        _control(f"{mark}/{name}", cell.model_host, header, cell.server)
        for name, header in (("key", docs.key("acme")), ("token", docs.bearer("alice")))
    ]


def _control(mark: str, host: str, header: str | None, server: str) -> Attack:
    data = wire.request("/", *([header] if header else []), mark=mark, host=host)
    return Attack(id=mark, sni=host, data=data, may=frozenset({server}), control=True)


async def run_warm(running: Running, chosen: Sequence[Case], outcome: Outcome) -> None:
    """Blow after blow while one `up` serves; the cells of a batch come together and whole."""
    running.write(docs.platform(running.ports) | {"gateway.yaml": cells.gateway(running.ports)})
    await running.start()
    for start in range(0, len(chosen), BATCH):
        batch = [
            (case, Cell(number=start + number, ports=running.ports))
            for number, case in enumerate(chosen[start : start + BATCH])
        ]
        for _, cell in batch:
            running.write(cell.files() | cell.doors())
        await running.wait_read()
        for _, cell in batch:
            await until_served(running, cell.model_host, docs.key("acme"))
        whole = [one for _, cell in batch for one in controls("warm", cell, "whole")]
        await _ask(running, whole, outcome)
        for case, cell in batch:
            await _strike_warm(running, case, cell, outcome)
        for _, cell in batch:
            _sweep(running.up.folder, cell)
        await running.wait_read()
    last = Cell(number=len(chosen), ports=running.ports)
    running.write(last.files() | last.doors())
    await until_served(running, last.model_host, docs.key("acme"))
    await _ask(running, controls("warm", last, "last"), outcome)


async def _strike_warm(running: Running, case: Case, cell: Cell, outcome: Outcome) -> None:
    striking = asyncio.create_task(asyncio.to_thread(case.strike, running.up.folder, cell))
    for number in itertools.count():
        done, _ = await asyncio.wait([striking], timeout=0)
        if done:
            break
        await _ask(running, attacks(case, cell, f"meanwhile-{number}"), outcome)
    await striking
    for moment in ("read", "settled"):  # what settles first may be read after the canary
        await running.wait_read()
        await _ask(running, attacks(case, cell, moment), outcome)
    _sweep(running.up.folder, cell, keep=cell.files())
    running.write(cell.files())


def restarts(chance: random.Random, only: str | None = None) -> list[list[Case]]:
    """What is deleted, and what is broken, while nothing runs: one file of each cell."""
    listed = cases("restart", chance, 10_000, only)
    deleted = [one for one in listed if one.blow.name == "deleted"]
    broken = [
        chance.choice(mine)
        for file in FILES
        if (mine := [one for one in listed if one.file == file and not one.blow.deletes])
    ]
    return [batch for batch in (deleted, broken) if batch]


async def run_restarts(
    running: Running, batches: Sequence[Sequence[Case]], outcome: Outcome
) -> None:
    """The gate has served whole cells, ends, and starts on the changed folder with its old state."""
    running.write(docs.platform(running.ports) | {"gateway.yaml": cells.gateway(running.ports)})
    for _, cell in _numbered(running, batches):
        running.write(cell.files() | cell.doors())
    await running.start()
    for case, cell in _numbered(running, batches):
        await until_served(running, cell.model_host, docs.key("acme"))
        await _ask(running, controls(case.id, cell, "whole"), outcome)
    for number, batch in enumerate(batches):
        await asyncio.to_thread(running.up.end)
        struck = [one for one in _numbered(running, batches) if one[0] in batch]
        for case, cell in struck:
            case.strike(running.up.folder, cell)
        await running.start()
        for case, cell in struck:
            await _ask(running, attacks(case, cell, f"start-{number}"), outcome)
        for _, cell in struck:
            _sweep(running.up.folder, cell)


def _numbered(running: Running, batches: Sequence[Sequence[Case]]) -> list[tuple[Case, Cell]]:
    listed = [case for batch in batches for case in batch]
    return [(case, Cell(number=n, ports=running.ports)) for n, case in enumerate(listed)]


async def _ask(running: Running, asked: Sequence[Attack], outcome: Outcome) -> None:
    await wire.run(running.place, running.servers, asked, outcome)


def _sweep(folder: Path, cell: Cell, keep: docs.Folder | None = None) -> None:
    """Takes a cell's files away, under whatever name they stand now."""
    stay = {f"{cell.ns}-x-doors.yaml", f"{cell.ns}-x-thief.yaml"} if keep is not None else set()
    for path in [*folder.rglob(f"*{cell.ns}-*"), *folder.parent.glob(f"*{cell.ns}-*")]:
        if path.name in stay or (keep is not None and path.name in keep and path.is_file()):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


async def run_cold(
    gate: gates.Gate, servers: Servers, root: Path, chosen: Sequence[Case], outcome: Outcome
) -> None:
    """Each broken folder is read for the first time, compiled, and run by the same real Envoy."""
    ports = Ports(http=gate.http, https=gate.https, server=servers.port, node=servers.node)
    place = wire.Place(http=gate.http, https=gate.https)
    shared = docs.platform(ports) | {"gateway.yaml": cells.gateway(ports)}
    for number, case in enumerate([None, *chosen, None]):
        cell = Cell(number=number, ports=ports)
        folder = root / f"cold-{number}" / "documents"
        folder.mkdir(parents=True)
        for name, data in (shared | cell.files() | cell.doors()).items():
            (folder / name).write_bytes(data)
        if case is not None:
            case.strike(folder, cell)
        with contextlib.suppress(
            errors.GatereeveError
        ):  # the controls tell that nothing came of it
            await publish(gate, folder)
        asked = attacks(case, cell, "read") if case else controls("cold", cell, "whole")
        await wire.run(place, servers, asked, outcome)
        shutil.rmtree(folder.parent)


async def publish(gate: gates.Gate, folder: Path) -> None:
    """What `up` does with a folder that it reads for the first time."""
    made = compiler.compile(reading.read_folder(folder))
    await gate.publish_compiled(made)
