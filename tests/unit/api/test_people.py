"""Callers that the API server could not authenticate are nobody, wherever a document names people."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from gatereeve.api import people
from tests.support.worlds import world_of

DOCUMENTS = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec:
  region: de
  http: {port: 8080}
  governance:
    platform: [{user: pia}, {group: platform}]
    auditors: [{user: aude}]
    approvers: [{roles: [risk], people: [{group: risk}]}]
    breakGlass: {users: [otto]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: shop}
spec:
  namespaceSelector: {all: true}
  hosts: [shop.example]
  governance:
    developers: [{group: developers}]
    pipelines: [{user: ci}]
    approvers: [{roles: [owner], people: [{user: olga}]}]
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: offers, namespace: shop}
spec: {owner: olga, purpose: offers, riskClass: limited, protocol: json}
---
apiVersion: gatereeve.dev/v1alpha1
kind: ModelVersion
metadata: {name: offers-1, namespace: shop}
spec:
  model: offers
  version: "1"
  author: mia
  artifact: {digest: "sha256:DIGEST"}
  region: de
  backend: {service: offers, port: 80}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Approval
metadata: {name: a, namespace: shop}
spec:
  subject: {kind: ModelVersion, name: offers-1, digest: "sha256:DIGEST"}
  role: owner
  decision: approve
  approver: olga
  reason: looked at it
""".replace("DIGEST", "0" * 64)
PLACES = (
    "Gate.governance.platform.0.user", "Gate.governance.platform.1.group",
    "Gate.governance.auditors.0.user", "Gate.governance.approvers.0.people.0.group",
    "Gate.governance.breakGlass.users.0", "HostGrant.governance.developers.0.group",
    "HostGrant.governance.pipelines.0.user", "HostGrant.governance.approvers.0.people.0.user",
    "Model.owner", "ModelVersion.author", "Approval.approver",
)  # fmt: skip


def renamed(place: str, name: str) -> tuple[str, ...]:
    kind, *path, last = place.split(".")
    documents = copy.deepcopy(list(yaml.safe_load_all(DOCUMENTS)))
    part: Any = next(one for one in documents if one["kind"] == kind)["spec"]
    for step in path:
        part = part[int(step) if step.isdigit() else step]
    part[int(last) if last.isdigit() else last] = name
    return tuple(yaml.safe_dump(one) for one in documents)


@pytest.mark.parametrize("place", PLACES)
def test_nobody_is_no_person_of_any_document(place: str) -> None:
    assert world_of(DOCUMENTS).findings == ()
    for name in (*people.ANONYMOUS_NAMES, "System:Anonymous", "system\uff1aanonymous"):
        world = world_of(*renamed(place, name))
        assert {finding.code for finding in world.findings} == {"invalid-field"}, name
        told = [finding.message + finding.hint for finding in world.findings]
        assert any("callers without a credential" in text for text in told)
    for name in ("system:serviceaccount:ci:builder", "system:anonymous2", "anonymous"):
        assert world_of(*renamed(place, name)).findings == ()
