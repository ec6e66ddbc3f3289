"""Model servers that are reachable without a policy: by a route, a node port or a load balancer.

Examined: Ingress, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute, Services of type LoadBalancer and NodePort or with
external addresses, host ports, the TCP table of ingress-nginx, and addresses of KServe. A route through
our gate to a governed version is not an exposure. Findings: exposed-model (certain),
exposed-model-server (likely), exposed-possible-model, model-unfenced, exposure-not-examined.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from gatereeve.api import plain_objects as plain
from gatereeve.api.plain_objects import RawDoc
from gatereeve.api.yaml import Plain
from gatereeve.cluster_audit import labels, nginx_controllers
from gatereeve.cluster_audit.evidence import Confidence, Evidence, check_path
from gatereeve.cluster_audit.governance import GovernedObjects, ServiceKey
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.kinds import ROUTES, WORKLOADS
from gatereeve.cluster_audit.models import Models, Suspicion, make_suspicion
from gatereeve.core.findings import Finding
from gatereeve.core.report import finding

_POOLS = frozenset({"inference.networking.k8s.io", "inference.networking.x-k8s.io"})
_CODES = {
    Confidence.CERTAIN: "exposed-model",
    Confidence.LIKELY: "exposed-model-server",
    Confidence.POSSIBLE: "exposed-possible-model",
}
_SHOWN = 3
_POOL = Evidence(Confidence.LIKELY, "an InferencePool holds model servers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to reach a Service. at: the address for callers. path: in the document. routed: the URL path.

    ours: whether it leads through a Gate. pool: whether the backend is an InferencePool. doubt: objects
    that were not examined, as the end of a sentence.
    """

    doc: RawDoc
    key: ServiceKey
    at: str
    path: str
    routed: str = ""
    ours: bool = False
    pool: bool = False
    doubt: str = ""


def find_exposures(
    inventory: Inventory, governed: GovernedObjects, models: Models
) -> Iterator[Finding]:
    """Yield a finding for each object that exposes a Service."""
    ways_by_target: defaultdict[tuple[object, ServiceKey], list[Way]] = defaultdict(list)
    for way in find_ways(inventory, governed):
        ways_by_target[way.doc.ref, way.key].append(way)
    for ways in ways_by_target.values():
        problem = _judge(ways, models)
        if problem is not None:
            yield problem
    yield from _host_ports(inventory, models)
    yield from _inference_services(inventory, governed)
    yield from _unfenced(inventory, governed, models)
    for doc in inventory.not_examined:
        yield finding(doc, "exposure-not-examined", doc=doc.ref)


def find_ways(inventory: Inventory, governed: GovernedObjects) -> Iterator[Way]:
    """Yield all ways to reach Services, in the order of kinds and documents."""
    for doc in inventory.of(("networking.k8s.io", "Ingress")):
        yield from find_in_ingress(doc, governed)
    for doc in inventory.of(*ROUTES):
        yield from _find_in_route(doc, governed)
    for doc in inventory.of(("", "Service")):
        yield from _find_in_service(doc)
    for table in nginx_controllers.find_tcp_tables(inventory):
        yield from _find_in_tcp_table(table)


def find_in_ingress(doc: RawDoc, governed: GovernedObjects) -> Iterator[Way]:
    """Yield the default backend and paths of one Ingress."""
    ours = governed.is_ours(doc)
    spec = plain.get(doc.spec, "spec")
    for name in ("defaultBackend", "backend"):
        service = _ingress_service(plain.get(spec, name))
        if service:
            key = (doc.ref.namespace, service)
            yield Way(doc=doc, key=key, at="every host", path=f"spec.{name}", ours=ours)
    for number, rule in enumerate(plain.sequence(plain.get(spec, "rules"))):
        host = plain.text(plain.get(rule, "host")) or "every host"
        for position, path in enumerate(plain.sequence(plain.get(rule, "http", "paths"))):
            service = _ingress_service(plain.get(path, "backend"))
            routed = plain.text(plain.get(path, "path")) or "/"
            if service:
                yield Way(
                    doc=doc,
                    key=(doc.ref.namespace, service),
                    at=host + (routed if routed.startswith("/") else f" {routed}"),
                    path=f"spec.rules[{number}].http.paths[{position}]",
                    routed=routed,
                    ours=ours,
                )


def _ingress_service(backend: Plain) -> str:
    """Return the Service of a backend, also in the form of networking.k8s.io/v1beta1."""
    return plain.text(plain.get(backend, "service", "name")) or plain.text(
        plain.get(backend, "serviceName")
    )


def _find_in_route(doc: RawDoc, governed: GovernedObjects) -> Iterator[Way]:
    spec = plain.get(doc.spec, "spec")
    parents = governed.parents_of(doc)
    if plain.sequence(plain.get(spec, "parentRefs")) and not parents:
        # The route of a service mesh does not expose a Service.
        return
    ours = bool(parents) and all(governed.parents.get(parent) for parent in parents)
    unknown = next((parent for parent in parents if parent not in governed.parents), None)
    doubt = f"; {unknown[0]} {unknown[1]}/{unknown[2]} was not examined" if unknown else ""
    hosts = plain.words(plain.get(spec, "hostnames")) or ("every host",)
    for number, rule in enumerate(plain.sequence(plain.get(spec, "rules"))):
        routed = next(
            (
                plain.text(plain.get(match, "path", "value"))
                for match in plain.sequence(plain.get(rule, "matches"))
                if plain.get(match, "path", "value")
            ),
            "",
        )
        for position, backend in enumerate(plain.sequence(plain.get(rule, "backendRefs"))):
            kind = plain.get(backend, "kind") or "Service"
            group = plain.text(plain.get(backend, "group"))
            pool = kind == "InferencePool" and group in _POOLS
            name = plain.text(plain.get(backend, "name"))
            if not name or not (pool or (kind == "Service" and group == "")):
                continue
            yield Way(
                doc=doc,
                key=(plain.text(plain.get(backend, "namespace")) or doc.ref.namespace, name),
                at=hosts[0] + routed + (f" (and {len(hosts) - 1} more)" if len(hosts) > 1 else ""),
                path=f"spec.rules[{number}].backendRefs[{position}]",
                routed=routed,
                ours=ours,
                pool=pool,
                doubt=doubt,
            )


def _find_in_service(doc: RawDoc) -> Iterator[Way]:
    key = (doc.ref.namespace, doc.ref.name)
    spec = plain.get(doc.spec, "spec")
    kind = plain.get(spec, "type")
    ports = [
        str(port)
        for item in plain.sequence(plain.get(spec, "ports"))
        if isinstance(port := plain.get(item, "nodePort" if kind == "NodePort" else "port"), int)
    ]
    listed = ", ".join(ports[:_SHOWN]) or "?"
    if kind == "NodePort":
        yield Way(doc=doc, key=key, at=f"port {listed} of every node", path="spec.type")
    elif kind == "LoadBalancer":
        yield Way(doc=doc, key=key, at=f"port {listed} of a load balancer", path="spec.type")
    external = plain.words(plain.get(spec, "externalIPs"))
    if external:
        at = f"port {listed} of {external[0]}"
        yield Way(doc=doc, key=key, at=at, path="spec.externalIPs")


def _find_in_tcp_table(doc: RawDoc) -> Iterator[Way]:
    """Read entries such as `"9000": namespace/service:port`, with or without `:PROXY`."""
    for port, value in sorted(plain.texts(doc.spec.get("data")).items()):
        namespace, _, rest = value.partition("/")
        name = rest.partition(":")[0]
        if namespace and name:
            at = f"TCP port {port} of ingress-nginx"
            yield Way(doc=doc, key=(namespace, name), at=at, path=f"data.{port}")


def _judge(ways: list[Way], models: Models) -> Finding | None:
    """One object and one Service, over all ways between them."""
    first = ways[0]
    suspected = _find_suspicion(ways, models)
    if suspected is None or (first.ours and suspected.confidence is not Confidence.LIKELY):
        # Through a gate of ours a governed version is governed; mere possibilities are not raised.
        return None
    places = list(dict.fromkeys(way.at for way in ways))
    more = len(places) - _SHOWN
    shown = ", ".join(places[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    what = "InferencePool" if first.pool else "Service"
    target = f"{what} {first.key[0]}/{first.key[1]}"
    name = "exposed-model-server.gate" if first.ours else _CODES[suspected.confidence]
    return finding(
        first.doc, name, first.path,
        ways=shown, target=target, evidence=suspected.describe(), limit=first.doubt,
    )  # fmt: skip


def _find_suspicion(ways: list[Way], models: Models) -> Suspicion | None:
    first = ways[0]
    if first.pool:
        return make_suspicion(None, (_POOL,))
    known = models.of(first.key)
    best = known
    for routed in dict.fromkeys(way.routed for way in ways if way.routed):
        new = known.with_path(routed) if known else make_suspicion(None, check_path(routed))
        if new is not None and (best is None or new.confidence > best.confidence):
            best = new
    return best


def _host_ports(inventory: Inventory, models: Models) -> Iterator[Finding]:
    """Yield pods of model servers that listen on the address of their node."""
    for doc in inventory.of(*WORKLOADS):
        spec = plain.get(labels.pod_of(doc), "spec")
        ports = [
            str(port)
            for container in plain.sequence(plain.get(spec, "containers"))
            for item in plain.sequence(plain.get(container, "ports"))
            if isinstance(port := plain.get(item, "hostPort"), int)
        ]
        network = plain.get(spec, "hostNetwork") is True
        owned = doc.ref.kind == "Pod" and plain.sequence(
            plain.get(doc.spec, "metadata", "ownerReferences")
        )
        if not (ports or network) or owned:
            continue
        suspected = make_suspicion(models.version_of(doc), models.workload(doc))
        if suspected is not None and suspected.confidence >= Confidence.LIKELY:
            at = (
                "on the node's network"
                if network
                else f"on port {', '.join(ports[:_SHOWN])} of its node"
            )
            yield finding(
                doc,
                f"{_CODES[suspected.confidence]}.node",
                "spec",
                doc=doc.ref,
                at=at,
                evidence=suspected.describe(),
            )


def _inference_services(inventory: Inventory, governed: GovernedObjects) -> Iterator[Finding]:
    """Yield InferenceServices with an address outside the cluster."""
    for doc in inventory.of(("serving.kserve.io", "InferenceService")):
        url = plain.text(plain.get(doc.spec, "status", "url"))
        host = url.partition("://")[2].partition("/")[0].partition(":")[0]
        if not host or host.endswith((".svc", ".svc.cluster.local")):
            continue
        keys = [(doc.ref.namespace, f"{doc.ref.name}{end}") for end in ("", "-predictor")]
        version = next((governed.versions[key] for key in keys if key in governed.versions), None)
        yield finding(
            doc,
            "exposed-model.kserve" if version else "exposed-model-server.kserve",
            "status.url",
            doc=doc.ref,
            url=url[:200],
            version=version,
        )


def _unfenced(inventory: Inventory, governed: GovernedObjects, models: Models) -> Iterator[Finding]:
    """Yield governed pods without an isolating NetworkPolicy, if all NetworkPolicies are known."""
    if not inventory.is_listed("NetworkPolicy"):
        return
    policies: defaultdict[str, list[RawDoc]] = defaultdict(list)
    for doc in inventory.of(("networking.k8s.io", "NetworkPolicy")):
        types = plain.words(plain.get(doc.spec, "spec", "policyTypes")) or ("Ingress",)
        if "Ingress" in types:
            policies[doc.ref.namespace].append(doc)
    for key, version in sorted(governed.versions.items()):
        service = models.service(key)
        if service is None:
            continue
        pods = [labels.pod_labels(doc) for doc in models.selected(key)] or [models.selector(key)]
        if all(_is_fenced(pod, policies[key[0]]) for pod in pods):
            continue
        yield finding(
            service, "model-unfenced", "spec.selector", service=service.ref, version=version
        )


def _is_fenced(pod: labels.Labels, policies: list[RawDoc]) -> bool:
    """Whether policies isolate a pod and none of them allows all sources."""
    selecting = [
        policy
        for policy in policies
        if labels.selects(plain.get(policy.spec, "spec", "podSelector"), pod)
    ]
    return bool(selecting) and all(
        plain.sequence(plain.get(rule, "from"))
        for policy in selecting
        for rule in plain.sequence(plain.get(policy.spec, "spec", "ingress"))
    )
