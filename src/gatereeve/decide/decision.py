"""The decision about one request: the answer, the values it depends on, and the steps that led to it.

`DecisionBuilder` collects them during one call of `decide`. No rule is applied here.
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
"""The steps of `decide` in order, numbered from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. outcome: the result. detail: what was checked, as a sentence. origin: the document that
    decided it, if one did."""

    number: int
    name: str
    outcome: str
    detail: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer of the gate.

    status: of the gate's own answer; 200 for a forwarded request. code: of a refusal. version, cluster:
    the first choice; version is "" for a Service. possible: the clusters that a random draw may select,
    else that one. split_key: the sticky hash, 16 hexadecimal digits. location: of a redirect.
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
    """What the gate does with a request. The first nine fields are those of `Answer`.

    route: its name. route_rule: the rule of the rollout. rule: the deny or allow rule that matched.
    limit: of that rule. shadow: what shadow policies would do, as in records
    (`ir.record_fields.shadow_of`). principal: the proved one, even if no rule saw it.
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


class DecisionBuilder:
    """Collects what becomes a Decision, within one call of `decide`."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.shadow: list[str] = []
        self.route: Route | None = None
        self.rule: Rule | None = None
        self.principal: Principal | None = None
        self.region: str | None = None
        self.purpose: str | None = None

    def add(self, name: str, outcome: str, detail: str, origin: Origin | None = None) -> None:
        """Add the result of step `name`."""
        number = STEPS.index(name) + 1
        self.steps.append(
            Step(number=number, name=name, outcome=outcome, detail=detail, origin=origin)
        )

    def refuse(self, name: str, code: str, why: str, origin: Origin | None = None) -> Decision:
        """Return the refusal `code`, with step `name` as its last."""
        self.add(name, code, why, origin)
        return self.finish(Answer(status=refusals.lookup(code).status, code=code))

    def finish(self, answer: Answer) -> Decision:
        """Return the Decision with this answer."""
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
