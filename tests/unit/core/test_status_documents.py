"""Statuses as JSON: times that stay, entries of others that stay, fields as the CRDs name them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gatereeve.core import status_documents
from gatereeve.core.conditions import (
    CONTROLLER,
    Body,
    BrokenBody,
    Condition,
    GatewayBody,
    GatewayClassBody,
    IngressBody,
    ListenerStatus,
    ModelVersionBody,
    ObjectStatus,
    ParentStatus,
    RouteBody,
)
from gatereeve.core.refs import Ref
from gatereeve.core.status_documents import withdrawn

HOSTILE: tuple[Any, ...] = ("x", [], {"conditions": 7}, {"conditions": [None, 3, {"type": []}]})
NOON = datetime(2026, 11, 27, 12, 0, 5, 900_000, tzinfo=UTC)
LATER = datetime(2026, 11, 27, 13, tzinfo=UTC)
YES = Condition(type="Accepted", status="True", reason="Accepted")
NO = Condition(type="Accepted", status="False", reason="InvalidField", message="it is soap")


def status(body: Body, *conditions: Condition, generation: int = 3) -> ObjectStatus:
    return ObjectStatus(
        ref=Ref("g", "K", "ns", "n"),
        uid="u",
        generation=generation,
        conditions=conditions,
        body=body,
    )


def document(wanted: ObjectStatus, existing: Any, now: datetime) -> Any:
    """As an API server would hold it."""
    return json.loads(json.dumps(status_documents.document(wanted, existing, now)))


VERSION = status(ModelVersionBody(digest="sha256:d", gates=("public",)), YES)


def test_a_new_status() -> None:
    assert document(VERSION, None, NOON) == {
        "observedGeneration": 3,
        "digest": "sha256:d",
        "gates": ["public"],
        "conditions": [
            {
                "type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
                "lastTransitionTime": "2026-11-27T12:00:05Z", "observedGeneration": 3,
            }
        ],
    }  # fmt: skip


def test_the_time_stays_while_the_status_does() -> None:
    before = document(VERSION, None, NOON)
    assert document(VERSION, before, LATER) == before
    told = replace(VERSION, generation=4, conditions=(replace(YES, message="but"),))
    (condition,) = document(told, before, LATER)["conditions"]
    assert condition["lastTransitionTime"] == "2026-11-27T12:00:05Z"
    assert condition["observedGeneration"] == 4
    (condition,) = document(replace(VERSION, conditions=(NO,)), before, LATER)["conditions"]
    assert condition["lastTransitionTime"] == "2026-11-27T13:00:00Z"


def test_what_cannot_be_read_counts_as_absent() -> None:
    fresh = document(VERSION, None, NOON)
    for there in HOSTILE:
        assert document(VERSION, there, NOON) == fresh


def test_an_unknown_generation_is_not_claimed() -> None:
    made = document(status(BrokenBody(), NO, generation=0), None, NOON)
    assert "observedGeneration" not in made
    assert "observedGeneration" not in made["conditions"][0]


PARENT = ParentStatus(
    group="gateway.networking.k8s.io", kind="Gateway", namespace=None, name="main",
    section="web", port=None, conditions=(YES,),
)  # fmt: skip


def test_entries_of_other_controllers_stay() -> None:
    theirs: dict[str, Any] = {
        "controllerName": "example.com/other",
        "parentRef": {"name": "main"},
        "conditions": [],
    }
    gone: dict[str, Any] = {
        "controllerName": CONTROLLER,
        "parentRef": {"name": "old"},
        "conditions": [],
    }
    route = status(RouteBody(parents=(PARENT,)))
    made = document(route, {"parents": [gone, theirs]}, NOON)
    first, second = made["parents"]
    assert first == theirs
    assert second["parentRef"] == {
        "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "main", "sectionName": "web",
    }  # fmt: skip
    assert document(route, made, LATER) == made
    assert withdrawn(made) == {"parents": [theirs]}
    assert withdrawn({"parents": [theirs]}) is None
    assert withdrawn(None) is None


def test_parents_that_differ_in_their_section_are_two() -> None:
    other = replace(PARENT, section="api", conditions=(NO,))
    made = document(status(RouteBody(parents=(PARENT, other))), None, NOON)
    changed = replace(other, conditions=(YES,))
    after = document(status(RouteBody(parents=(PARENT, changed))), made, LATER)
    times = [p["conditions"][0]["lastTransitionTime"] for p in after["parents"]]
    assert times == ["2026-11-27T12:00:05Z", "2026-11-27T13:00:00Z"]


def test_gateways_and_classes() -> None:
    listener = ListenerStatus(
        name="web", kinds=(("gateway.networking.k8s.io", "HTTPRoute"),), attached=2, conditions=(YES,)
    )  # fmt: skip
    made = document(
        status(GatewayBody(addresses=("192.0.2.1", "a.example"), listeners=(listener,)), YES),
        None,
        NOON,
    )
    assert made["addresses"] == [
        {"type": "IPAddress", "value": "192.0.2.1"}, {"type": "Hostname", "value": "a.example"},
    ]  # fmt: skip
    (told,) = made["listeners"]
    assert told["attachedRoutes"] == 2
    assert told["supportedKinds"] == [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}]
    made = document(status(GatewayClassBody(features=("Gateway", "HTTPRoute")), YES), None, NOON)
    assert made["supportedFeatures"] == [{"name": "Gateway"}, {"name": "HTTPRoute"}]


def test_an_ingress_has_addresses_and_nothing_else() -> None:
    made = document(status(IngressBody(addresses=("2001:db8::1", "lb.example"))), None, NOON)
    assert made == {
        "loadBalancer": {"ingress": [{"ip": "2001:db8::1"}, {"hostname": "lb.example"}]}
    }
    assert document(status(IngressBody(addresses=())), made, NOON) == {
        "loadBalancer": {"ingress": []}
    }
