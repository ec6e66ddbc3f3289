"""What is not understood closes what it may have said: in its namespace, or where that is not known."""

from __future__ import annotations

import pytest

from gatereeve.api.world import World
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


def served(*more: str, gate: str = GATE) -> World:
    return world_of(
        gate, EVERYTHING, tls_secret(names=("*.lending.example", "*.shop.example")),
        *map(team, TEAMS), *more,
    )  # fmt: skip


def made(*broken: str) -> Compiled:
    world = served(*broken)
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


EVERY = {f"{name}.{ns}" for ns in TEAMS for name in ("credit", "other")}


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
        ("{name: x}", False, EVERY),
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
        (
            LENDING,
            "{subject: {name: credit-9}, decision: reject}",
            {"credit.lending", "other.lending"},
        ),
        (LENDING, "{decision: reject}", {"credit.lending", "other.lending"}),
        (LENDING, "[]", {"credit.lending", "other.lending"}),
        (LENDING, "{subject: {name: credit-1}, decision: approve}", set()),
        (NOWHERE, "{subject: {name: other-1}}", {"other.lending", "other.shop"}),
        ("{name: x}", "{decision: reject}", EVERY),
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
    assert closed(compiled) == dict.fromkeys(("credit.lending", "credit.shop"), "policy-broken")
    assert {to(answer(rows(compiled, f"web.{ns}"), "/")) for ns in TEAMS} == {"refuse no-backend"}
    assert "hidden-path-to-model" in codes(compiled.findings)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("kind: AccessPolicy\nmetadata: {name: x, namespace: shop}\nspec: {}\n", {"credit.shop", "other.shop"}),
        ("apiVersion: gatereeve.dev/v1alpha1\nmetadata: {name: x, namespace: shop}\n", {"credit.shop", "other.shop"}),
        ("apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\n", EVERY),
        ("apiVersion: gatereeve.dev/v1alpha1\nkind: Polizei\nmetadata: {name: x, namespace: shop}\n",
         {"credit.shop", "other.shop"}),
        (("apiVersion: gatereeve.dev/v1\nkind: AccessPolicy\nmetadata: {name: x, namespace: shop}\n"
         "spec: {models: [credit], deny: [{regions: [ru]}]}\n"), {"credit.shop"}),
        ("apiVersion: gatereeve.io/v1alpha1\nkind: AccessPolicy\nmetadata: {name: x, namespace: shop}\n",
         {"credit.shop", "other.shop"}),
        ("apiVersion: v1alpha1\nkind: accesspolicy\nmetadata: {name: x, namespace: shop}\n",
         {"credit.shop", "other.shop"}),
        (("apiVersion: acme.com/v1\nkind: AccessPolicy\nmetadata: {name: x}\n"
         "spec: {models: [credit], deny: [{regions: [ru]}]}\n"), EVERY),
        (("apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: shop}\n"
         "spec: {models: [credit], deny: [{regions: [ru]}]}\n"), {"credit.shop", "other.shop"}),
        ("apiVersion: v1\nkind: List\nitems: {}\n", EVERY),
        ("apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicyList\nmetadata: {}\nitems: []\n", EVERY),
        ("kind: ConfigMapList\napiVersion: v1\nitems: [{apiVersion: gatereeve.dev/v1alpha1, spec: {}}]\n", EVERY),
        ("- apiVersion: gatereeve.dev/v1alpha1\n", EVERY),
        ("apiVersion gatereeve.dev/v1alpha1\n", EVERY),
        ("apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\n\tmetadata:\n", EVERY),
        ("spec: &a [*a\nmetadata:\n  namespace: shop\n", {"credit.shop", "other.shop"}),
        (("apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\n"
         "metadata: {name: x, namespace: shop, namespace: lending}\nspec: {}\n"), EVERY),
        ("apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: x, namespace: shopp}\n", EVERY),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: x}\nspec: {replicas: 1}\n", set()),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: 'gatereeve.dev'}\n", set()),
        ("apiVersion: gatereeve.dev/v1alpha1\nkind: GuardParameters\nmetadata: {name: x}\n", set()),
    ],
)  # fmt: skip
def test_whatever_may_be_a_policy_closes_what_it_may_speak_of(text: str, hosts: set[str]) -> None:
    world = served(text)
    assert world.findings, "nothing is left out without a word"
    compiled = compiler.compile(world)
    assert closed(compiled) == dict.fromkeys(hosts, "policy-broken")


def test_the_readable_part_of_a_file_goes_on() -> None:
    world = served("a: [\n---\n" + model("third", "shop", "json") + "\n---\nb: ]\n")
    assert ("shop", "third") in world.models
    assert [str(f.where) for f in world.findings if f.code == "yaml-syntax"] == [
        "5.yaml:1",
        "5.yaml:15",
    ]


DENYING = "{models: [MODEL], deny: [{subjects: [{provider: keys}]}]}"
KEYS_GATE = (
    GATE
    + """\
  identity:
    apiKeys: {name: keys, keys: [{id: acme, secret: {namespace: shop, name: k}, groups: [gold]}]}
  attributes:
    region: [{cidrs: [{region: de, cidrs: [10.0.0.0/8]}]}]
  regionGroups: [{name: eu, regions: [de, fr]}, {name: far, regions: [us]}]
"""
)


@pytest.mark.parametrize(
    ("metadata", "spec", "hosts"),
    [
        (LENDING, "{models: [credit, othr], deny: [{subjects: [{provider: keys}]}]}",
         {"credit.lending", "other.lending"}),
        (LENDING, "{selector: {matchLabels: {a: b}}, deny: [{subjects: [{provider: keys}]}]}",
         {"credit.lending", "other.lending"}),
        ("{name: x, namespace: lendin}", "{models: [credit], deny: [{subjects: [{provider: keys}]}]}", EVERY),
        ("{name: x}", "{selector: {all: true}, deny: [{subjects: [{provider: keys}]}]}", EVERY),
        (LENDING, "{models: [othr], allow: [{subjects: [{provider: keys}]}]}", set()),
        (LENDING, "{models: [othr], mode: shadow, deny: [{subjects: [{provider: keys}]}]}", set()),
        *((LENDING, "{models: [credit], deny: [{CONDITION}]}".replace("CONDITION", condition),
           {"credit.lending"} if closes else set())
          for condition, closes in (
              ("subjects: [{principal: keys/acme}]", False), ("subjects: [{principal: keys/acm}]", True),
              ("subjects: [{principal: key/acme}]", True), ("subjects: [{group: keys/gold}]", False),
              ("subjects: [{group: keys/old}]", True), ("subjects: [{provider: key}]", True),
              ("subjects: [{provider: keys}, {principal: key/acme}]", True),
              ("regions: [de]", False), ("regions: [eu]", False), ("regions: [far]", True),
              ("regions: [ru]", True), ("purposes: [marketing]", True), ("operations: [stream]", False),
          )),
    ],
)  # fmt: skip
def test_a_deny_rule_that_can_match_nothing_closes(
    metadata: str, spec: str, hosts: set[str]
) -> None:
    compiled = compiler.compile(served(document("AccessPolicy", metadata, spec), gate=KEYS_GATE))
    assert closed(compiled) == dict.fromkeys(hosts, "policy-broken")
    assert bool(found(compiled, "deny-matches-nothing")) == bool(hosts)


@pytest.mark.parametrize(
    ("region", "closes"),
    [("us", False), ("xx", False), ("far", False), ("emea", False), ("emaa", True), ("u", True)],
)
def test_a_region_that_a_header_says_is_a_country_or_named_by_the_gate(
    region: str, closes: bool
) -> None:
    gate = KEYS_GATE.replace(
        "{cidrs: [{region: de, cidrs: [10.0.0.0/8]}]}",
        "{header: {name: x-region, from: [10.0.0.0/8]}}",
    ).replace("regions: [us]", "regions: [us, emea]")
    policy = document(
        "AccessPolicy", LENDING, f"{{models: [credit], deny: [{{regions: [{region}]}}]}}"
    )
    compiled = compiler.compile(served(policy, gate=gate))
    assert bool(closed(compiled)) == closes
    assert bool(found(compiled, "deny-matches-nothing")) == closes


def test_a_deny_rule_on_a_model_that_cannot_be_read_closes_nothing_else() -> None:
    broken = document("Model", "{name: third, namespace: shop}", "{odd: 1}")
    policy = document(
        "AccessPolicy", "{name: x, namespace: shop}", DENYING.replace("MODEL", "third")
    )
    assert closed(made(broken, policy)) == {}


def test_a_provider_of_another_gate_is_one() -> None:
    other = KEYS_GATE.replace("8443", "9443").replace("8080", "9080").replace("public", "second")
    policy = document("AccessPolicy", LENDING, DENYING.replace("MODEL", "credit"))
    compiled = compiler.compile(served(policy, other))
    assert "provider-unknown" in codes(compiled.findings)
    assert "policy-broken" not in codes(compiled.findings)


def test_a_rejection_under_a_wrong_name_counts_by_its_digest() -> None:
    digest = served().model_versions["shop", "credit-1"].digest
    spec = f"{{subject: {{name: credt-1, digest: '{digest}'}}, role: risk, decision: reject, approver: zoe, reason: unsafe}}"
    rejected = compiler.compile(served(document("Approval", "{name: x, namespace: shop}", spec)))
    assert closed(rejected) == {"credit.shop": "no-eligible-version"}


def test_a_version_that_cannot_be_read_is_one_more_where_no_rollout_says_which_answers() -> None:
    broken = document(
        "ModelVersion", "{name: credit-2, namespace: shop}", "{model: credit, odd: 1}"
    )
    assert closed(made(broken)) == {"credit.shop": "policy-broken"}
    rollout = document(
        "Rollout", "{name: credit, namespace: shop}", '{model: credit, split: [{version: "1", weight: 10000}]}'
    )  # fmt: skip
    assert closed(made(broken, rollout)) == {}


@pytest.mark.parametrize("name", ["gatereeve", "[gatereeve]"])
def test_a_class_document_that_cannot_be_read_may_be_of_another_controller(name: str) -> None:
    head = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\n"
    world = served(f"{head}metadata: {{name: {name}}}\nspec: {{controller: 1}}\n")
    assert world.broken
    assert not any(
        listener.hosts for gate in compiler.compile(world).ir.gates for listener in gate.listeners
    )


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        (document("AccessPolicy", LENDING, "{models: [credit]}"), {"credit.lending"}),
        (document("AccessPolicy", LENDING, "{models: [cred]}"), {"credit.lending", "other.lending"}),
        ("apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\nmetadata:\n  name: x\n  namespace: shop", EVERY),
        ("apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\nmetadata:\n  name: [x\n  namespace: shop", EVERY),
        ("apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\nmetadata:\n  name: x\n  namespace: shop\n",
         {"credit.shop", "other.shop"}),
    ],
)  # fmt: skip
def test_what_may_have_been_cut_off_closes(text: str, hosts: set[str]) -> None:
    assert closed(compiler.compile(served(text))) == dict.fromkeys(hosts, "policy-broken")


def test_a_deny_rule_for_a_model_of_another_namespace_closes_that_model_too() -> None:
    third = "\n---\n".join((
        model("third", "lending", "json"),
        version("third", "1", at("10.0.0.9"), ns="lending"),
        ingress("third", f"Prefix / {to_model('third')}", ns="lending", host="third.lending.example"),
    ))  # fmt: skip
    spec = DENYING.replace("MODEL", "third")
    text = f"apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: x, namespace: shop}}\nspec: {spec}\n"
    compiled = compiler.compile(served(third, text, gate=KEYS_GATE))
    assert set(closed(compiled)) == {"credit.shop", "other.shop"}
    assert to(answer(rows(compiled, "third.lending.example"), "/")) == "refuse policy-broken"
