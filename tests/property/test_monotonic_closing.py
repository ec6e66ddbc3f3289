"""Monotonic closing (P2): what is missing, broken or renamed never adds an answer by a model's server.

A generated folder is read, compiled and asked by the reference decision. Then one file of it is
struck (`tests.attacks.breaking`), and it is asked again: by a gate that starts now, and by a gate
that has read the whole folder before. Whatever reaches a model's server must have reached it before.

Compared are requests and the model whose server answers, not versions: without its Rollout a model
may answer by another version of its own. One gain is meant, and is the only one: a policy that only
denies, taken away whole or out of its file, takes its own denials back. A person who may delete the
file may as well edit it; and what is gained must be what the whole folder refused by a deny rule
of exactly that policy. A file that is broken, cut, renamed within the folder or linked elsewhere
gains nothing.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.attacks import breaking
from tests.attacks import documents as docs
from tests.attacks.breaking import Blow
from tests.property import closing
from tests.property.closing import Answer, Plan

BOUNDED = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    # A failure names the file and the blow; smaller folders say no more, and take minutes to find.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
_SLOW = ("saved-by-delete", "saved-slowly", "saved-by-rename", "too-large", "too-many-characters")


@st.composite
def struck(draw: st.DrawFn) -> tuple[Plan, str, Blow]:
    """A folder, one of its files, and what befalls it. The gate's own files are among them."""
    plan = draw(closing.plans())
    name = draw(st.sampled_from(sorted(plan.files)))
    listed = breaking.blows(name, plan.files[name], random.Random(draw(st.integers(0, 7))))
    return plan, name, draw(st.sampled_from([one for one in listed if one.name not in _SLOW]))


def may_gain(name: str, blow: Blow, answer: Answer) -> bool:
    """Whether a whole policy that only denies was taken away, and this is what it denied."""
    ns, _, number = name.removesuffix("-deny.yaml").partition("-")
    return (
        blow.deletes
        and name.endswith("-deny.yaml")
        and answer[0].startswith("globex ")
        and answer[1] == f"{ns}/k{number}"
    )


def is_forgotten(answer: Answer, blow: Blow) -> bool:
    """Whether a Service is reached that the platform grants by name, after a document was deleted. A
    gate that starts without any memory has only the documents."""
    return blow.deletes and " open-" in answer[0]


def told(found: set[Answer], name: str, blow: Blow, plan: Plan) -> str:
    """What a person needs to see it again, in few lines."""
    listed = "\n".join(f"{request} reached {model}" for request, model in sorted(found))
    return f"{name}: {blow.name}\n{listed}\n{plan.files[name].decode()}"


def gained(
    before: frozenset[Answer], after: frozenset[Answer], name: str, blow: Blow
) -> set[Answer]:
    return {one for one in after - before if not may_gain(name, blow, one)}


@BOUNDED
@given(case=struck())
def test_a_gate_that_starts_answers_no_more(case: tuple[Plan, str, Blow]) -> None:
    plan, name, blow = case
    with tempfile.TemporaryDirectory(prefix="gr-closing-") as root:
        folder = closing.write(Path(root) / "documents", plan.files)
        before = closing.answers(closing.read(folder), plan)
        blow.strike(folder / name)
        after = closing.answers_at_start(folder, plan)
    found = {one for one in gained(before, after, name, blow) if not is_forgotten(one, blow)}
    assert not found, told(found, name, blow, plan)


@BOUNDED
@given(case=struck())
def test_a_gate_that_runs_answers_no_more(case: tuple[Plan, str, Blow]) -> None:
    plan, name, blow = case
    with tempfile.TemporaryDirectory(prefix="gr-closing-") as root:
        folder = closing.write(Path(root) / "documents", plan.files)
        source = closing.source(folder)
        world = source.read()
        before = closing.answers(world, plan)
        blow.strike(folder / name)
        for _ in range(3):  # a change settles before it counts
            world = closing.remembering(world, source.read())
            found = gained(before, closing.answers(world, plan), name, blow)
            assert not found, told(found, name, blow, plan)


@BOUNDED
@given(plan=closing.plans(), data=st.data())
def test_two_blows_answer_no_more_than_none(plan: Plan, data: st.DataObject) -> None:
    """One blow must not undo how another one closed."""
    names = data.draw(st.lists(st.sampled_from(sorted(plan.files)), min_size=2, max_size=3, unique=True))  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="gr-closing-") as root:
        folder = closing.write(Path(root) / "documents", plan.files)
        before = closing.answers(closing.read(folder), plan)
        struck = []
        for name in names:
            listed = breaking.blows(name, plan.files[name], random.Random(0))
            usable = [b for b in listed if b.name not in _SLOW and not b.deletes]
            struck.append(data.draw(st.sampled_from(usable)))
            struck[-1].strike(folder / name)
        found = closing.answers_at_start(folder, plan) - before
    assert not found, (sorted(found), [(n, b.name) for n, b in zip(names, struck, strict=True)])


@BOUNDED
@given(plan=closing.plans(), data=st.data())
def test_a_document_without_a_grant_opens_nothing(plan: Plan, data: st.DataObject) -> None:
    """Another namespace, with hosts of its own granted, names what belongs to the first one."""
    listed = closing.intruders(plan)
    chosen = data.draw(st.lists(st.sampled_from(sorted(listed)), min_size=1, max_size=3, unique=True))  # fmt: skip
    hosts = [docs.host(f"{way}-t") for way in ("model", "side", "api", "direct")]
    with tempfile.TemporaryDirectory(prefix="gr-closing-") as root:
        folder = closing.write(Path(root) / "documents", plan.files)
        before = closing.answers(closing.read(folder), plan, hosts)
        for number, name in enumerate(chosen):
            (folder / f"t-{number}.yaml").write_bytes(docs.text(*listed[name]))
        found = closing.answers(closing.read(folder), plan, hosts) - before
    assert not found, (sorted(found), chosen)


@settings(BOUNDED, max_examples=15)
@given(plan=closing.plans())
def test_the_folders_are_worth_breaking(plan: Plan) -> None:
    """A law about folders that answer nothing would hold of itself."""
    with tempfile.TemporaryDirectory(prefix="gr-closing-") as root:
        found = closing.answers(closing.read(closing.write(Path(root) / "d", plan.files)), plan)
    assert {model for _, model in found}
    assert not [one for one in found if one[0].startswith("wrong ")]
