"""CEL in the CRDs and the validators beside them: the API server and the compiler read alike.

Documents are bent at random, by a fixed seed: fields removed, given twice, emptied, swapped for those
of their neighbours. Whatever comes out, both accept it or both refuse it.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from gatereeve.api import objects, registry
from tests.cluster.api import Api

pytestmark = pytest.mark.usefixtures("crds")

ZEROS = "sha256:" + "0" * 64
CASES = 60
"""Bent documents of each kind."""

WHOLE = f"""\
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {{name: gate}}
spec:
  region: de
  https: {{port: 8443}}
  http: {{port: 8080}}
  identity:
    jwt:
      - name: corp
        issuer: https://id.example.com
        audiences: [models]
        jwks: {{inline: "{{}}"}}
      - name: other
        issuer: https://other.example.com
        audiences: [models]
        jwks: {{remote: {{uri: "https://other.example.com/keys", ca: {{file: ca.pem}}}}}}
    apiKeys:
      name: partners
      header: x-partner
      keys: [{{id: acme, secret: {{namespace: infra, name: acme}}}}]
    mtls:
      name: mesh
      ca: {{secret: {{namespace: infra, name: ca}}, key: ca.crt}}
      identities:
        - {{id: pricing, uri: "spiffe://x/pricing"}}
        - {{id: billing, dns: billing.example.com}}
  attributes:
    region:
      - claim: {{provider: corp, claim: region}}
      - header: {{name: x-region, from: [10.0.0.0/8]}}
      - cidrs: [{{region: de, cidrs: [192.0.2.0/24]}}]
      - geoip: {{database: geo.mmdb}}
    purpose:
      - claim: {{provider: corp, claim: purpose}}
      - header: {{name: x-purpose, from: [10.0.0.0/8]}}
  governance:
    platform: [{{group: platform}}, {{user: petra}}]
    approvers: [{{roles: [risk], people: [{{serviceAccount: {{namespace: ci, name: bot}}}}]}}]
    breakGlass: {{users: [selma], maxHours: 2}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {{name: grant}}
spec:
  namespaceSelector: {{matchLabels: {{team: lending}}, all: false}}
  hosts: [credit.example.com, "*.lending.example.com", "*"]
  paths: [/v1]
  governance: {{developers: [{{group: ml}}], pipelines: [{{user: bot}}]}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {{name: credit, namespace: default}}
spec:
  owner: anna
  purpose: credit
  riskClass: high
  protocol: kserve-v2
  fields: [{{name: age, path: age, role: protected}}]
  residency: [{{from: ["*"], process: [eu]}}]
---
apiVersion: gatereeve.dev/v1alpha1
kind: ModelVersion
metadata: {{name: credit-v1, namespace: default}}
spec:
  model: credit
  version: v1
  author: ben
  artifact: {{digest: "{ZEROS}"}}
  region: de
  backend: {{service: credit, port: 80}}
  health: {{path: /ready}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Approval
metadata: {{name: a, namespace: default}}
spec:
  subject: {{name: credit-v1, digest: "{ZEROS}"}}
  role: owner
  decision: approve
  approver: anna
  reason: looked at it closely
  breakGlass: {{since: "2026-11-01T00:00:00Z", until: "2026-11-01T02:00:00Z"}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: AccessPolicy
metadata: {{name: credit, namespace: default}}
spec:
  models: [credit]
  deny:
    - {{name: no, regions: [ru], subjects: [{{group: corp/x}}]}}
  allow:
    - subjects: [{{principal: corp/anna}}, {{provider: corp}}, {{anonymous: true}}, {{group: corp/ml}}]
      purposes: [scoring]
      operations: [infer]
      limits: {{requests: {{count: 5}}}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Rollout
metadata: {{name: credit, namespace: default}}
spec:
  model: credit
  match:
    - {{groups: [corp/testers], version: v2}}
    - {{headers: {{x-try: "1"}}, version: v2}}
    - {{regions: [de], version: v1}}
  split: [{{version: v1, weight: 90}}, {{version: v2, weight: 10}}]
"""

EXTRA: dict[str, list[Any]] = {
    "secret": [{"namespace": "infra", "name": "ca"}],
    "file": ["ca.pem"],
    "inline": ["{}"],
    "remote": [{"uri": "https://x.example.com/k"}],
    "source": [{"file": "k.json"}],
    "uri": ["spiffe://x/y"],
    "dns": ["a.example.com"],
    "claim": [{"provider": "corp", "claim": "c"}],
    "header": ["x-key", "cookie", "X-Envoy-a", {"name": "Host", "from": ["10.0.0.0/8"]}],
    "geoip": [{"database": "g.mmdb"}],
    "name": ["corp", "partners", "mesh", "x-forwarded-for", "x-fine"],
    "issuer": ["https://id.example.com"],
    "endpoints": [[{"address": "127.0.0.1", "port": 1}], []],
    "backend": [{"service": "s", "port": "http"}],
    "selector": [{"all": True}, {}, {"matchLabels": {}}, {"matchLabels": {"a": "b"}}],
    "models": [["credit"], []],
    "matchLabels": [{}, {"a": "b"}],
    "all": [True, False],
    "user": ["otto", "system:anonymous"],
    "group": [
        "corp/g",
        "plain",
        "system:authenticated",
        "system:masters",
        "System:Unauthenticated",
    ],
    "owner": ["otto", "system:anonymous"],
    "author": ["otto", "system:unauthenticated"],
    "approver": ["otto", "SYSTEM:anonymous"],
    "users": [["otto"], ["otto", "system:anonymous"]],
    "serviceAccount": [{"namespace": "ci", "name": "x"}],
    "principal": ["corp/anna"],
    "provider": ["corp"],
    "anonymous": [True],
    "groups": [["corp/a"], ["plain"], []],
    "regions": [["de"], []],
    "headers": [{"x-a": "1"}, {}, {"x_a": "1"}, {"": "1"}],
    "version": ["v1", "v2"],
    "weight": [0, 1, 10000],
    "decision": ["approve", "reject"],
    "expires": ["2027-01-01T00:00:00Z"],
    "since": ["2026-11-01T01:00:00Z", "2026-11-02T00:00:00Z"],
    "until": ["2026-11-01T00:00:00Z", "2026-11-01T02:00:00+01:00"],
    "reason": ["short", "long enough, this"],
    "https": [{"port": 8443}],
    "gateways": [{"namespace": "infra"}, {"namespace": "infra", "firstPort": 8000}],
    "firstPort": [8000, 60000, 65000],
    "purposes": [["x"]],
    "operations": [["infer"]],
    "subjects": [[{"provider": "corp"}], []],
}
"""Values for fields of these names: right, wrong, and those of the other choice."""

DOCUMENTS: dict[str, dict[str, Any]] = {d["kind"]: d for d in yaml.safe_load_all(WHOLE)}
for _document in DOCUMENTS.values():  # times are text, as in JSON
    _glass = _document["spec"].get("breakGlass")
    assert _glass is None or isinstance(_glass["until"], str)


def places(value: Any) -> Iterator[Any]:
    """Every mapping and list inside."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from places(inner)


def bend(document: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """One to three changes of the spec."""
    bent = copy.deepcopy(document)
    for _ in range(draw.randint(1, 3)):
        here = draw.choice(list(places(bent["spec"])))
        if isinstance(here, list):
            if here and draw.random() < 0.5:
                here.append(copy.deepcopy(draw.choice(here)))
            elif here:
                here.pop(draw.randrange(len(here)))
        elif draw.random() < 0.4 and here:
            del here[draw.choice(sorted(here))]
        else:
            near = [name for name in EXTRA if name in _neighbours(here)]
            name = draw.choice(near or sorted(EXTRA))
            here[name] = copy.deepcopy(draw.choice(EXTRA[name]))
    return bent


def _fields() -> list[set[str]]:
    found: list[set[str]] = []

    def walk(part: type[BaseModel]) -> None:
        found.append({f.alias or n for n, f in part.model_fields.items()})
        for field in part.model_fields.values():
            for inner in _models(field.annotation):
                walk(inner)

    for kind in registry.KINDS:
        if kind.ours:
            walk(kind.spec)
    return found


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    import typing  # noqa: PLC0415 - only here

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models(argument)


FIELDS = _fields()


def _neighbours(here: dict[str, Any]) -> set[str]:
    """Fields of the parts that `here` may be: where a mistake would be made."""
    return set().union(*(fields for fields in FIELDS if set(here) <= fields and here), set())


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_both_read_alike(admin: Api, kind: str) -> None:
    draw = random.Random(kind)
    verdicts = set()
    for number in range(CASES):
        document = bend(DOCUMENTS[kind], draw) if number else DOCUMENTS[kind]
        ours = objects.read(document)
        answer = admin.create(document, query={"dryRun": "All", "fieldValidation": "Strict"})
        verdicts.add(answer.accepted)
        assert answer.accepted == (ours.doc is not None), (
            yaml.safe_dump(document["spec"]),
            answer.message,
            [str(finding.message) for finding in ours.findings],
        )
    assert verdicts == {True, False}, "the cases show both"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("ModelVersion", {"region": "us"}),
        ("ModelVersion", {"bounds": {"requests": 7}}),
        ("ModelVersion", {"health": None}),
        ("Approval", {"decision": "reject"}),
        ("Approval", {"approver": "olga"}),
        ("Approval", {"breakGlass": {"until": "2026-11-01T03:00:00Z"}}),
    ],
)
def test_what_was_decided_or_built_stays(admin: Api, kind: str, change: dict[str, Any]) -> None:
    document = {**DOCUMENTS[kind], "metadata": {"name": "kept"}}
    admin.create(document).ok()

    answer = admin.patch(document, {"spec": change})
    assert answer.status == 422
    assert "immutable" in answer.message
    assert admin.patch(document, {"metadata": {"labels": {"a": "b"}}}).accepted


def test_every_validator_has_its_rules() -> None:
    """A validator without CEL beside it is a rule that the API server does not know."""
    from gatereeve.api import crd  # noqa: PLC0415 - only here

    lacking = []

    def walk(part: type[BaseModel]) -> None:
        decorators = part.__pydantic_decorators__
        if decorators.model_validators or decorators.field_validators:
            lacking.append(part.__name__)  # only a `spec.Rule` makes both
        for field in part.model_fields.values():
            for inner in _models(field.annotation):
                walk(inner)

    for kind in registry.KINDS:
        if kind.ours:
            walk(kind.spec)
    assert not lacking
    assert all("x-kubernetes-validations" in text for name, text in crd.crds().items()
               if "models.yaml" not in name and "guard" not in name)  # fmt: skip
