"""Laws of the reference decision, over generated rules, rows and requests.

Each holds for every gate that can be built: default deny, deny only takes away, and the split moves
only whom it must.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gatereeve.decide.reference import Decision, decide
from gatereeve.decide.request import Request
from gatereeve.ir.access import (
    Access,
    FromProvider,
    InGroup,
    IsAnonymous,
    IsPrincipal,
    Operation,
    Rule,
    SubjectMatch,
)
from gatereeve.ir.gates import Gate
from gatereeve.ir.identity import Attributes, HeaderSource, Identity
from gatereeve.ir.routes import Forward, Match, PathMatch, Route, StickyHeader, StickyPrincipal
from tests.support import ir_builders as ir

bounded = settings(max_examples=100, deadline=None)

PROVIDER = "partners"
GROUPS = ("beta", "staff")
KEYS = {"ann": ("beta",), "bob": ("staff",), "cy": ("beta", "staff"), "dee": ()}
IDENTITY = Identity(api_keys=ir.api_keys(**KEYS))
REGIONS = ("de", "fr", "us")
PURPOSES = ("credit", "audit")
EVERYWHERE = ("0.0.0.0/0",)
ATTRIBUTES = Attributes(
    region=(HeaderSource(name="x-region", trusted=EVERYWHERE),),
    purpose=(HeaderSource(name="x-purpose", trusted=EVERYWHERE),),
)

subjects: st.SearchStrategy[SubjectMatch] = st.one_of(
    st.sampled_from(sorted(KEYS)).map(lambda name: IsPrincipal(provider=PROVIDER, id=name)),
    st.sampled_from(GROUPS).map(lambda group: InGroup(provider=PROVIDER, group=group)),
    st.just(FromProvider(provider=PROVIDER)),
    st.just(IsAnonymous()),
)


def some_of(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...] | None]:
    return st.none() | st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)


operations: st.SearchStrategy[tuple[Operation, ...] | None] = st.sampled_from(
    [None, ("infer",), ("metadata",)]
)


@st.composite
def rule_strategy(draw: st.DrawFn) -> Rule:
    asked = draw(st.none() | st.lists(subjects, min_size=1, max_size=3).map(tuple))
    return ir.rule(
        draw(st.sampled_from(["a", "b", "c", "d"])),
        subjects=asked,
        regions=draw(some_of(REGIONS)),
        purposes=draw(some_of(PURPOSES)),
        operations=draw(operations),
    )


rules = rule_strategy()
rule_lists = st.lists(rules, max_size=4).map(tuple)

conditions = st.builds(
    lambda groups, regions: Match(
        path=PathMatch(kind="exact", value=ir.INFER),
        groups=tuple(InGroup(provider=PROVIDER, group=g) for g in groups or ()),
        regions=regions or (),
    ),
    some_of(GROUPS),
    some_of(REGIONS),
)


@st.composite
def row_lists(draw: st.DrawFn) -> tuple[Route, ...]:
    chosen = draw(st.lists(conditions, max_size=3))
    rows = [
        ir.route(f"match[{number}]", match=match, action=ir.forward(v2=1))
        for number, match in enumerate(chosen)
    ]
    return (*rows, ir.route("split", action=ir.forward(v1=3, v2=1)))


@st.composite
def requests(draw: st.DrawFn) -> Request:
    headers = []
    who = draw(st.sampled_from([None, "wrong", *sorted(KEYS)]))
    if who is not None:
        headers.append(("x-api-key", f"key-{who}"))
    for name, values in (("x-region", (*REGIONS, "mars")), ("x-purpose", PURPOSES)):
        value = draw(st.none() | st.sampled_from(values))
        if value is not None:
            headers.append((name, value))
    return Request(
        host=ir.HOST,
        path=draw(st.sampled_from([ir.INFER, ir.INFER + "/", "/v2//models/./credit/infer", "/"])),
        headers=tuple(headers),
    )


def gate(rows: tuple[Route, ...], access: Access) -> Gate:
    return ir.gate(*rows, access=(access,), identity=IDENTITY, attributes=ATTRIBUTES)


def ask(gate: Gate, request: Request) -> Decision:
    return decide(gate, request, now=ir.NOW)


@given(rows=row_lists(), deny=rule_lists, shadow=rule_lists, request=requests())
@bounded
def test_no_allow_rule_no_access(
    rows: tuple[Route, ...], deny: tuple[Rule, ...], shadow: tuple[Rule, ...], request: Request
) -> None:
    decision = ask(gate(rows, ir.access(deny=deny, shadow_allow=shadow)), request)
    assert not decision.forwarded
    assert decision.code is not None


@given(rows=row_lists(), deny=rule_lists, allow=rule_lists, extra=rules, request=requests())
@bounded
def test_a_further_denial_never_admits(
    rows: tuple[Route, ...],
    deny: tuple[Rule, ...],
    allow: tuple[Rule, ...],
    extra: Rule,
    request: Request,
) -> None:
    before = ask(gate(rows, ir.access(deny=deny, allow=allow)), request)
    after = ask(gate(rows, ir.access(deny=(*deny, extra), allow=allow)), request)
    assert before.forwarded or not after.forwarded
    if after.forwarded:
        assert replace(after, steps=()) == replace(before, steps=())


@given(rows=row_lists(), allow=rule_lists, extra=rules, request=requests())
@bounded
def test_a_further_allowance_never_refuses(
    rows: tuple[Route, ...], allow: tuple[Rule, ...], extra: Rule, request: Request
) -> None:
    before = ask(gate(rows, ir.access(allow=allow)), request)
    after = ask(gate(rows, ir.access(allow=(*allow, extra))), request)
    if before.forwarded:
        assert (after.forwarded, after.rule) == (True, before.rule)


@given(rows=row_lists(), allow=rule_lists, shadow=rule_lists, request=requests())
@bounded
def test_shadow_rules_change_no_answer(
    rows: tuple[Route, ...], allow: tuple[Rule, ...], shadow: tuple[Rule, ...], request: Request
) -> None:
    plain = ask(gate(rows, ir.access(allow=allow)), request)
    shadowed = ask(
        gate(rows, ir.access(allow=allow, shadow_deny=shadow, shadow_allow=shadow)), request
    )
    assert replace(shadowed, shadow=()) == plain


@given(rows=row_lists(), deny=rule_lists, allow=rule_lists, request=requests(), data=st.data())
@bounded
def test_the_order_of_different_headers_is_irrelevant(
    rows: tuple[Route, ...],
    deny: tuple[Rule, ...],
    allow: tuple[Rule, ...],
    request: Request,
    data: st.DataObject,
) -> None:
    here = gate(rows, ir.access(deny=deny, allow=allow))
    shuffled = tuple(data.draw(st.permutations(request.headers)))
    assert ask(here, replace(request, headers=shuffled)) == ask(here, request)


@given(rows=row_lists(), deny=rule_lists, allow=rule_lists, request=requests())
@bounded
def test_every_decision_says_why(
    rows: tuple[Route, ...], deny: tuple[Rule, ...], allow: tuple[Rule, ...], request: Request
) -> None:
    decision = ask(gate(rows, ir.access(deny=deny, allow=allow)), request)
    numbers = [step.number for step in decision.steps]
    assert numbers == sorted(set(numbers))
    assert decision.forwarded == (decision.code is None)
    if decision.forwarded:
        assert decision.rule in {rule.name for rule in allow}


OPEN = ir.access(allow=(ir.rule(subjects=(FromProvider(provider=PROVIDER), IsAnonymous())),))
keys = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=","),
    min_size=1,
    max_size=20,
)
noise = st.lists(st.tuples(st.sampled_from(["x-a", "x-b", "accept"]), keys), max_size=4).map(tuple)


def split(first: int, total: int) -> Gate:
    action = Forward(
        shares=ir.shares(v1=first, v2=total - first),
        sticky=(StickyHeader(name="x-subject"), StickyPrincipal()),
    )
    return gate((ir.route(action=action),), OPEN)


@given(key=keys, first=st.integers(1, 999), one=noise, other=noise)
@bounded
def test_the_split_follows_its_key_alone(
    key: str,
    first: int,
    one: tuple[tuple[str, str], ...],
    other: tuple[tuple[str, str], ...],
) -> None:
    here = split(first, 1000)
    subject = ("x-subject", key)
    request = Request(host=ir.HOST, path=ir.INFER, headers=(subject, *one))
    again = replace(request, headers=(*other, subject))
    assert ask(here, request).version == ask(here, again).version


@given(key=keys, smaller=st.integers(0, 1000), larger=st.integers(0, 1000))
@bounded
def test_a_larger_first_share_only_takes(key: str, smaller: int, larger: int) -> None:
    smaller, larger = sorted((smaller, larger))
    request = Request(host=ir.HOST, path=ir.INFER, headers=(("x-subject", key),))
    if ask(split(smaller, 1000), request).version == "v1":
        assert ask(split(larger, 1000), request).version == "v1"
