"""What an attack is, what became of it, and the table and the report of a run.

An `Attack` knows which servers may answer it. It has *reached* when a server outside of those saw
its mark, or when what a server saw breaks `spoilt`. A *control* must be answered by its server: a
gate that refuses everything passes no battery.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.attacks.servers import Seen

Spoilt = Callable[[Seen], str | None]
Fields = tuple[tuple[bytes | str, bytes | str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One input.

    id: `kind/…`, the same in every run with the same seed; also the mark that servers look for.
    data: the bytes of an HTTP/1.1 request; fields: those of an HTTP/2 request, one of the two.
    sni: TLS server name; None for plain HTTP. may: servers that may see it. control: must be 200.
    alone: on a connection of its own, which is read to its end.
    spoilt: what is wrong with a request that a server saw although it may see it.
    told: what else a person needs to make it again: the documents and what was done to them.
    """

    id: str
    sni: str | None
    data: bytes = b""
    fields: Fields = ()
    may: frozenset[str] = frozenset()
    control: bool = False
    alone: bool = False
    spoilt: Spoilt | None = None
    told: str = ""

    @property
    def kind(self) -> str:
        return self.id.split("/", 1)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """status 0: the connection or stream ended without an answer."""

    status: int
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An attack that reached, or a control that did not."""

    attack: Attack
    answered: Answered
    why: str

    def tell(self) -> str:
        attack = self.attack
        sent = b"\n".join(map(_field, attack.fields)) + attack.data
        shown = f"{sent[:600]!r}" + (f" … {len(sent)} bytes" if len(sent) > 600 else "")
        more = f"\n  documents: {attack.told}" if attack.told else ""
        code = f" {self.answered.code}" if self.answered.code else ""
        return f"{attack.id}\n  {self.why}; answer {self.answered.status}{code}{more}\n  sent to {attack.sni or 'plain HTTP'}: {shown}"


@dataclass(slots=True)
class Row:
    """Counts of one kind."""

    inputs: int = 0
    refused: int = 0
    answered: int = 0
    reached: int = 0
    controls: int = 0
    controls_refused: int = 0


@dataclass(slots=True)
class Outcome:
    """A run. rows: by kind."""

    rows: dict[str, Row] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def judge(self, attack: Attack, answered: Answered, seen: Mapping[str, Iterable[Seen]]) -> None:
        row = self.rows.setdefault(attack.kind, Row())
        mine = tuple(seen.get(attack.id, ()))
        why = next(filter(None, (_wrong(attack, one) for one in mine)), None)
        if attack.control:
            row.controls += 1
            if answered.status != 200 or not mine:
                row.controls_refused += 1
                why = why or "a legitimate request was not answered by its server"
        else:
            row.inputs += 1
            row.reached += why is not None
            row.answered += why is None and bool(mine)
            row.refused += why is None and not mine
        if why is not None:
            self.failures.append(Failure(attack=attack, answered=answered, why=why))

    def judge_strays(self, seen: Mapping[str, Iterable[Seen]], known: Iterable[str]) -> None:
        """What reached a server under a mark that no attack of this batch carries."""
        for mark in seen.keys() - set(known):
            kind = mark.split("/", 1)[0] or "unmarked"
            row = self.rows.setdefault(kind, Row())
            row.inputs, row.reached = row.inputs + 1, row.reached + 1
            one = next(iter(seen[mark]))
            attack = Attack(id=mark or "unmarked", sni=None, data=one.head)
            self.failures.append(
                Failure(
                    attack=attack,
                    answered=Answered(status=0),
                    why=f"the server {one.server} saw a request that no attack should have made",
                )
            )

    @property
    def total(self) -> Row:
        whole = Row()
        for row in self.rows.values():
            for name in Row.__slots__:
                setattr(whole, name, getattr(whole, name) + getattr(row, name))
        return whole

    @property
    def is_good(self) -> bool:
        """Nothing reached, no legitimate request was refused, and both were tried."""
        whole = self.total
        return not self.failures and whole.inputs > 0 and whole.controls > 0

    def table(self) -> str:
        head = ("kind", "inputs", "refused", "answered", "REACHED", "controls", "not 200", "s")
        lines = [head]
        for name, row in [*sorted(self.rows.items()), ("all", self.total)]:
            took = sum(self.seconds.values()) if name == "all" else self.seconds.get(name)
            lines.append((
                name, str(row.inputs), str(row.refused), str(row.answered), str(row.reached),
                str(row.controls), str(row.controls_refused), "" if took is None else f"{took:.0f}",
            ))  # fmt: skip
        widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
        return "\n".join(
            f"{line[0]:<{widths[0]}}  "
            + "  ".join(f"{text:>{wide}}" for text, wide in zip(line[1:], widths[1:], strict=True))
            for line in lines
        )

    def write(self, path: Path, seed: int) -> None:
        """The report as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        kinds = {
            name: {slot: getattr(row, slot) for slot in Row.__slots__}
            for name, row in sorted(self.rows.items())
        }
        failures = [
            {"id": f.attack.id, "why": f.why, "status": f.answered.status, "code": f.answered.code,
             "documents": f.attack.told,
             "sent": (b"\n".join(map(_field, f.attack.fields)) + f.attack.data).decode("latin-1")[:2000]}
            for f in self.failures
        ]  # fmt: skip
        report = {
            "seed": seed, "good": self.is_good, "seconds": self.seconds, "kinds": kinds, "failures": failures,
        }  # fmt: skip
        path.write_text(json.dumps(report, indent=1, ensure_ascii=True) + "\n")


def _field(pair: tuple[bytes | str, bytes | str]) -> bytes:
    name, value = (x if isinstance(x, bytes) else x.encode("latin-1") for x in pair)
    return name + b": " + value


def _wrong(attack: Attack, seen: Seen) -> str | None:
    if seen.server not in attack.may:
        return f"the server {seen.server} saw it without a policy that admits it"
    spoilt = attack.spoilt(seen) if attack.spoilt is not None else None
    return f"the server {seen.server} saw {spoilt}" if spoilt else None
