"""Cases on both sides: folders published on the real gate, requests asked of it and of the reference.

A `Trial` owns one Envoy and an event loop, so that ordinary tests can use it. Disagreements are
grouped by what differs; the first of each group is made small and told in few lines.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import yaml

from gatereeve.compile import compiler
from gatereeve.core import errors
from gatereeve.core.records import RequestRecord
from gatereeve.decide.reference import Decision, decide
from gatereeve.decide.request import Request
from gatereeve.ir.gates import Gate
from tests.differential import cast, compare, documents, requests
from tests.differential.documents import Document
from tests.differential.real import Answer, RealGate
from tests.differential.reduce import reduce
from tests.support.worlds import world_of

PER_FOLDER = 25
MAX_KINDS = 4
REDUCE_S = 30.0

_ELIDED = frozenset({"tls.crt", "tls.key", "ca.crt", "inline", "key"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request on both sides. differences: field to (expected, seen)."""

    request: Request
    decision: Decision
    answer: Answer
    record: RequestRecord | None
    differences: dict[str, tuple[object, object]]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run found. told: one text per kind of disagreement; counts: how often each was met."""

    cases: int = 0
    folders: int = 0
    seconds: float = 0.0
    counts: dict[tuple[str, ...], int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)


class Trial:
    """One real gate with its own loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._real = RealGate()
        self._loop.run_until_complete(self._real.__aenter__())

    @property
    def ports(self) -> cast.Ports:
        return self._real.ports

    def close(self) -> None:
        self._loop.run_until_complete(self._real.__aexit__())
        self._loop.close()

    def run(self, seed: int, cases: int) -> Outcome:
        """Generated cases; a folder's number and the seed make the folder and its requests again."""
        found = Outcome()
        start = time.monotonic()
        while found.cases < cases and len(found.told) < MAX_KINDS:
            chance = random.Random(f"{seed}:{found.folders}")
            folder = documents.folder(chance, self.ports)
            places = requests.aims(folder)
            asked = [requests.request(chance, places) for _ in range(PER_FOLDER)]
            for case in self.compare(folder, asked):
                self._note(found, case, folder, f"seed {seed}, folder {found.folders}")
            found.folders += 1
        found.seconds = time.monotonic() - start
        return found

    def _note(self, found: Outcome, case: Case, folder: list[Document], where: str) -> None:
        found.cases += 1
        name = case.decision.code or f"{case.decision.status}"
        found.answers[name] = found.answers.get(name, 0) + 1
        if not case.differences:
            return
        kind = _kind(case)
        found.counts[kind] = found.counts.get(kind, 0) + 1
        if found.counts[kind] == 1 and len(found.told) < MAX_KINDS:
            found.told.append(f"{where}\n{self._smallest(case, folder)}")

    def compare(self, folder: Sequence[Document], asked: Sequence[Request]) -> list[Case]:
        """Both sides' answers to each request. The folder must compile to one gate."""
        now = datetime.now(UTC)
        (gate,) = _compiled(folder, now)
        return self._compare(gate, asked, now)

    def _compare(
        self, gate: Gate, asked: Sequence[Request], now: datetime, *, records: bool = True
    ) -> list[Case]:
        self._loop.run_until_complete(self._real.publish(gate))
        asking = self._real.ask(asked, gate.hash) if records else self._real.ask_only(asked)
        seen = self._loop.run_until_complete(asking)
        found = []
        for request, (answer, record) in zip(asked, seen, strict=True):
            decision = decide(gate, request, now=now)
            differences = compare.differences(gate, request, decision, answer, record)
            found.append(
                Case(request=request, decision=decision, answer=answer, record=record,
                     differences=differences)
            )  # fmt: skip
        return found

    def _smallest(self, case: Case, folder: list[Document]) -> str:
        kind = _kind(case)
        by_record = any(name.startswith("record.") for name in kind)

        def fails(tried: list[Document], request: Request) -> bool:
            now = datetime.now(UTC)
            gates = _compiled(tried, now)
            if len(gates) != 1 or not any(g.protocol == request.scheme for g in gates[0].listeners):
                return False
            try:
                (found,) = self._compare(gates[0], [request], now, records=by_record)
            except (OSError, EOFError, AssertionError, errors.GatereeveError):
                # no listener, no certificate, or one that the gate cannot run
                return False
            return _kind(found) == kind

        if not fails(folder, case.request):
            return "Seen once, and not when asked again alone.\n" + tell(case, folder)
        small, request = reduce(folder, case.request, fails, within_s=REDUCE_S)
        (last,) = self.compare(small, [request])
        return tell(last if last.differences else case, small)


def _kind(case: Case) -> tuple[str, ...]:
    """What differs, in a form that the same fault shares."""
    for name in ("code", "status", "server"):
        if name in case.differences:
            wanted, seen = case.differences[name]
            return (name,) if name == "server" else (name, f"{wanted} or {seen}")
    return tuple(case.differences)


def _compiled(folder: Sequence[Document], now: datetime) -> tuple[Gate, ...]:
    return compiler.compile(world_of(to_yaml(folder), at=now)).ir.gates


def to_yaml(folder: Sequence[Document]) -> str:
    return yaml.dump_all(folder, sort_keys=False, Dumper=_Plain)


class _Plain(yaml.SafeDumper):
    """Values that stand twice are written twice, not by reference."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def tell(case: Case, folder: Sequence[Document]) -> str:
    """The disagreement in few lines, without keys and tokens."""
    request = case.request
    headers = "".join(f"\n  {n}: {cast.nickname(v)}" for n, v in request.headers)
    steps = "".join(
        f"\n  {s.number} {s.name}: {s.outcome} ({s.detail})" for s in case.decision.steps
    )
    lines = [
        *(f"{name}: expected {a!r}, seen {b!r}" for name, (a, b) in case.differences.items()),
        f"request: {request.scheme} {request.method} {request.host}{request.path}{headers}",
        f"  peer {request.peer}, SNI {request.sni}, {request.certificate}, {request.body[:200]!r}",
        f"decision:{steps}",
        f"answer: {case.answer.status} {case.answer.code} {case.answer.body[:200]!r}",
        f"record: {case.record}",
        to_yaml([_elided(one) for one in folder if one["kind"] != "Secret"]),
    ]
    return "\n".join(lines)


def _elided(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: "…" if k in _ELIDED and isinstance(v, str) else _elided(v) for k, v in value.items()
        }
    return [_elided(v) for v in value] if isinstance(value, list) else value
