"""The people that documents name: who is who for four eyes, and names that are nobody's.

Names of people stand in Gate and HostGrant (`governance`), in ModelVersion (author) and in Approval
(approver). The last two are judged where they count, in `versions`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gatereeve.api.people import Approvers, GateGovernance, Person, TeamGovernance
from gatereeve.api.world import Doc, World
from gatereeve.compile import persons
from gatereeve.core.findings import Finding, FindingCode
from gatereeve.core.memo import Memo


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """directory: the same object as long as the documents that name people are the same."""

    directory: persons.Directory
    findings: tuple[Finding, ...]


def gather_people(world: World, memo: Memo) -> People:
    """Everybody whom the documents of `world` name."""
    documents = (*world.gates.values(), *world.host_grants.values())
    return memo.get(("people", documents), lambda: _gather(world))


def _gather(world: World) -> People:
    directory = persons.Directory()
    found = [
        one for gate in world.gates.values() for one in _check(gate, _of_gate(gate.spec.governance))
    ]
    found += [
        one
        for grant in world.host_grants.values()
        for one in _check(grant, _of_team(grant.spec.governance))
    ]
    return People(directory=directory, findings=tuple(found))


def _check(doc: Doc[object], named: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    for path, name in named:
        try:
            persons.read_name(name)
        except persons.UnclearError as error:
            yield refusal(doc, f"spec.governance.{path}", name, error)


def _of_gate(said: GateGovernance) -> Iterator[tuple[str, str]]:
    yield from _named("platform", said.platform)
    yield from _named("auditors", said.auditors)
    yield from _approving(said.approvers)
    for index, user in enumerate(said.break_glass.users):
        yield f"breakGlass.users[{index}]", user


def _of_team(said: TeamGovernance) -> Iterator[tuple[str, str]]:
    yield from _named("developers", said.developers)
    yield from _named("pipelines", said.pipelines)
    yield from _approving(said.approvers)


def _approving(said: Iterable[Approvers]) -> Iterator[tuple[str, str]]:
    for index, one in enumerate(said):
        yield from _named(f"approvers[{index}].people", one.people)


def _named(place: str, people: Iterable[Person]) -> Iterator[tuple[str, str]]:
    """Paths and names; groups are known to the API server only."""
    for index, person in enumerate(people):
        if person.username is not None:
            yield f"{place}[{index}]", person.username


def refusal(doc: Doc[object], path: str, name: str, why: object) -> Finding:
    """person-refused, worded in one place."""
    return Finding(
        code=FindingCode("person-refused"),
        message=f"{name!a} is no person's name here: {why}",
        hint="write the name as the API server or the People documents have it, in letters of one script",
        origin=doc.origin(path),
        where=doc.where(path),
    )
