"""Model servers that can be reached without a policy: by a route, a port of a node, a load balancer.

Ways in that are followed: Ingress, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute, Services of type
LoadBalancer and NodePort or with external addresses, host ports, the TCP table of ingress-nginx,
KServe's own addresses. A way through a gate of ours to a governed version is none. Findings:
exposed-model (certain), exposed-model-server (likely), exposed-possible-model, model-unfenced,
exposure-not-examined.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from gatereeve.api import plain_objects
from gatereeve.api.plain_objects import RawDoc
from gatereeve.api.yaml import Plain
from gatereeve.cluster_audit import labels, nginx_controllers
from gatereeve.cluster_audit.evidence import Confidence, Evidence, of_path
from gatereeve.cluster_audit.governance import GovernedObjects, ServiceKey
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.kinds import ROUTES, WORKLOADS
from gatereeve.cluster_audit.models import Models, Suspicion, suspicion
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
    """One way to a Service. at: what a caller names. path: of the document. routed: the URL path.

    ours: whether it leads through a Gate. pool: whether the backend is an InferencePool. doubt: what
    was not there to be looked at, as the end of a sentence.
    """

    doc: RawDoc
    key: ServiceKey
    at: str
    path: str
    routed: str = ""
    ours: bool = False
    pool: bool = False
    doubt: str = ""


def exposures(inventory: Inventory, governed: GovernedObjects, models: Models) -> Iterator[Finding]:
    """A finding for each way in by which one object leads to one Service."""
    gathered: defaultdict[tuple[object, ServiceKey], list[Way]] = defaultdict(list)
    for way in ways(inventory, governed):
        gathered[way.doc.ref, way.key].append(way)
    for found in gathered.values():
        judged = _judge(found, models)
        if judged is not None:
            yield judged
    yield from _host_ports(inventory, models)
    yield from _inference_services(inventory, governed)
    yield from _unfenced(inventory, governed, models)
    for doc in inventory.not_examined:
        yield finding(doc, "exposure-not-examined", doc=doc.ref)


def ways(inventory: Inventory, governed: GovernedObjects) -> Iterator[Way]:
    """Every way in to a Service, in the order of kinds and documents."""
    for doc in inventory.of(("networking.k8s.io", "Ingress")):
        yield from ways_of_ingress(doc, governed)
    for doc in inventory.of(*ROUTES):
        yield from _of_route(doc, governed)
    for doc in inventory.of(("", "Service")):
        yield from _of_service(doc)
    for table in nginx_controllers.tcp_tables(inventory):
        yield from _of_tcp_table(table)


def ways_of_ingress(doc: RawDoc, governed: GovernedObjects) -> Iterator[Way]:
    """Default backend and paths of one Ingress."""
    ours = governed.is_ours(doc)
    spec = plain_objects.get(doc.spec, "spec")
    for name in ("defaultBackend", "backend"):
        service = _ingress_service(plain_objects.get(spec, name))
        if service:
            key = (doc.ref.namespace, service)
            yield Way(doc=doc, key=key, at="every host", path=f"spec.{name}", ours=ours)
    for number, rule in enumerate(plain_objects.sequence(plain_objects.get(spec, "rules"))):
        host = plain_objects.text(plain_objects.get(rule, "host")) or "every host"
        for position, path in enumerate(
            plain_objects.sequence(plain_objects.get(rule, "http", "paths"))
        ):
            service = _ingress_service(plain_objects.get(path, "backend"))
            routed = plain_objects.text(plain_objects.get(path, "path")) or "/"
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
    """The Service of a backend, also in the form that networking.k8s.io/v1beta1 had."""
    return plain_objects.text(plain_objects.get(backend, "service", "name")) or plain_objects.text(
        plain_objects.get(backend, "serviceName")
    )


def _of_route(doc: RawDoc, governed: GovernedObjects) -> Iterator[Way]:
    spec = plain_objects.get(doc.spec, "spec")
    parents = governed.parents_of(doc)
    if plain_objects.sequence(plain_objects.get(spec, "parentRefs")) and not parents:
        # A route of a service mesh: it lets nobody in.
        return
    ours = bool(parents) and all(governed.parents.get(parent) for parent in parents)
    unknown = next((parent for parent in parents if parent not in governed.parents), None)
    doubt = f"; {unknown[0]} {unknown[1]}/{unknown[2]} was not looked at" if unknown else ""
    hosts = plain_objects.words(plain_objects.get(spec, "hostnames")) or ("every host",)
    for number, rule in enumerate(plain_objects.sequence(plain_objects.get(spec, "rules"))):
        routed = next(
            (
                plain_objects.text(plain_objects.get(match, "path", "value"))
                for match in plain_objects.sequence(plain_objects.get(rule, "matches"))
                if plain_objects.get(match, "path", "value")
            ),
            "",
        )
        for position, backend in enumerate(
            plain_objects.sequence(plain_objects.get(rule, "backendRefs"))
        ):
            kind = plain_objects.get(backend, "kind") or "Service"
            group = plain_objects.text(plain_objects.get(backend, "group"))
            pool = kind == "InferencePool" and group in _POOLS
            name = plain_objects.text(plain_objects.get(backend, "name"))
            if not name or not (pool or (kind == "Service" and group == "")):
                continue
            yield Way(
                doc=doc,
                key=(
                    plain_objects.text(plain_objects.get(backend, "namespace"))
                    or doc.ref.namespace,
                    name,
                ),
                at=hosts[0] + routed + (f" (and {len(hosts) - 1} more)" if len(hosts) > 1 else ""),
                path=f"spec.rules[{number}].backendRefs[{position}]",
                routed=routed,
                ours=ours,
                pool=pool,
                doubt=doubt,
            )


def _of_service(doc: RawDoc) -> Iterator[Way]:
    key = (doc.ref.namespace, doc.ref.name)
    spec = plain_objects.get(doc.spec, "spec")
    kind = plain_objects.get(spec, "type")
    ports = [
        str(port)
        for one in plain_objects.sequence(plain_objects.get(spec, "ports"))
        if isinstance(
            port := plain_objects.get(one, "nodePort" if kind == "NodePort" else "port"), int
        )
    ]
    listed = ", ".join(ports[:_SHOWN]) or "?"
    if kind == "NodePort":
        yield Way(doc=doc, key=key, at=f"port {listed} of every node", path="spec.type")
    elif kind == "LoadBalancer":
        yield Way(doc=doc, key=key, at=f"port {listed} of a load balancer", path="spec.type")
    external = plain_objects.words(plain_objects.get(spec, "externalIPs"))
    if external:
        at = f"port {listed} of {external[0]}"
        yield Way(doc=doc, key=key, at=at, path="spec.externalIPs")


def _of_tcp_table(doc: RawDoc) -> Iterator[Way]:
    """`"9000": namespace/service:port`, with PROXY after it or not."""
    for port, value in sorted(plain_objects.texts(doc.spec.get("data")).items()):
        namespace, _, rest = value.partition("/")
        name = rest.partition(":")[0]
        if namespace and name:
            at = f"TCP port {port} of ingress-nginx"
            yield Way(doc=doc, key=(namespace, name), at=at, path=f"data.{port}")


def _judge(found: list[Way], models: Models) -> Finding | None:
    """One object and one Service, over all ways between them."""
    first = found[0]
    suspected = _suspected(found, models)
    if suspected is None or (first.ours and suspected.confidence is not Confidence.LIKELY):
        # Through a gate of ours a governed version is governed; mere possibilities are not raised.
        return None
    places = list(dict.fromkeys(way.at for way in found))
    more = len(places) - _SHOWN
    shown = ", ".join(places[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    what = "InferencePool" if first.pool else "Service"
    target = f"{what} {first.key[0]}/{first.key[1]}"
    name = "exposed-model-server.gate" if first.ours else _CODES[suspected.confidence]
    return finding(
        first.doc, name, first.path,
        ways=shown, target=target, evidence=suspected.told(), limit=first.doubt,
    )  # fmt: skip


def _suspected(found: list[Way], models: Models) -> Suspicion | None:
    first = found[0]
    if first.pool:
        return suspicion(None, (_POOL,))
    known = models.of(first.key)
    best = known
    for routed in dict.fromkeys(way.routed for way in found if way.routed):
        seen = known.with_path(routed) if known else suspicion(None, of_path(routed))
        if seen is not None and (best is None or seen.confidence > best.confidence):
            best = seen
    return best


def _host_ports(inventory: Inventory, models: Models) -> Iterator[Finding]:
    """Pods of model servers that answer on their node's own address."""
    for doc in inventory.of(*WORKLOADS):
        spec = plain_objects.get(labels.pod_of(doc), "spec")
        ports = [
            str(port)
            for container in plain_objects.sequence(plain_objects.get(spec, "containers"))
            for one in plain_objects.sequence(plain_objects.get(container, "ports"))
            if isinstance(port := plain_objects.get(one, "hostPort"), int)
        ]
        network = plain_objects.get(spec, "hostNetwork") is True
        owned = doc.ref.kind == "Pod" and plain_objects.sequence(
            plain_objects.get(doc.spec, "metadata", "ownerReferences")
        )
        if not (ports or network) or owned:
            continue
        suspected = suspicion(models.version_of(doc), models.workload(doc))
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
                evidence=suspected.told(),
            )


def _inference_services(inventory: Inventory, governed: GovernedObjects) -> Iterator[Finding]:
    """KServe gives an InferenceService an address of its own, unless it is kept in the cluster."""
    for doc in inventory.of(("serving.kserve.io", "InferenceService")):
        url = plain_objects.text(plain_objects.get(doc.spec, "status", "url"))
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
    """Governed pods that no NetworkPolicy isolates; only said when all policies are known."""
    if not inventory.is_listed("NetworkPolicy"):
        return
    policies: defaultdict[str, list[RawDoc]] = defaultdict(list)
    for doc in inventory.of(("networking.k8s.io", "NetworkPolicy")):
        types = plain_objects.words(plain_objects.get(doc.spec, "spec", "policyTypes")) or (
            "Ingress",
        )
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
    """Whether policies isolate a pod, and none of them admits everybody again."""
    selecting = [
        policy
        for policy in policies
        if labels.selects(plain_objects.get(policy.spec, "spec", "podSelector"), pod)
    ]
    return bool(selecting) and all(
        plain_objects.sequence(plain_objects.get(rule, "from"))
        for policy in selecting
        for rule in plain_objects.sequence(plain_objects.get(policy.spec, "spec", "ingress"))
    )
