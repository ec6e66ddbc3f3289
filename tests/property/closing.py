"""Generated folders for the law of monotonic closing, and what a folder answers.

A folder is file name to bytes. `answers` is everything that a gate which reads it would let reach a
model's server: pairs of a request and the model whose server it is, over all requests of `probes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from hypothesis import strategies as st

from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.core import errors
from gatereeve.decide.reference import decide
from gatereeve.decide.request import Request
from gatereeve.ir.gates import Gate
from gatereeve.runtime import folder_reader
from gatereeve.sources.folder.folder_source import FolderSource
from tests.attacks import cells
from tests.attacks import documents as docs
from tests.attacks.documents import Document, Folder, Ports

PORTS = Ports(http=8080, https=8443, server=9000, node=30000)
NAMESPACES = ("a", "b")
PATHS = ("/", "/x", "/v2/models/k0/infer")
CALLERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "nobody": (),
    **{name: (("x-api-key", key),) for name, key in docs.API_KEYS.items()},
    "wrong": (("x-api-key", "wrong-0123456789abcdef"),),
}
_CALLERS = [
    [{"provider": "partners"}],
    [{"principal": "partners/acme"}],
    [{"anonymous": True}],
    [{"principal": "partners/globex"}, {"anonymous": True}],
]

Answer = tuple[str, str]
"""A request (caller, host and path) and the model whose server it reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A folder: its files, and which address belongs to which model."""

    files: Folder = field(repr=False)
    servers: Mapping[str, str]
    hosts: tuple[str, ...]


class Clock:
    """The real one: what is generated holds on any day."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return 0.0


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Two namespaces with models of every kind of backend, routes of every kind, and a website."""
    files = docs.platform(PORTS) | {"gateway.yaml": cells.gateway(PORTS)}
    servers: dict[str, str] = {}
    hosts = [docs.host("web")]
    for number, ns in enumerate(NAMESPACES):
        for index in range(draw(st.integers(1, 2))):
            address = f"10.{50 + number}.{index}.1"
            servers[address] = f"{ns}/k{index}"
            documents = _of_model(draw, ns, f"k{index}", address)
            for name, document in documents.items():
                files[f"{ns}-{index}-{name}.yaml"] = docs.text(document)
                hosts += _hosts(document)
    return Plan(files=files, servers=servers, hosts=tuple(sorted(set(hosts))))


def _of_model(draw: st.DrawFn, ns: str, name: str, address: str) -> dict[str, Document]:
    """One model with its policy and the routes that lead to its server, wanted or not."""
    hosts = {
        way: docs.host(f"{way}-{ns}-{name}")
        for way in ("model", "side", "alias", "open", "open-alias")
    }
    served, behind = [(f"{address}/32", [PORTS.server])], f"behind-{name}"
    chosen = draw(st.sampled_from(("backend", "endpoints")))
    where = (
        {"backend": {"service": behind, "port": "http"}}
        if chosen == "backend"
        else {"endpoints": [{"address": address, "port": PORTS.server}]}
    )
    made = {
        "grant": docs.grant(f"{ns}-{name}", ns, [hosts["model"], hosts["side"], hosts["alias"]], addresses=served),
        "model": docs.model(name, ns, draw(st.sampled_from(("json", "kserve-v2")))),
        "version": docs.version(name, ns, **where),
        "allow": docs.policy(f"{name}-allow", ns, name, allow=[{"subjects": draw(st.sampled_from(_CALLERS))}]),
        "service": docs.service(behind, ns, PORTS.server),
        "slice": docs.slices(behind, ns, address, PORTS.server),
        "route": _route(draw, ns, name, hosts["model"]),
    }  # fmt: skip
    if draw(st.booleans()):
        made["deny"] = docs.policy(f"{name}-deny", ns, name, deny=[{"subjects": [{"principal": "partners/globex"}]}])  # fmt: skip
    if draw(st.booleans()):
        made["side"] = docs.ingress(f"side-{name}", ns, hosts["side"], docs.to_service(behind))
    if draw(st.booleans()):
        alias = f"alias-{name}"
        made["aliasservice"] = docs.service(alias, ns, PORTS.server)
        made["aliasslice"] = docs.slices(alias, ns, address, PORTS.server)
        made["aliasroute"] = docs.ingress(alias, ns, hosts["alias"], docs.to_service(alias))
    if draw(st.booleans()):
        alias = f"alias-{name}"
        opened = [hosts["open"], hosts["open-alias"]]
        made["opengrant"] = docs.grant(f"{ns}-{name}-open", ns, opened, services=[behind, alias])
        made["openroute"] = docs.ingress(f"open-{name}", ns, opened[0], docs.to_service(behind))
        made["openalias"] = docs.ingress(f"open-{alias}", ns, opened[1], docs.to_service(alias))
    return made


def _route(draw: st.DrawFn, ns: str, name: str, host: str) -> Document:
    if draw(st.booleans()):
        return docs.ingress(name, ns, host, docs.to_model(name))
    backend = {"group": "gatereeve.dev", "kind": "Model", "name": name}
    return cells.http_route(name, ns, host, backend)


def _hosts(document: Document) -> list[str]:
    spec = document.get("spec") or {}
    rules = spec.get("rules", ()) if document["kind"] == "Ingress" else ()
    return [rule["host"] for rule in rules] + list(spec.get("hostnames", ()))


def intruders(plan: Plan, ns: str = "t") -> dict[str, tuple[Document, ...]]:
    """Documents of another namespace that name a server, Service or Model of the first one."""
    own = {way: docs.host(f"{way}-{ns}") for way in ("model", "side", "api", "direct")}
    address = next(iter(plan.servers))
    grant = docs.grant(ns, ns, own.values(), services=["own"], addresses=[("10.77.0.1/32", [PORTS.server])])  # fmt: skip
    open_to_all = docs.policy("all", ns, "t", allow=[{"subjects": [{"anonymous": True}]}])
    reference = docs.document(
        "ReferenceGrant", "in", ns,
        {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": ns}],
         "to": [{"group": "", "kind": "Service"}, {"group": "gatereeve.dev", "kind": "Model"}]},
        "gateway.networking.k8s.io/v1beta1",
    )  # fmt: skip
    model = {"group": "gatereeve.dev", "kind": "Model", "name": "k0", "namespace": "a"}
    behind = {"name": "behind-k0", "namespace": "a", "port": 80}
    return {
        "a model on its address": (
            grant, docs.model("t", ns), docs.version("t", ns, endpoints=[{"address": address, "port": PORTS.server}]),
            open_to_all, docs.ingress("t", ns, own["model"], docs.to_model("t")),
        ),
        "a model on a Service with its address": (
            grant, docs.model("t", ns), docs.version("t", ns, backend={"service": "own", "port": "http"}), open_to_all,
            docs.service("own", ns, PORTS.server), docs.slices("own", ns, address, PORTS.server),
            docs.ingress("t", ns, own["model"], docs.to_model("t")),
        ),
        "a Service with its address": (
            grant, docs.service("own", ns, PORTS.server), docs.slices("own", ns, address, PORTS.server),
            docs.ingress("t", ns, own["side"], docs.to_service("own")),
        ),
        "its address spelled otherwise": (
            grant, docs.service("own", ns, PORTS.server), docs.slices("own", ns, f"::ffff:{address}", PORTS.server, "IPv6"),
            docs.ingress("t", ns, own["side"], docs.to_service("own")),
        ),
        "a policy for its model": (docs.policy("p", ns, "k0", allow=[{"subjects": [{"anonymous": True}]}]),),
        "a route to its model": (grant, reference, cells.http_route("t", ns, own["api"], model)),
        "a route to its Service": (grant, reference, cells.http_route("t", ns, own["direct"], behind)),
        "a route on its host": (docs.ingress("t", ns, plan.hosts[0], docs.to_service("own")),),
        "its slice under its Service's name": (docs.slices("behind-k0", ns, address, PORTS.server),),
        "a Gateway": (docs.document("Gateway", "g", ns, {"gatewayClassName": "gatereeve", "listeners": [
            {"name": "https", "port": PORTS.https, "protocol": "HTTPS"}]}, "gateway.networking.k8s.io/v1"),),
    }  # fmt: skip


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def read(folder: Path) -> World:
    """As a gate that starts reads it."""
    return folder_reader.read_folder(folder)


def answers_at_start(folder: Path, plan: Plan) -> frozenset[Answer]:
    """What a gate that starts answers; one that does not start answers nothing."""
    try:
        return answers(read(folder), plan)
    except errors.SourceError:
        return frozenset()


def source(folder: Path) -> FolderSource:
    return FolderSource(folder, Clock())


def remembering(before: World, now: World) -> World:
    """`now` with what a running gate remembers of `before`."""
    return replace(now, memory=compiler.Compiler().compile_remembering(before)[1])


def answers(world: World, plan: Plan, extra: Iterable[str] = ()) -> frozenset[Answer]:
    """What reaches a model's server. extra: hosts that are asked besides those of the plan."""
    return frozenset(
        (f"{who} {host}{path}", model)
        for gate in compiler.compile(world).ir.gates
        for (who, headers), host, path in product(CALLERS.items(), (*plan.hosts, *extra), PATHS)
        for model in _models(gate, host, path, headers, plan, world.at)
    )


def _models(
    gate: Gate,
    host: str,
    path: str,
    headers: tuple[tuple[str, str], ...],
    plan: Plan,
    at: datetime,
) -> set[str]:
    """Models whose servers may answer one request; every endpoint of every share counts."""
    request = Request(host=host, path=path, method="POST", headers=headers, body=b"{}", sni=host)
    decision = decide(gate, request, now=at)
    if not decision.forwarded:
        return set()
    found = set()
    for cluster in gate.clusters:
        if cluster.name in decision.possible:
            for group in cluster.endpoints.groups:
                for endpoint in group.endpoints:
                    address = endpoint.address.removeprefix("::ffff:")
                    found |= {plan.servers[address]} if address in plan.servers else set()
    return found
