"""Two teams in one World: `fine`, whose documents are good, and `evil`, whose documents may be bad.

Each has hosts of its own, a model with a high bar, a website, and a share in the platform's
Gateway. `slice_of` is everything that a gate does for one team's hosts, for the law that no document
of one team touches the other: equal bytes with the bad document and without it.
"""

from __future__ import annotations

from gatereeve.compile import compiler, digests
from gatereeve.compile.backends import addresses
from gatereeve.compile.compiler import Compiled
from gatereeve.ir.clusters import Cluster
from gatereeve.ir.routes import Forward, Route
from tests.support.routes import (
    GATE,
    GATEWAY,
    at,
    http_route,
    ingress,
    model,
    service,
    tls_secret,
    to_model,
    to_service,
    version,
)
from tests.support.worlds import world_of

FINE, EVIL = "fine", "evil"
MODEL_ADDRESSES = {FINE: "10.1.0.1", EVIL: "10.2.0.1"}
MODEL_PORT = 9000
WEB_ADDRESSES = {FINE: "10.1.0.9", EVIL: "10.2.0.9"}
NETWORKS = {FINE: "10.1.0.0/16", EVIL: "10.2.0.0/16"}
VIRTUAL = {FINE: "10.96.0.1", EVIL: "10.96.0.2"}


def grant(ns: str, hosts: str, paths: str = '["/"]', name: str = "") -> str:
    return f"""
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {{name: {name or ns}}}
spec:
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {ns}}}}}
  hosts: {hosts}
  paths: {paths}
  backends: {{selector: {{all: true}}}}
  addresses: [{{cidr: {NETWORKS.get(ns, "10.9.0.0/16")}}}]
"""


def approval(
    ns: str,
    name: str,
    *,
    role: str = "owner",
    approver: str = "olga",
    decision: str = "approve",
    digest: str | None = None,
    subject: str = "credit-1",
    more: str = "",
) -> str:
    """digest: of the team's version as it is, unless given."""
    return f"""
apiVersion: gatereeve.dev/v1alpha1
kind: Approval
metadata: {{name: {name}, namespace: {ns}}}
spec:
  subject: {{name: {subject}, digest: "{digest or digest_of(ns)}"}}
  role: {role}
  decision: {decision}
  approver: {approver}
  reason: looked at it{more}
"""


def digest_of(ns: str) -> str:
    return world_of(its_version(ns)).model_versions[ns, "credit-1"].digest


def its_version(ns: str) -> str:
    return version("credit", "1", at(MODEL_ADDRESSES[ns], MODEL_PORT), ns=ns)


def rollout(ns: str, spec: str = '{model: credit, split: [{version: "1", weight: 1}]}') -> str:
    return f"""
apiVersion: gatereeve.dev/v1alpha1
kind: Rollout
metadata: {{name: credit, namespace: {ns}}}
spec: {spec}
"""


def namespace(ns: str, labels: str = "{}") -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {ns}, labels: {labels}}}\n"


def of_team(ns: str) -> tuple[str, ...]:
    """All its documents, one per text."""
    texts = (
        namespace(ns, f"{{team: {ns}}}"),
        grant(ns, f'["{ns}.example", "*.{ns}.example"]'),
        model("credit", ns).replace("riskClass: minimal", "riskClass: limited"),
        its_version(ns),
        approval(ns, "credit-1-owner"),
        rollout(ns),
        service("web", WEB_ADDRESSES[ns], ns=ns, extra=f', clusterIP: "{VIRTUAL[ns]}"'),
        tls_secret("tls", ns, (f"{ns}.example", f"*.{ns}.example")),
        ingress("model", f"Prefix / {to_model()}", host=f"{ns}.example", ns=ns),
        ingress(
            "web",
            f"Prefix / {to_service('web')}",
            host=f"www.{ns}.example",
            ns=ns,
            more=f", tls: [{{hosts: [www.{ns}.example], secretName: tls}}]",
        ),
        http_route(
            "{matches: [{path: {value: /api}}], backendRefs: [{name: web, port: 80}]}",
            "{matches: [{path: {value: /v2}}], backendRefs: [{group: gatereeve.dev, kind: Model, name: credit}]}",
            name="api",
            ns=ns,
            hosts=f"[api.{ns}.example]",
        ),
    )
    return tuple(part for text in texts for part in text.split("\n---\n"))


SHARED = (GATE, GATEWAY, tls_secret(names=("fine.example", "*.fine.example", "evil.example")))
BASE = (*SHARED, *of_team(FINE), *of_team(EVIL))
MODEL_SERVERS = {addresses.server(a, MODEL_PORT) for a in MODEL_ADDRESSES.values()}


def compiled(*texts: str) -> Compiled:
    return compiler.compile(world_of(*texts))


def is_host_of(ns: str, host: str) -> bool:
    return host == f"{ns}.example" or host.endswith(f".{ns}.example")


def slice_of(made: Compiled, ns: str = FINE) -> str:
    """A hash over everything that gate `public` does for the hosts of a team."""
    gate = next(g for g in made.ir.gates if g.name == "public")
    hosts = [
        (listener.name, host)
        for listener in gate.listeners
        for host in listener.hosts
        if is_host_of(ns, host.host)
    ]
    certificates = [
        (c.name, tuple(h for h in c.hosts if is_host_of(ns, h)), c.chain)
        for listener in gate.listeners
        for c in listener.certificates
        if any(is_host_of(ns, h) for h in c.hosts)
    ]
    names = {name for _, host in hosts for route in host.routes for name in clusters_of(route)}
    clusters = [cluster for cluster in gate.clusters if cluster.name in names]
    access = [one for one in gate.access if one.model.startswith(f"{ns}/")]
    whole = (tuple(hosts), tuple(certificates), tuple(clusters), tuple(access))
    return digests.value_hash(whole)


def forwards_of(made: Compiled, ns: str = FINE) -> frozenset[str]:
    """Every row of the team's hosts that leads to a server, with all that it says."""
    return frozenset(
        f"{listener.name} {host.host} {route}"
        for gate in made.ir.gates
        for listener in gate.listeners
        for host in listener.hosts
        if is_host_of(ns, host.host)
        for route in host.routes
        if clusters_of(route)
    )


def clusters_of(route: Route) -> set[str]:
    if not isinstance(route.action, Forward):
        return set()
    named = {share.cluster for share in route.action.shares if share.cluster}
    return named | {mirror.cluster for mirror in route.action.mirrors}


def ways_past_policy(made: Compiled) -> list[str]:
    """Rows without a policy that lead to a server of a model (P1); none must be found."""
    return [
        f"{host.host} {route.name}"
        for gate in made.ir.gates
        for listener in gate.listeners
        for host in listener.hosts
        for route in host.routes
        if route.governance is None
        for cluster in _clusters(gate.clusters, clusters_of(route))
        if cluster.model or reached(cluster) & MODEL_SERVERS
    ]


def _clusters(clusters: tuple[Cluster, ...], names: set[str]) -> list[Cluster]:
    return [cluster for cluster in clusters if cluster.name in names]


def reached(cluster: Cluster) -> set[addresses.Server]:
    return {
        addresses.server(endpoint.address, endpoint.port)
        for group in cluster.endpoints.groups
        for endpoint in group.endpoints
    }
