"""What facts of a cluster mean for an installation."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from gatereeve.admission.installation import check_installation, contains
from gatereeve.core.installation import ClusterFacts, Gateways, Verdict
from gatereeve.runtime.installation_check import our_definitions

OURS = our_definitions()
WHOLE = ClusterFacts(
    version="v1.36.3",
    definitions=OURS,
    gateways=Gateways(bundle="v1.6.1", channel="standard"),
    admission=frozenset({"validatingadmissionpolicies", "mutatingadmissionpolicies"}),
    metrics=True,
)


def verdicts(facts: ClusterFacts) -> dict[str, Verdict]:
    """What is not fine."""
    return {
        one.about: one.verdict
        for one in check_installation(facts, OURS)
        if one.verdict is not Verdict.FINE
    }


def test_nothing_is_missing_where_everything_is() -> None:
    assert verdicts(WHOLE) == {}


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ("v1.29.15", Verdict.MISSING),
        ("v1.30.0", None),
        ("v1.36.3-gke.1200", None),
        ("v1.100.0", None),
        ("v2.0.0", None),
        ("v0.0.0-master", Verdict.MISSING),
        ("", Verdict.UNKNOWN),
        ("main", Verdict.UNKNOWN),
    ],
)
def test_versions(version: str, verdict: Verdict | None) -> None:
    assert verdicts(replace(WHOLE, version=version)).get("Kubernetes") is verdict


def test_no_kinds_yet_is_fine_and_some_is_not() -> None:
    none: dict[str, Any] = dict.fromkeys(OURS)
    assert "kinds" not in verdicts(replace(WHOLE, definitions=none))
    assert "kinds" not in verdicts(replace(WHOLE, definitions={}))
    some = dict(OURS) | {"models.gatereeve.dev": None}
    (kinds,) = [
        one
        for one in check_installation(replace(WHOLE, definitions=some), OURS)
        if one.about == "kinds"
    ]
    assert kinds.verdict is Verdict.MISSING
    assert kinds.state == "missing: models.gatereeve.dev"
    assert "gatereeve install crds" in kinds.hint


def edited(edit: str) -> dict[str, Any]:
    there: dict[str, Any] = copy.deepcopy(dict(OURS))
    version = there["models.gatereeve.dev"]["spec"]["versions"][0]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    if edit == "a field is gone":
        del spec["properties"]["owner"]
    elif edit == "a field more":
        spec["properties"]["back"] = {"type": "string"}
    elif edit == "a bound is wider":
        spec["properties"]["owner"]["maxLength"] = 10**6
    elif edit == "no status":
        version["subresources"] = {}
    elif edit == "a rule is gone":
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["required"].pop()
    else:  # what the API server itself adds
        there["models.gatereeve.dev"]["status"] = {"storedVersions": ["v1alpha1"]}
        there["models.gatereeve.dev"]["spec"]["conversion"] = {"strategy": "None"}
        there["models.gatereeve.dev"]["metadata"]["uid"] = "1"
    return there


@pytest.mark.parametrize(
    "edit",
    [
        "a field is gone",
        "a field more",
        "a bound is wider",
        "no status",
        "a rule is gone",
        "nothing",
    ],
)
def test_a_definition_is_ours_or_another(edit: str) -> None:
    found = verdicts(replace(WHOLE, definitions=edited(edit)))
    assert found == ({} if edit == "nothing" else {"kinds": Verdict.MISSING})


def test_what_carries_what() -> None:
    assert contains({"a": 1, "b": 2}, {"a": 1})
    assert not contains({"a": 1}, {"a": 1, "b": None})
    assert not contains([1, 2], [1])
    assert not contains({"properties": {"a": 1, "b": 1}}, {"properties": {"a": 1}})
    assert not contains("x", {"a": 1})
    assert not contains(None, [])


@pytest.mark.parametrize(
    ("admission", "verdict"),
    [
        (frozenset[str](), Verdict.MISSING),
        (frozenset({"validatingadmissionpolicies"}), Verdict.DEGRADED),
        (frozenset({"mutatingadmissionpolicies"}), Verdict.MISSING),
    ],
)
def test_admission_policies(admission: frozenset[str], verdict: Verdict) -> None:
    assert verdicts(replace(WHOLE, admission=admission)) == {"admission policies": verdict}


@pytest.mark.parametrize(
    "gateways",
    [None, Gateways(bundle="v1.4.0", channel="standard"), Gateways(bundle="", channel="")],
)
def test_gateway_api_may_be_absent_or_old(gateways: Gateways | None) -> None:
    assert verdicts(replace(WHOLE, gateways=gateways)) == {"Gateway API": Verdict.DEGRADED}


def test_rights_and_metrics() -> None:
    assert verdicts(replace(WHOLE, metrics=False)) == {"metrics": Verdict.DEGRADED}
    refused = replace(WHOLE, refused=("create services in x", "create roles in x"))
    (rights,) = [one for one in check_installation(refused, OURS) if one.about == "rights"]
    assert rights.verdict is Verdict.MISSING
    assert rights.state == "you may not create services in x; create roles in x"


def test_what_could_not_be_asked_is_never_fine() -> None:
    for about in ("rights", "kinds", "admission policies", "Gateway API", "metrics"):
        assert verdicts(replace(WHOLE, unknown={about: "403"})) == {about: Verdict.UNKNOWN}
