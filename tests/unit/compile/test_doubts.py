"""What cannot be read closes what it may have said, in its namespace and nowhere else."""

from __future__ import annotations

import pytest

from gatereeve.compile import compiler
from gatereeve.compile.compiler import Compiled
from tests.support.routes import (
    EVERYTHING,
    GATE,
    answer,
    at,
    found,
    ingress,
    model,
    rows,
    service,
    tls_secret,
    to,
    to_model,
    to_service,
    version,
)
from tests.support.worlds import codes, world_of

TEAMS = ("lending", "shop")
"""Each has the models `credit` and `other`, on hosts of its own."""


def team(ns: str) -> str:
    return "\n---\n".join(
        text
        for name in ("credit", "other")
        for text in (
            model(name, ns, "json"),
            version(name, "1", at(f"10.{TEAMS.index(ns)}.0.{len(name)}"), ns=ns),
            ingress(name, f"Prefix / {to_model(name)}", ns=ns, host=f"{name}.{ns}.example"),
        )
    )


def made(*broken: str) -> Compiled:
    world = world_of(
        GATE, EVERYTHING, tls_secret(names=("*.lending.example", "*.shop.example")),
        *map(team, TEAMS), *broken,
    )  # fmt: skip
    assert world.broken
    return compiler.compile(world)


def closed(compiled: Compiled) -> dict[str, str]:
    """Hosts that are refused, with the code."""
    answers = {
        f"{name}.{ns}": to(answer(rows(compiled, f"{name}.{ns}.example"), "/"))
        for ns in TEAMS
        for name in ("credit", "other")
    }
    return {
        host: text.removeprefix("refuse ")
        for host, text in answers.items()
        if not text.startswith("model/")
    }


def document(kind: str, metadata: str, spec: str) -> str:
    text = f"apiVersion: gatereeve.dev/v1alpha1\nkind: {kind}\nmetadata: {metadata}\n"
    return f"{text}spec: {spec}\n"


LENDING = "{name: x, namespace: lending}"
NOWHERE = "{name: x, namespace: 7}"


@pytest.mark.parametrize("kind", ["AccessPolicy", "Rollout"])
@pytest.mark.parametrize(
    ("metadata", "named", "hosts"),
    [
        (LENDING, True, {"credit.lending"}),
        (LENDING, False, {"credit.lending", "other.lending"}),
        (NOWHERE, True, {"credit.lending", "credit.shop"}),
        (NOWHERE, False, {"credit.lending", "credit.shop", "other.lending", "other.shop"}),
        ("{name: x}", False, set()),
    ],
)
def test_a_policy_or_rollout_closes_what_it_may_speak_of(
    kind: str, metadata: str, named: bool, hosts: set[str]
) -> None:
    names = {"AccessPolicy": "models: [credit]", "Rollout": "model: credit"}
    spec = f"{{{names[kind] if named else 'odd: 1'}, nonsense: 1}}"
    compiled = made(document(kind, metadata, spec))
    assert closed(compiled) == dict.fromkeys(hosts, "policy-broken")
    assert {p.split()[1].replace("/", ".") for p in found(compiled, "policy-broken")} == {
        ".".join(reversed(host.split("."))) for host in hosts
    }


@pytest.mark.parametrize(
    ("metadata", "spec", "hosts"),
    [
        (LENDING, "{subject: {name: credit-1}, decision: reject}", {"credit.lending"}),
        (LENDING, "{subject: {name: credit-1}}", {"credit.lending"}),
        (LENDING, "{subject: {name: credit-9}, decision: reject}", set()),
        (LENDING, "{decision: reject}", {"credit.lending", "other.lending"}),
        (LENDING, "[]", {"credit.lending", "other.lending"}),
        (LENDING, "{subject: {name: credit-1}, decision: approve}", set()),
        (NOWHERE, "{subject: {name: other-1}}", {"other.lending", "other.shop"}),
        ("{name: x}", "{decision: reject}", set()),
    ],
)
def test_an_approval_closes_the_versions_that_it_may_reject(
    metadata: str, spec: str, hosts: set[str]
) -> None:
    compiled = made(document("Approval", metadata, spec))
    assert closed(compiled) == dict.fromkeys(hosts, "no-eligible-version")
    assert len(found(compiled, "approval-broken")) == len(hosts)


def test_a_version_without_a_namespace_may_stand_on_any_service() -> None:
    broken = document("ModelVersion", "{name: x, namespace: [shop]}", "{model: credit}")
    web = [
        part
        for ns in TEAMS
        for part in (
            service("web", f"10.9.0.{len(ns)}", ns=ns),
            ingress("web", f"Prefix / {to_service('web')}", ns=ns, host=f"web.{ns}"),
        )
    ]
    compiled = made(broken, *web)
    assert closed(compiled) == {}
    assert {to(answer(rows(compiled, f"web.{ns}"), "/")) for ns in TEAMS} == {"refuse no-backend"}
    assert "hidden-path-to-model" in codes(compiled.findings)
