"""A guarded cluster for tests: documents that name people, and their guards, put into an API server.

The people are those of `tests.cluster.users`. Guards are cluster-wide, so whoever puts them in takes
them out again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gatereeve.admission.guards.generate import make_guards
from gatereeve.admission.guards.settings import GuardSettings, Object
from tests.cluster import waiting
from tests.cluster.api import Api
from tests.support.worlds import world_of

DIGEST = "sha256:" + "a" * 64

DOCUMENTS = """\
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec:
  region: de
  classes: [gatereeve]
  https: {port: 8443}
  http: {port: 8080}
  governance:
    platform: [{group: platform}]
    auditors: [{group: audit}]
    approvers:
      - {roles: [risk], people: [{group: risk}]}
      - {roles: [privacy], people: [{user: piet}]}
    breakGlass: {users: [selma], maxHours: 2}
---
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: lending}
spec:
  namespaceSelector: {matchLabels: {team: lending}}
  hosts: [credit.example.com, "*.lending.example.com"]
  paths: [/v1, /v2]
  governance:
    developers: [{group: ml-team}]
    pipelines: [{group: pipeline}]
    approvers: [{roles: [owner], people: [{user: max}, {user: selma}]}]
---
apiVersion: v1
kind: Namespace
metadata: {name: lending, labels: {team: lending}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: infra}
spec:
  gatewayClassName: gatereeve
  listeners:
    - {name: https, port: 8443, protocol: HTTPS, allowedRoutes: {namespaces: {from: All}}}
    - {name: one, port: 8443, protocol: HTTPS, hostname: credit.example.com, allowedRoutes: {namespaces: {from: All}}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: credit, namespace: lending}
spec: {owner: max, purpose: lending, riskClass: high, protocol: kserve-v2}
---
apiVersion: gatereeve.dev/v1alpha1
kind: ModelVersion
metadata: {name: credit-v0, namespace: lending}
spec:
  model: credit
  version: v0
  author: mira
  artifact: {digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
  region: de
  backend: {service: credit, port: 80}
"""

NAMESPACES = ("gatereeve-system", "lending", "shop", "infra", "elsewhere")
LABELS = {"lending": {"team": "lending"}, "shop": {"team": "shop"}}


def generated(documents: str = DOCUMENTS, **settings: Any) -> tuple[Object, ...]:
    world = world_of(documents)
    assert not world.findings, world.findings
    return make_guards(world, GuardSettings(**{"webhook": False, **settings}))


def parameters_of(namespace: str) -> dict[str, Any]:
    """The GuardParameters of one namespace."""
    found: list[dict[str, Any]] = [{**one} for one in generated()]
    return next(
        one
        for one in found
        if one["kind"] == "GuardParameters" and one["metadata"]["namespace"] == namespace
    )


@contextmanager
def guarded(root: Api, objects: tuple[Object, ...], *more: str) -> Iterator[None]:
    """The guards are in force inside, and gone afterwards. more: namespaces that they speak of."""
    for name in (*NAMESPACES, *more):
        root.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": LABELS.get(name, {})},
            }
        ).ok()
    try:
        for one in objects:
            root.apply(one).ok()
        for probe in PROBES:
            waiting.until(lambda probe=probe: _refused(root, probe), f"{probe[1]} is refused")  # type: ignore[misc]  # bound by default
        waiting.until(lambda: _stamped(root), "changes are stamped")
        yield
    finally:
        policies = ("MutatingAdmissionPolicyBinding", "ValidatingAdmissionPolicyBinding")
        for one in sorted(objects, key=lambda o: o["kind"] not in policies):
            if one["kind"] != "GuardParameters":
                root.delete(one)
        waiting.until(lambda: _is_free(root), "the guards are gone")
        for one in objects:
            root.delete(one)


def _refused(root: Api, probe: tuple[str, str]) -> bool:
    answer = root.apply(probe[0], query={"dryRun": "All"})
    return probe[1] in answer.message


def _is_free(root: Api) -> bool:
    """Whether no policy speaks any more: the API server forgets them one by one, some later."""
    answer = root.apply(MODEL, query={"dryRun": "All"})
    stamped = "gatereeve.dev/changed-by" in answer.body.get("metadata", {}).get("annotations", {})
    return answer.accepted and not stamped and not any(_refused(root, one) for one in PROBES)


def _stamped(root: Api) -> bool:
    answer = root.apply(MODEL, query={"dryRun": "All"})
    return (
        answer.accepted
        and answer.body["metadata"].get("annotations", {}).get("gatereeve.dev/changed-by")
        == "admin"
    )


def _document(kind: str, name: str, spec: str, namespace: str = "lending") -> str:
    return (
        f"apiVersion: gatereeve.dev/v1alpha1\nkind: {kind}\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
    )


def model(name: str = "credit", risk: str = "high", **changes: str) -> str:
    return _document(
        "Model",
        name,
        f"{{owner: max, purpose: lending, riskClass: {risk}, protocol: kserve-v2}}",
        **changes,
    )


def version(name: str = "credit-v1", author: str = "mira", **changes: str) -> str:
    return _document(
        "ModelVersion",
        name,
        f'{{model: credit, version: v1, author: {author}, artifact: {{digest: "{DIGEST}"}},'
        " region: de, backend: {service: credit, port: 80}}",
        **changes,
    )


def approval(
    approver: str, role: str = "owner", *, more: str = "", name: str = "a", **changes: str
) -> str:
    return _document(
        "Approval",
        name,
        f'{{subject: {{name: credit-v1, digest: "{DIGEST}"}}, role: {role}, decision: approve,'
        f" approver: '{approver}', reason: looked at it closely{more}}}",
        **changes,
    )


def ingress(
    *,
    host: str = "credit.example.com",
    path: str = "/v1",
    backend: str = "{service: {name: other, port: {number: 80}}}",
    annotations: str = "{}",
    spec: str = "ingressClassName: gatereeve",
    rules: str = "",
    tls: str = "",
    namespace: str = "lending",
    kind: str = "Prefix",
) -> str:
    at = f"host: {host!r}, " if host else ""
    rules = rules or (
        f"[{{{at}http: {{paths: [{{path: {path!r}, pathType: {kind}, backend: {backend}}}]}}}}]"
    )
    return (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"
        f"metadata: {{name: credit, namespace: {namespace}, annotations: {annotations}}}\n"
        f"spec: {{{spec}, rules: {rules}{', tls: ' + tls if tls else ''}}}\n"
    )


TO_MODEL = "{resource: {apiGroup: gatereeve.dev, kind: Model, name: credit}}"
TLS = "[{secretName: cert, hosts: [credit.example.com]}]"


def http_route(
    *,
    hosts: str = "[credit.example.com]",
    rules: str = "[{matches: [{path: {type: PathPrefix, value: /v1}}], backendRefs: [{name: other, port: 80}]}]",
    parent: str = "{name: web, namespace: infra}",
    version: str = "v1",
) -> str:
    return (
        f"apiVersion: gateway.networking.k8s.io/{version}\nkind: HTTPRoute\n"
        "metadata: {name: credit, namespace: lending}\n"
        f"spec: {{parentRefs: [{parent}], hostnames: {hosts}, rules: {rules}}}\n"
    )


def gateway(
    *,
    host: str = "",
    tls: str = "{certificateRefs: [{name: c}]}",
    namespace: str,
    protocol: str = "HTTPS",
) -> str:
    named = f"hostname: {host!r}, " if host else ""
    return (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
        f"metadata: {{name: own, namespace: {namespace}}}\n"
        "spec: {gatewayClassName: gatereeve, listeners:"
        f" [{{name: a, port: 8443, protocol: {protocol}, {named}tls: {tls}}}]}}\n"
    )


MODEL = model("probe", "minimal")

PROBES = (
    (ingress(host="other.example.com"), "host-not-granted"),
    (http_route(hosts="[other.example.com]"), "host-not-granted"),
    (gateway(host="other.example.com", namespace="lending"), "host-not-granted"),
    (approval("mallory"), "approver-not-you"),
    (version(author="mallory"), "author-not-you"),
    (approval("admin", namespace="elsewhere"), "namespace-unguarded"),
)
"""Documents that the administrator cannot bring in while the guards are in force, and the reasons."""
