"""One stage by itself: the AccessPolicies of a model to its `Access`."""

from __future__ import annotations

import pytest

from gatereeve.api.world import World
from gatereeve.compile.governance.access import compile_access, policies_for
from gatereeve.compile.governance.identity import compile_attributes, compile_identity
from gatereeve.compile.governance.known_values import known_values
from gatereeve.core.findings import Finding
from gatereeve.ir import access as ir
from tests.support.worlds import world_of

GATE = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec:
  region: de
  http: {port: 8080}
  regionGroups: [{name: eu, regions: [de, fr]}]
  identity:
    apiKeys: {name: keys, keys: [{id: acme, secret: {namespace: shop, name: k}, groups: [gold]}]}
  attributes:
    region: [{cidrs: [{region: de, cidrs: [10.0.0.0/8]}, {region: ru, cidrs: [11.0.0.0/8]}]}]
    purpose: [{header: {name: x-purpose, from: [10.0.0.0/8]}}]
"""
KEY = """
apiVersion: v1
kind: Secret
metadata: {name: k, namespace: shop}
stringData: {key: 0123456789abcdef0123}
"""
MODEL = """
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: credit, namespace: shop, labels: {tier: gold}}
spec: {owner: olga, purpose: credit, riskClass: minimal, protocol: PROTOCOL}
"""
GROUPS = {"eu": ("de", "fr")}
ANYONE = "{subjects: [{anonymous: true}]}"
ACME = "{subjects: [{principal: keys/acme}]}"


def policy(name: str, spec: str, *, target: str = "models: [credit]") -> str:
    head = "apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\n"
    return f"{head}metadata: {{name: {name}, namespace: shop}}\nspec: {{{target}, {spec}}}\n"


def world(*policies: str, gate: str = GATE, protocol: str = "json") -> World:
    made = world_of(gate, KEY, MODEL.replace("PROTOCOL", protocol), *policies)
    assert not made.findings, made.findings
    return made


def compiled(made: World) -> tuple[ir.Access, tuple[Finding, ...]]:
    (gate,) = made.gates.values()
    model = made.models["shop", "credit"]
    identity, _ = compile_identity(made, gate)
    attributes, _ = compile_attributes(made, gate)
    return compile_access(
        model,
        policies_for(model, tuple(made.access_policies.values())),
        identity=identity,
        attributes=attributes,
        groups=GROUPS,
        known=known_values(gate.spec, attributes, [gate.spec]),
    )


def rule(allow: str, **settings: str) -> ir.Rule:
    access, _ = compiled(world(policy("p", f"allow: [{allow}]"), **settings))
    (made,) = access.allow
    return made


def found(*policies: str, **settings: str) -> set[tuple[str, str]]:
    """Code and place of each finding."""
    _, findings = compiled(world(*policies, **settings))
    return {(f.code, f.origin.path if f.origin else "") for f in findings}


def test_rules_are_in_the_order_of_policy_names_then_of_position() -> None:
    access, findings = compiled(
        world(
            policy("b", f"allow: [{ANYONE}, {ACME}], deny: [{{regions: [ru]}}]"),
            policy(
                "a", f"allow: [{{name: first, subjects: [{{provider: keys}}]}}], deny: [{ACME}]"
            ),
        )
    )
    assert [r.name for r in access.deny] == ["shop/a/deny[0]", "shop/b/deny[0]"]
    assert [r.name for r in access.allow] == ["shop/a/first", "shop/b/allow[0]", "shop/b/allow[1]"]
    assert (access.shadow_deny, access.shadow_allow) == ((), ())
    assert {f.code for f in findings} == {"anonymous-allowed"}


def test_a_shadow_policy_decides_nothing() -> None:
    access, findings = compiled(
        world(policy("s", f"mode: shadow, allow: [{ACME}], deny: [{{regions: [ru]}}]"))
    )
    assert (access.deny, access.allow) == ((), ())
    assert [r.name for r in access.shadow_deny] == ["shop/s/deny[0]"]
    assert [r.name for r in access.shadow_allow] == ["shop/s/allow[0]"]
    assert "no-allow-rule" in {f.code for f in findings}


@pytest.mark.parametrize(
    ("target", "applies"),
    [
        ("models: [credit]", True),
        ("models: [other]", False),
        ("selector: {all: true}", True),
        ("selector: {matchLabels: {tier: gold}}", True),
        ("selector: {matchLabels: {tier: lead}}", False),
        ("selector: {matchLabels: {tier: gold, side: left}}", False),
    ],
)
def test_which_policies_are_about_a_model(target: str, applies: bool) -> None:
    made = world(policy("p", f"allow: [{ACME}]", target=target))
    policies = tuple(made.access_policies.values())
    names = [p.ref.name for p in policies_for(made.models["shop", "credit"], policies)]
    assert names == (["p"] if applies else [])


@pytest.mark.parametrize(
    ("subject", "match"),
    [
        ("{principal: keys/acme}", ir.IsPrincipal(provider="keys", id="acme")),
        ("{principal: keys/a/b}", ir.IsPrincipal(provider="keys", id="a/b")),
        ("{group: keys/gold}", ir.InGroup(provider="keys", group="gold")),
        ("{provider: keys}", ir.FromProvider(provider="keys")),
        ("{anonymous: true}", ir.IsAnonymous()),
    ],
)
def test_subjects(subject: str, match: ir.SubjectMatch) -> None:
    assert rule(f"{{subjects: [{subject}]}}").subjects == (match,)


@pytest.mark.parametrize(
    ("condition", "name", "value"),
    [
        ("regions: [ru]", "regions", ("ru",)),
        ("regions: [eu]", "regions", ("de", "eu", "fr")),
        ("regions: [eu, de, ru]", "regions", ("de", "eu", "fr", "ru")),
        ("purposes: [Lending, lending, Audit]", "purposes", ("audit", "lending")),
        ("operations: [infer]", "operations", ("infer",)),
        ("limits: {requests: {count: 5, seconds: 60}}", "limit", ir.RequestLimit(count=5, seconds=60)),
    ],
)  # fmt: skip
def test_conditions(condition: str, name: str, value: object) -> None:
    made = rule(f"{{subjects: [{{provider: keys}}], {condition}}}")
    assert getattr(made, name) == value


def test_what_a_rule_does_not_name_does_not_restrict() -> None:
    made = rule(ACME)
    assert (made.regions, made.purposes, made.operations, made.limit) == (None, None, None, None)


def test_a_rule_whose_providers_are_all_unknown_is_left_out() -> None:
    """It must not become a rule without subjects, which would be for everybody."""
    access, findings = compiled(world(policy("p", "allow: [{subjects: [{provider: gone}]}]")))
    assert access.allow == ()
    assert {f.code for f in findings} == {"provider-unknown", "no-allow-rule"}
    mixed = rule("{subjects: [{provider: gone}, {provider: keys}]}")
    assert mixed.subjects == (ir.FromProvider(provider="keys"),)


SUBJECT, ALLOWED = "subjects: [{provider: keys}]", f"allow: [{ACME}]"
WITHOUT_ATTRIBUTES = GATE.partition("  attributes:")[0]


@pytest.mark.parametrize(
    ("spec", "settings", "expected"),
    [
        (ALLOWED, {}, set()),
        (f"{ALLOWED}, deny: [{{regions: [ru]}}]", {}, set()),
        ("mode: enforce", {}, {("policy-empty", "spec"), ("no-allow-rule", "")}),
        (f"allow: [{ANYONE}]", {}, {("anonymous-allowed", "spec.allow[0].subjects")}),
        (f"allow: [{{{SUBJECT}, operations: [stream]}}]", {},
         {("operation-not-in-protocol", "spec.allow[0].operations")}),
        (f"allow: [{{{SUBJECT}, operations: [stream]}}]", {"protocol": "openai"},
         {("stream-told-by-body", "spec.allow[0].operations")}),
        (f"allow: [{{{SUBJECT}, operations: [stream, infer]}}]", {"protocol": "openai"}, set()),
        (f"allow: [{{{SUBJECT}, regions: [de]}}]", {"gate": WITHOUT_ATTRIBUTES},
         {("region-unknown", "spec.allow[0].regions")}),
        (f"{ALLOWED}, deny: [{{subjects: [{{principal: keys/nobody}}]}}]", {},
         {("deny-matches-nothing", "spec.deny[0].subjects[0]")}),
        (f"{ALLOWED}, deny: [{{subjects: [{{group: keys/silver}}]}}]", {},
         {("deny-matches-nothing", "spec.deny[0].subjects[0]")}),
        (f"{ALLOWED}, deny: [{{regions: [ru, xx]}}]", {},
         {("deny-matches-nothing", "spec.deny[0].regions[1]")}),
        (f"{ALLOWED}, deny: [{{purposes: [ads]}}]", {"gate": WITHOUT_ATTRIBUTES},
         {("deny-matches-nothing", "spec.deny[0].purposes")}),
    ],
)  # fmt: skip
def test_findings(spec: str, settings: dict[str, str], expected: set[tuple[str, str]]) -> None:
    assert found(policy("p", spec), **settings) == expected


def test_a_shadow_deny_rule_that_matches_nothing_closes_nothing() -> None:
    shadow = policy("s", "mode: shadow, deny: [{subjects: [{principal: keys/nobody}]}]")
    assert found(policy("p", ALLOWED), shadow) == set()
