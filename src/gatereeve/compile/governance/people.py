"""The people that documents name: who is who for four eyes, and names that are no person's.

People documents list them, if there are any. Names stand in Gate and HostGrant (`governance`), too, and
in ModelVersion (author) and Approval (approver); these two are judged where they count, in `versions`.
A name that is listed for two people is no person's; a People document that cannot be read lists no one
more, so those whom only it names are unknown. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gatereeve.api.people import Approvers, GateGovernance, Person, TeamGovernance
from gatereeve.api.world import Doc, PeopleDoc, World
from gatereeve.compile.governance import person_names
from gatereeve.core.findings import Finding
from gatereeve.core.report import finding


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    directory: person_names.Directory
    findings: tuple[Finding, ...]


def gather_people(world: World) -> People:
    """Return all people whom the documents of `world` name."""
    broken = any(broken_doc.ref.kind == "People" for broken_doc in world.broken)
    listing = _Listing()
    for doc in world.people.values():
        listing.add(doc)
    named = bool(world.people) or broken
    directory = person_names.Directory(listed=listing.persons() if named else None)
    findings = [*listing.findings]
    findings += [
        finding
        for gate in world.gates.values()
        for finding in _check(gate, _of_gate(gate.spec.governance))
    ]
    findings += [
        finding
        for grant in world.host_grants.values()
        for finding in _check(grant, _of_team(grant.spec.governance))
    ]
    return People(directory=directory, findings=tuple(findings))


class _Listing:
    """Puts People documents together."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._owners: dict[str, str] = {}  # each name, to the name that stands for the person
        self._roles: dict[str, frozenset[str] | None] = {}
        self._doubtful: set[str] = set()

    def add(self, doc: PeopleDoc) -> None:
        for index, person in enumerate(doc.spec.people):
            path = f"spec.people[{index}]"
            owner = self._read(doc, f"{path}.name", person.name)
            if owner is None:
                continue
            roles = None if person.roles is None else frozenset(person.roles)
            before = self._roles.get(owner)
            both = roles if before is None else before if roles is None else before & roles
            self._roles[owner] = both
            self._claim(doc, f"{path}.name", owner, owner)
            for number, alias in enumerate(person.aliases):
                place = f"{path}.aliases[{number}]"
                spelled = self._read(doc, place, alias)
                if spelled is not None:
                    self._claim(doc, place, spelled, owner)

    def persons(self) -> dict[str, person_names.Person]:
        """Every person, by each name that no other person has."""
        return {
            name: person_names.Person(id=owner, roles=self._roles[owner])
            for name, owner in self._owners.items()
            if name not in self._doubtful
        }

    def _read(self, doc: PeopleDoc, path: str, name: str) -> str | None:
        try:
            return person_names.read_name(name)
        except person_names.UnclearError as error:
            self.findings.append(finding(doc, "person-refused", path, name=name, why=error))
            return None

    def _claim(self, doc: PeopleDoc, path: str, name: str, owner: str) -> None:
        if self._owners.setdefault(name, owner) != owner:
            self._doubtful.add(name)
            why = f"it is listed for {self._owners[name]} and for {owner}"
            self.findings.append(finding(doc, "person-refused", path, name=name, why=why))


def _check(doc: Doc[object], named: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    for path, name in named:
        try:
            person_names.read_name(name)
        except person_names.UnclearError as error:
            yield finding(doc, "person-refused", f"spec.governance.{path}", name=name, why=error)


def _of_gate(governance: GateGovernance) -> Iterator[tuple[str, str]]:
    yield from _named("platform", governance.platform)
    yield from _named("auditors", governance.auditors)
    yield from _approving(governance.approvers)
    for index, user in enumerate(governance.break_glass.users):
        yield f"breakGlass.users[{index}]", user


def _of_team(governance: TeamGovernance) -> Iterator[tuple[str, str]]:
    yield from _named("developers", governance.developers)
    yield from _named("pipelines", governance.pipelines)
    yield from _approving(governance.approvers)


def _approving(entries: Iterable[Approvers]) -> Iterator[tuple[str, str]]:
    for index, entry in enumerate(entries):
        yield from _named(f"approvers[{index}].people", entry.people)


def _named(place: str, people: Iterable[Person]) -> Iterator[tuple[str, str]]:
    """Paths and names; groups are known to the API server only."""
    for index, person in enumerate(people):
        if person.username is not None:
            yield f"{place}[{index}]", person.username
