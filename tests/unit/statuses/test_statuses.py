"""Statuses: one test for each reason that can be given, and what must never be said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.core.conditions import (
    MAX_MESSAGE,
    ApprovalBody,
    GateBody,
    GatewayBody,
    GatewayClassBody,
    IngressBody,
    ListenerStatus,
    ModelBody,
    ModelVersionBody,
    ObjectStatus,
    ParentStatus,
    RouteBody,
)
from gatereeve.core.findings import Finding, FindingCode
from gatereeve.statuses import GateFacts, RuntimeFacts, derive
from gatereeve.statuses.gateway_api import FEATURES, OWN_ADDRESSES
from tests.support.routes import (
    BARE_GATE,
    EVERYTHING,
    GATE,
    GATEWAY,
    at,
    http_route,
    ingress,
    model,
    reference_grant,
    service,
    tls_secret,
    to_model,
    to_service,
    version,
)
from tests.support.statuses import GATE_ADDRESS, find, said, settled
from tests.support.worlds import world_of

WEB = service("web", "10.0.0.1")
TO_WEB = "{backendRefs: [{name: web, port: 80}]}"


def told(*texts: str, gate: str = GATE, grant: str = EVERYTHING) -> tuple[ObjectStatus, ...]:
    """The statuses of these documents when one Envoy runs what they say."""
    world = world_of(gate, grant, tls_secret(), *texts)
    made = compiler.compile(world)
    return derive(world, made, settled(made))


def conditions(statuses: tuple[ObjectStatus, ...], kind: str, name: str) -> dict[str, str]:
    return said(find(statuses, kind, name).conditions)


# Gates


def gate_told(facts: GateFacts) -> ObjectStatus:
    world = world_of(GATE, tls_secret())
    made = compiler.compile(world)
    return find(derive(world, made, RuntimeFacts(gates={"public": facts})), "Gate", "public")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (GateFacts(), "False NoGates"),
        (GateFacts(gates=3, running=3, ready=2), "False Pending"),
        (GateFacts(gates=3, running=3, ready=3, rejections=("no",)), "False GateRejected"),
        (GateFacts(gates=3, running=3, ready=3), "True Programmed"),
    ],
)
def test_programmed_is_what_every_gate_was_proved_to_run(facts: GateFacts, reason: str) -> None:
    status = gate_told(facts)
    assert said(status.conditions)["Programmed"] == reason
    assert isinstance(status.body, GateBody)
    assert status.body.wanted.startswith("sha256:")


def test_a_gate_with_an_error_is_not_accepted() -> None:
    assert conditions(
        told(gate=GATE.replace("name: default}", "name: gone}")), "Gate", "public"
    ) == {
        "Accepted": "False TlsSecretInvalid",
        "Programmed": "True Programmed",
    }


# models


SERVED = (
    model(),
    version("credit", "1", at("10.0.0.9")),
    ingress("credit", f"Prefix / {to_model()}", ns="lending"),
)


def limited(text: str) -> str:
    return text.replace("riskClass: minimal", "riskClass: limited")


def approval(
    digest: str, *, decision: str = "approve", approver: str = "olga", more: str = ""
) -> str:
    return f"""
    apiVersion: gatereeve.dev/v1alpha1
    kind: Approval
    metadata: {{name: a, namespace: lending}}
    spec:
      subject: {{kind: ModelVersion, name: credit-1, digest: "{digest}"}}
      role: owner
      decision: {decision}
      approver: {approver}
      reason: looked at it{more}
    """


def digest_of_version() -> str:
    return world_of(SERVED[1]).model_versions["lending", "credit-1"].digest


def test_a_model_that_is_served() -> None:
    statuses = told(*SERVED)
    assert conditions(statuses, "Model", "lending/credit") == {
        "Accepted": "True Accepted", "Routed": "True Routed", "Served": "True Served",
    }  # fmt: skip
    body = find(statuses, "Model", "lending/credit").body
    assert isinstance(body, ModelBody)
    assert (body.gates, body.eligible, body.served) == (("public",), ("1",), ("1",))
    assert conditions(statuses, "ModelVersion", "lending/credit-1") == {
        "Accepted": "True Accepted", "Approved": "True Approved", "Eligible": "True Eligible",
        "Served": "True Served",
    }  # fmt: skip
    version_body = find(statuses, "ModelVersion", "lending/credit-1").body
    assert isinstance(version_body, ModelVersionBody)
    assert version_body.digest == digest_of_version()


def test_a_model_without_routes_tls_versions_or_a_gate() -> None:
    statuses = told(*SERVED[:2])
    assert conditions(statuses, "Model", "lending/credit")["Routed"] == "False ModelUnrouted"
    assert conditions(statuses, "Model", "lending/credit")["Served"] == "False NotRouted"
    assert (
        conditions(statuses, "ModelVersion", "lending/credit-1")["Served"] == "False ModelUnrouted"
    )
    statuses = told(*SERVED, gate=BARE_GATE)  # the host has no certificate
    assert conditions(statuses, "Model", "lending/credit")["Served"] == "False NoEligibleVersion"
    statuses = told(SERVED[0], SERVED[2])
    assert conditions(statuses, "Model", "lending/credit")["Served"] == "False NoEligibleVersion"
    statuses = told(*SERVED, gate=EVERYTHING.replace("everything", "again"))
    assert conditions(statuses, "Model", "lending/credit") == {
        "Accepted": "True Accepted", "Routed": "False NoGate", "Served": "False NotRouted",
    }  # fmt: skip
    assert conditions(statuses, "ModelVersion", "lending/credit-1")["Approved"] == "Unknown NoGate"


@pytest.mark.parametrize(
    ("documents", "reason"),
    [
        ((limited(SERVED[0]),), "False VersionUnapproved"),
        ((limited(SERVED[0]), approval("DIGEST")), "True Approved"),
        ((limited(SERVED[0]), approval("DIGEST", decision="reject")), "False VersionRejected"),
        ((SERVED[0].replace("minimal", "prohibited"),), "False ModelProhibited"),
        ((SERVED[0], version("credit", "1", at("10.0.0.8")).replace("credit-1", "other")),
         "False VersionDuplicate"),
        ((), "False ModelNotFound"),
    ],
)  # fmt: skip
def test_why_a_version_is_not_approved(documents: tuple[str, ...], reason: str) -> None:
    texts = [text.replace("DIGEST", digest_of_version()) for text in documents]
    statuses = told(*texts, *SERVED[1:])
    got = conditions(statuses, "ModelVersion", "lending/credit-1")
    assert got["Approved"] == reason
    assert got["Eligible"] == ("True Eligible" if reason == "True Approved" else reason)
    if reason != "True Approved":
        assert got["Served"] == "False NotEligible"


def test_approved_but_not_lawful_or_without_servers() -> None:
    abroad = SERVED[0].replace(
        "protocol: kserve-v2", "protocol: kserve-v2, residency: [{from: [fr], process: [fr]}]"
    )
    got = conditions(told(abroad, *SERVED[1:]), "ModelVersion", "lending/credit-1")
    assert (got["Approved"], got["Eligible"]) == ("True Approved", "False ResidencyUnlawful")
    idle = version("credit", "1", "backend: {service: none, port: 80}")
    got = conditions(told(SERVED[0], idle, SERVED[2]), "ModelVersion", "lending/credit-1")
    assert (got["Eligible"], got["Served"]) == ("True Eligible", "False NoEndpoints")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (approval("DIGEST"), "True Approves"),
        (approval("DIGEST", decision="reject"), "True Rejects"),
        (approval("sha256:" + "0" * 64), "False Superseded"),
        (approval("DIGEST", more="\n      expires: 2026-10-31T00:00:00Z"), "False Expired"),
        (approval("DIGEST", approver="mia"), "False ApprovalSelf"),
        (approval("DIGEST").replace("credit-1", "gone"), "False VersionNotFound"),
    ],
)
def test_whether_an_approval_is_in_force(text: str, reason: str) -> None:
    statuses = told(*SERVED, text.replace("DIGEST", digest_of_version()))
    got = conditions(statuses, "Approval", "lending/a")
    assert got == {"Accepted": "True Accepted", "InForce": reason}
    body = find(statuses, "Approval", "lending/a").body
    assert isinstance(body, ApprovalBody)
    assert body.subject == ("" if reason == "False VersionNotFound" else digest_of_version())


GLASS_RULE = "governance: {breakGlass: {users: [olga], maxHours: 4}}"
GLASS = "\n      breakGlass: {since: 2026-10-31T23:00:00Z, until: 2026-11-01T02:00:00Z}"


@pytest.mark.parametrize(
    ("model_text", "rule", "reason"),
    [
        (limited(SERVED[0]), GLASS_RULE, "True BreakGlass"),
        (limited(SERVED[0]), "", "False BreakGlassRefused"),
        (SERVED[0], GLASS_RULE, "False NotNeeded"),
    ],
)
def test_whether_a_broken_glass_is_in_force(model_text: str, rule: str, reason: str) -> None:
    gate = GATE.rstrip() + (f"\n  {rule}\n" if rule else "\n")
    text = approval(digest_of_version(), more=GLASS)
    got = conditions(told(model_text, *SERVED[1:], text, gate=gate), "Approval", "lending/a")
    assert got["InForce"] == reason


POLICY = """
apiVersion: gatereeve.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p, namespace: lending}
spec: {models: [credit], mode: enforce, allow: [{subjects: [{anonymous: true}]}]}
"""


@pytest.mark.parametrize(
    ("text", "attached", "enforced"),
    [
        (POLICY, "True Attached", "True Enforced"),
        (POLICY.replace("enforce", "shadow"), "True Attached", "False Shadow"),
        (POLICY.replace("[credit]", "[gone]"), "False ModelNotFound", "False NotAttached"),
        (POLICY.replace("models: [credit]", "selector: {matchLabels: {a: b}}"),
         "False PolicyMatchesNothing", "False NotAttached"),
    ],
)  # fmt: skip
def test_policies(text: str, attached: str, enforced: str) -> None:
    got = conditions(told(*SERVED, text), "AccessPolicy", "lending/p")
    assert (got["Attached"], got["Enforced"]) == (attached, enforced)


ROLLOUT = """
apiVersion: gatereeve.dev/v1alpha1
kind: Rollout
metadata: {name: r, namespace: lending}
spec: {model: credit, split: [{version: "1", weight: 1}]}
"""


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ((ROLLOUT,), "True Effective"),
        ((ROLLOUT.replace('"1"', '"9"'),), "False RolloutNoCandidate"),
        ((ROLLOUT.replace("credit", "gone"),), "False ModelNotFound"),
        ((ROLLOUT, ROLLOUT.replace("name: r,", "name: a,")), "False RolloutConflict"),
    ],
)
def test_rollouts(texts: tuple[str, ...], reason: str) -> None:
    assert conditions(told(*SERVED, *texts), "Rollout", "lending/r")["Effective"] == reason


def test_a_version_that_the_rollout_gives_nothing() -> None:
    two = version("credit", "2", at("10.0.0.8"))
    # no call of this protocol names a version
    statuses = told(model(protocol="kserve-v1"), *SERVED[1:], two, ROLLOUT)
    got = conditions(statuses, "ModelVersion", "lending/credit-2")
    assert got["Eligible"] == "True Eligible"
    assert got["Served"] == "False NotInRollout"


def test_grants_and_broken_documents() -> None:
    narrow = EVERYTHING.replace("{all: true}", "{matchLabels: {team: a}}")
    statuses = told(*SERVED, grant=narrow)
    assert conditions(statuses, "HostGrant", "everything")["Matched"] == "False NoNamespaces"
    statuses = told(SERVED[0].replace("kserve-v2", "soap"))
    broken = find(statuses, "Model", "lending/credit")
    assert said(broken.conditions) == {"Accepted": "False InvalidField"}
    assert (broken.uid, broken.generation) == ("", 0)


# Ingresses


def addresses(statuses: tuple[ObjectStatus, ...], name: str) -> tuple[str, ...]:
    body = find(statuses, "Ingress", name).body
    assert isinstance(body, IngressBody)
    return body.addresses


def test_ingresses_that_are_served_have_addresses() -> None:
    web = ingress("web", f"Prefix / {to_service('web')}")
    late = ingress("zz", f"Prefix / {to_service('web')}")
    statuses = told(WEB, web, late)
    assert addresses(statuses, "shop/web") == (GATE_ADDRESS,)
    assert addresses(statuses, "shop/zz") == ()  # the older one owns its only path
    narrow = EVERYTHING.replace('["*"]', "[other.example]")
    assert addresses(told(WEB, web, grant=narrow), "shop/web") == ()
    secret = ingress("secret", f"Prefix / {to_model()}", ns="lending")
    assert addresses(told(*SERVED[:2], secret, gate=BARE_GATE), "lending/secret") == ()


def test_addresses_stay_while_gates_take_over_a_change() -> None:
    world = world_of(
        GATE, EVERYTHING, tls_secret(), WEB, ingress("web", f"Prefix / {to_service('web')}")
    )
    made = compiler.compile(world)
    facts = GateFacts(gates=2, running=2, ready=0, addresses=(GATE_ADDRESS,))
    told_now = derive(world, made, RuntimeFacts(gates={"public": facts}))
    assert addresses(told_now, "shop/web") == (GATE_ADDRESS,)
    none = replace(facts, running=0)
    assert addresses(derive(world, made, RuntimeFacts(gates={"public": none})), "shop/web") == ()


# Gateway API


def listeners(statuses: tuple[ObjectStatus, ...], name: str) -> dict[str, ListenerStatus]:
    body = find(statuses, "Gateway", name).body
    assert isinstance(body, GatewayBody)
    return {listener.name: listener for listener in body.listeners}


def parents(statuses: tuple[ObjectStatus, ...], name: str) -> tuple[ParentStatus, ...]:
    body = find(statuses, "HTTPRoute", name).body
    assert isinstance(body, RouteBody)
    return body.parents


def gateway(text: str, more: str = "") -> str:
    return f"""
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {{name: gw, namespace: shop}}
    spec: {{gatewayClassName: gatereeve, listeners: [{text}]{more}}}
    """


CLASS = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: gatereeve}
spec: {controllerName: gatereeve.dev/gate}
"""


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("", "True Accepted"),
        (", parametersRef: {group: gatereeve.dev, kind: Gate, name: public}", "True Accepted"),
        (
            ", parametersRef: {group: gatereeve.dev, kind: Gate, name: gone}",
            "False InvalidParameters",
        ),
        (", parametersRef: {group: '', kind: ConfigMap, name: public}", "False InvalidParameters"),
    ],
)
def test_gateway_classes(spec: str, reason: str) -> None:
    statuses = told(CLASS.replace("/gate}", f"/gate{spec}}}"))
    status = find(statuses, "GatewayClass", "gatereeve")
    assert said(status.conditions) == {"Accepted": reason}
    assert isinstance(status.body, GatewayClassBody)


def test_a_class_that_no_gate_serves_waits() -> None:
    two = (
        GATE
        + "---"
        + GATE.replace("name: public", "name: second").replace("844", "944").replace("808", "908")
    )
    statuses = told(CLASS.replace("name: gatereeve}", "name: own}"), gate=two)
    assert conditions(statuses, "GatewayClass", "own") == {"Accepted": "False Pending"}


def claimed(gate: str) -> tuple[str, ...]:
    body = find(told(CLASS, gate=gate), "GatewayClass", "gatereeve").body
    assert isinstance(body, GatewayClassBody)
    return body.features


def test_features_are_sorted_and_more_with_addresses_of_their_own() -> None:
    assert list(FEATURES) == sorted(set(FEATURES))
    assert claimed(GATE) == FEATURES
    own = claimed(GATE + "  gateways: {namespace: gatereeve}\n")
    assert list(own) == sorted(own)
    assert set(own) - set(FEATURES) == set(OWN_ADDRESSES)


def test_a_feature_whose_test_of_the_suite_fails_is_not_claimed() -> None:
    assert "HTTPRouteParentRefPort" not in (*FEATURES, *OWN_ADDRESSES)


def test_listeners_say_what_became_of_them() -> None:
    statuses = told(
        WEB,
        gateway(
            """
            {name: ok, port: 8080, protocol: HTTP, hostname: a.example},
            {name: twin, port: 8080, protocol: HTTP, hostname: a.example},
            {name: mixed, port: 8080, protocol: HTTPS},
            {name: udp, port: 53, protocol: UDP},
            {name: kinds, port: 8080, protocol: HTTP, allowedRoutes: {kinds: [{kind: TCPRoute}]}},
            {name: both, port: 8080, protocol: HTTP, hostname: b.example, allowedRoutes: {kinds: [{kind: TCPRoute}, {kind: HTTPRoute}]}},
            {name: passes, port: 8443, protocol: HTTPS, hostname: c.example, tls: {mode: Passthrough}},
            {name: gone, port: 8443, protocol: HTTPS, hostname: d.example, tls: {certificateRefs: [{name: gone}]}},
            {name: theirs, port: 8443, protocol: HTTPS, hostname: e.example, tls: {certificateRefs: [{name: x, namespace: other}]}},
            """
        ),
        http_route(TO_WEB, hosts="[a.example]", parents="[{name: gw}]"),
    )  # fmt: skip
    found = listeners(statuses, "shop/gw")
    shown = {name: said(one.conditions) for name, one in found.items()}
    assert {name: x["Accepted"] for name, x in shown.items()} == {
        "ok": "True Accepted", "twin": "False HostnameConflict", "mixed": "False PortUnavailable",
        "udp": "False UnsupportedProtocol", "kinds": "True Accepted", "both": "True Accepted",
        "passes": "False UnsupportedValue", "gone": "True Accepted", "theirs": "True Accepted",
    }  # fmt: skip
    assert {name: x["ResolvedRefs"] for name, x in shown.items() if "False" in x["ResolvedRefs"]} == {
        "kinds": "False InvalidRouteKinds", "both": "False InvalidRouteKinds",
        "gone": "False InvalidCertificateRef", "theirs": "False RefNotPermitted",
    }  # fmt: skip
    assert {name for name, x in shown.items() if x["Conflicted"].startswith("True")} == {"twin"}
    assert {name for name, x in shown.items() if x["Programmed"].startswith("True")} == {
        "ok", "kinds", "both",
    }  # fmt: skip
    assert {name for name, one in found.items() if not one.kinds} == {"udp", "kinds"}
    assert {name: one.attached for name, one in found.items() if one.attached} == {"ok": 1}
    assert conditions(statuses, "Gateway", "shop/gw")["Accepted"] == "True ListenersNotValid"


HTTP = "{name: http, port: 8080, protocol: HTTP}"


@pytest.mark.parametrize(
    ("text", "accepted", "programmed"),
    [
        (gateway(HTTP), "True Accepted", "True Programmed"),
        (gateway("{name: x, port: 53, protocol: UDP}"), "False ListenersNotValid", "False Invalid"),
        (gateway(HTTP, ", infrastructure: {parametersRef: {group: x, kind: Y, name: z}}"),
         "False InvalidParameters", "False Invalid"),
        (gateway(HTTP, ", addresses: [{type: IPAddress}]"), "True Accepted", "True Programmed"),
        (gateway(HTTP, ", addresses: [{value: 192.0.2.9}]"), "False UnsupportedAddress", "False Invalid"),
        (gateway("{name: x, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: gone}]}}"),
         "True Accepted", "False Invalid"),
    ],
)  # fmt: skip
def test_gateways(text: str, accepted: str, programmed: str) -> None:
    got = conditions(told(text), "Gateway", "shop/gw")
    assert (got["Accepted"], got["Programmed"]) == (accepted, programmed)


@pytest.mark.parametrize(
    ("facts", "programmed"),
    [
        (GateFacts(), "False Pending"),
        (GateFacts(gates=1, running=1), "False AddressNotAssigned"),
        (GateFacts(gates=1, running=1, addresses=("192.0.2.1",)), "True Programmed"),
    ],
)
def test_a_gateway_waits_for_gates_and_addresses(facts: GateFacts, programmed: str) -> None:
    world = world_of(GATE, tls_secret(), gateway(HTTP))
    made = compiler.compile(world)
    statuses = derive(world, made, RuntimeFacts(gates={"public": facts}))
    assert conditions(statuses, "Gateway", "shop/gw")["Programmed"] == programmed


@pytest.mark.parametrize(
    ("route", "accepted", "resolved"),
    [
        (http_route(TO_WEB), "True Accepted", "True ResolvedRefs"),
        (http_route(TO_WEB, parents="[{name: main, namespace: platform, sectionName: x}]"),
         "False NoMatchingParent", "True ResolvedRefs"),
        (http_route(TO_WEB, parents="[{name: main, namespace: platform, port: 99}]"),
         "False NoMatchingParent", "True ResolvedRefs"),
        (http_route("{backendRefs: [{name: gone, port: 80}]}"), "True Accepted", "False BackendNotFound"),
        (http_route("{backendRefs: [{name: web, port: 81}]}"), "True Accepted", "False BackendNotFound"),
        (http_route("{backendRefs: [{group: gatereeve.dev, kind: Model, name: gone}]}"),
         "True Accepted", "False BackendNotFound"),
        (http_route("{backendRefs: [{group: x, kind: Y, name: web, port: 80}]}"),
         "True Accepted", "False InvalidKind"),
        (http_route("{backendRefs: [{name: web, namespace: other, port: 80}]}"),
         "True Accepted", "False RefNotPermitted"),
        (http_route("{backendRefs: []}"), "True Accepted", "True ResolvedRefs"),
        (http_route("{filters: [{type: Magic}], backendRefs: [{name: web, port: 80}]}"),
         "False UnsupportedValue", "True ResolvedRefs"),
        (http_route("{backendRefs: [{name: web, port: 80}, {name: web, port: 80, weight: 0, kind: Z}]}"),
         "True Accepted", "False InvalidKind"),
    ],
)  # fmt: skip
def test_routes(route: str, accepted: str, resolved: str) -> None:
    (parent,) = parents(told(WEB, GATEWAY, route), "shop/web")
    got = said(parent.conditions)
    assert (got["Accepted"], got["ResolvedRefs"]) == (accepted, resolved)


def test_what_an_envoy_rejected_is_told_on_the_document_behind_it() -> None:
    world = world_of(GATE, EVERYTHING, tls_secret(), WEB, GATEWAY, http_route(TO_WEB), *SERVED)
    made = compiler.compile(world)
    route, first = world.http_routes["shop", "web"], world.model_versions["lending", "credit-1"]
    rejected = tuple(
        Finding(
            code=FindingCode("gate-rejected"),
            message="gate public rejected RDS http/2a: no",
            hint="its routes refuse",
            origin=doc.origin(),
        )
        for doc in (route, first)
    )
    statuses = derive(world, made, replace(settled(made), rejected=rejected))
    (parent,) = parents(statuses, "shop/web")
    (served,) = [c for c in parent.conditions if c.type.endswith("Served")]
    assert (served.status, served.reason) == ("False", "GateRejected")
    got = conditions(statuses, "ModelVersion", "lending/credit-1")
    assert got["Accepted"] == "False GateRejected"
    assert conditions(statuses, "Model", "lending/credit")["Accepted"] == "True Accepted"


def test_a_route_that_is_not_admitted_or_has_no_host_in_common() -> None:
    closed = GATEWAY.replace("from: All", "from: Same")
    (parent,) = parents(told(WEB, closed, http_route(TO_WEB)), "shop/web")
    assert said(parent.conditions)["Accepted"] == "False NotAllowedByListeners"
    named = gateway("{name: http, port: 8080, protocol: HTTP, hostname: other.example}")
    (parent,) = parents(told(WEB, named, http_route(TO_WEB, parents="[{name: gw}]")), "shop/web")
    assert said(parent.conditions)["Accepted"] == "False NoMatchingListenerHostname"


def test_a_route_without_a_grant() -> None:
    narrow = EVERYTHING.replace('["*"]', "[other.example]")
    (parent,) = parents(told(WEB, GATEWAY, http_route(TO_WEB), grant=narrow), "shop/web")
    assert said(parent.conditions)["Accepted"] == "False HostNotGranted"
    hosts = "[shop.example, other.example]"
    (parent,) = parents(
        told(WEB, GATEWAY, http_route(TO_WEB, hosts=hosts), grant=narrow), "shop/web"
    )
    got = said(parent.conditions)
    assert (got["Accepted"], got["PartiallyInvalid"]) == ("True Accepted", "True UnsupportedValue")


def test_a_rule_that_cannot_be_kept_is_told_apart_from_those_that_are() -> None:
    bad = "{matches: [{path: {value: /a;b}}], backendRefs: [{name: web, port: 80}]}"
    (parent,) = parents(told(WEB, GATEWAY, http_route(TO_WEB, bad)), "shop/web")
    told_parts = [c for c in parent.conditions if c.type == "PartiallyInvalid"]
    assert told_parts[0].message.startswith("Dropped Rule: ")


def test_losers_are_told_who_won() -> None:
    first, second = http_route(TO_WEB, name="aa"), http_route(TO_WEB, name="bb")
    statuses = told(WEB, GATEWAY, first, second)
    (winner,), (loser,) = parents(statuses, "shop/aa"), parents(statuses, "shop/bb")
    assert "gatereeve.dev/RouteRulesOverlap" not in said(winner.conditions)
    (overlap,) = [c for c in loser.conditions if c.type == "gatereeve.dev/RouteRulesOverlap"]
    assert "HTTPRoute shop/aa" in overlap.message


def test_a_governed_route_without_tls_is_told_so() -> None:
    route = http_route(
        "{backendRefs: [{group: gatereeve.dev, kind: Model, name: credit}]}", ns="lending"
    )
    (parent,) = parents(told(*SERVED[:2], GATEWAY, route, gate=BARE_GATE), "lending/web")
    assert said(parent.conditions)["gatereeve.dev/Served"] == "False TlsUnavailable"


def test_a_grant_of_references_resolves() -> None:
    there = service("web", "10.0.0.2", ns="other")
    route = http_route("{backendRefs: [{name: web, namespace: other, port: 80}]}")
    (parent,) = parents(
        told(GATEWAY, there, reference_grant("/Service", ns="other"), route), "shop/web"
    )
    assert said(parent.conditions)["ResolvedRefs"] == "True ResolvedRefs"


def test_others_are_left_alone() -> None:
    """Of a World with everything of somebody else's, nothing of theirs is spoken of."""
    theirs = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: GatewayClass
    metadata: {name: theirs}
    spec: {controllerName: example.com/other}
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: theirs, namespace: shop}
    spec: {gatewayClassName: theirs, listeners: [{name: http, port: 8080, protocol: HTTP}]}
    ---
    apiVersion: networking.k8s.io/v1
    kind: IngressClass
    metadata: {name: nginx}
    spec: {controller: k8s.io/ingress-nginx}
    """
    nginx = ingress("theirs", f"Prefix / {to_service('web')}").replace("gatereeve", "nginx")
    both = http_route(
        TO_WEB, name="both", parents="[{name: theirs}, {name: main, namespace: platform}]"
    )
    only = http_route(TO_WEB, name="only", parents="[{name: theirs}]")
    nobody = http_route(TO_WEB, name="nobody", parents="[{name: gone}]")
    statuses = told(WEB, GATEWAY, theirs, nginx, both, only, nobody)
    spoken = {(s.ref.kind, s.ref.short) for s in statuses}
    assert spoken == {
        ("Gate", "public"), ("HostGrant", "everything"), ("Gateway", "platform/main"),
        ("HTTPRoute", "shop/both"),
    }  # fmt: skip
    (parent,) = parents(statuses, "shop/both")
    assert (parent.name, parent.namespace) == ("main", "platform")


def test_messages_are_bounded() -> None:
    rules = [
        f"{{backendRefs: [{{name: web, port: 80}}], filters: [{{type: {'X' * 200}{n}}}]}}"
        for n in range(9)
    ]
    (parent,) = parents(told(WEB, GATEWAY, http_route(*rules)), "shop/web")
    assert all(len(c.message) <= MAX_MESSAGE for c in parent.conditions)


def test_an_empty_world_says_nothing() -> None:
    world = World(at=world_of().at)
    assert derive(world, compiler.compile(world), RuntimeFacts()) == ()
