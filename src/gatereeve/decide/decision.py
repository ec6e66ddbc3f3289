"""What a decision is: the answer, every attribute it depended on, and the steps that led to it.

Values, and the `Trail` that collects them during one call of `decide`. Decides nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatereeve.core import refusals
from gatereeve.core.refs import Origin
from gatereeve.decide.principals import Principal
from gatereeve.ir.access import RequestLimit, Rule
from gatereeve.ir.routes import Route

STEPS = (
    "entry",
    "host",
    "route",
    "identity",
    "attributes",
    "body",
    "row",
    "headers",
    "admission",
    "deny",
    "allow",
    "limit",
    "removal",
    "answer",
)
"""Names of the steps of `decide`, in order; a step's number is its place, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: what came out in a word or two, why in a sentence, and what in the documents
    decided it (None: nothing in particular)."""

    number: int
    name: str
    outcome: str
    detail: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How it ends.

    status: the gate's own answer; 200 when forwarded. code: of a refusal. version, cluster: the
    first choice ("" version for a Service); possible: all clusters that may be drawn when no sticky
    key decides, else that one. split_key: the sticky hash, 16 hexadecimal digits. location: of a
    redirect.
    """

    status: int
    code: str | None = None
    forwarded: bool = False
    version: str | None = None
    cluster: str | None = None
    possible: tuple[str, ...] = ()
    split_key: str | None = None
    mirrors: tuple[str, ...] = ()
    location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the gate does. The first nine fields are those of `Answer`.

    route: the row's name; route_rule: of the rollout. rule: the deny or allow rule that matched;
    limit: that rule's. shadow: what shadow policies would have done, in the words of the record
    (`ir.record_fields.shadow_of`). principal: as far as proved, heard by the rules or not.
    """

    status: int
    code: str | None
    forwarded: bool
    version: str | None
    cluster: str | None
    possible: tuple[str, ...]
    split_key: str | None
    mirrors: tuple[str, ...]
    location: str | None
    model: str | None
    operation: str | None
    requested: str | None
    policy: str | None
    route: str | None
    route_rule: str | None
    rule: str | None
    limit: RequestLimit | None
    shadow: tuple[str, ...]
    principal: Principal | None
    region: str | None
    purpose: str | None
    steps: tuple[Step, ...]


class Trail:
    """What is known so far on the way to a Decision. Lives within one call of `decide`."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.shadow: list[str] = []
        self.route: Route | None = None
        self.rule: Rule | None = None
        self.principal: Principal | None = None
        self.region: str | None = None
        self.purpose: str | None = None

    def say(self, name: str, outcome: str, detail: str, origin: Origin | None = None) -> None:
        """Note what step `name` found."""
        number = STEPS.index(name) + 1
        self.steps.append(
            Step(number=number, name=name, outcome=outcome, detail=detail, origin=origin)
        )

    def refuse(self, name: str, code: str, why: str, origin: Origin | None = None) -> Decision:
        """Step `name` ends it with the refusal `code`."""
        self.say(name, code, why, origin)
        return self.end(Answer(status=refusals.lookup(code).status, code=code))

    def end(self, answer: Answer) -> Decision:
        """The Decision, from the answer and what was noted."""
        governance = self.route.governance if self.route is not None else None
        return Decision(
            status=answer.status,
            code=answer.code,
            forwarded=answer.forwarded,
            version=answer.version,
            cluster=answer.cluster,
            possible=answer.possible,
            split_key=answer.split_key,
            mirrors=answer.mirrors,
            location=answer.location,
            model=governance.model if governance else None,
            operation=governance.operation if governance else None,
            requested=governance.requested if governance else None,
            policy=governance.policy if governance else None,
            route=self.route.name if self.route else None,
            route_rule=governance.route_rule if governance else None,
            rule=self.rule.name if self.rule else None,
            limit=self.rule.limit if self.rule else None,
            shadow=tuple(self.shadow),
            principal=self.principal,
            region=self.region,
            purpose=self.purpose,
            steps=tuple(self.steps),
        )
