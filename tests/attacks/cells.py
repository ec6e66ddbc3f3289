"""A cell: one namespace with a model, and every way that leads to the model's server.

A cell is small and whole, and shares nothing with another one, so that many of them stand in one
folder and each is broken in its own way. `Cell.files` is what is broken; `Cell.ways` is how its
server is tried to be reached, `Cell.callers` who tries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.attacks import documents as docs
from tests.attacks.documents import Document, Folder, Ports, host


@dataclass(frozen=True, slots=True)
class Way:
    """A host that would lead to the model's server.

    granted: the platform granted its Service by name, so only what is known of the model closes it.
    """

    host: str
    granted: bool = False
    model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """number: names the namespace and the addresses."""

    number: int
    ports: Ports

    @property
    def ns(self) -> str:
        return f"a{self.number}"

    @property
    def thief(self) -> str:
        return f"t{self.number}"

    def address(self, net: int = 20) -> str:
        return f"10.{net}.{self.number // 250}.{self.number % 250 + 1}"

    @property
    def server(self) -> str:
        return self.address()

    @property
    def own_servers(self) -> frozenset[str]:
        """Every address under which the model's server answers."""
        return frozenset(self.address(net) for net in (20, 21, 22, 23, 24))

    def name(self, way: str) -> str:
        return host(f"{way}-{self.number}")

    @property
    def model_host(self) -> str:
        return self.name("model")

    def ways(self) -> list[Way]:
        closed = tuple(way.split("/")[0] for way in _UNGRANTED)
        return [
            Way(self.model_host, model=True),
            *(Way(self.name(way)) for way in closed),
            Way(self.name("open"), granted=True),
            Way(self.name("open-alias"), granted=True),
            *(Way(self.name(way)) for way in ("thief", "thief-side", "thief-mapped", "thief-api")),
        ]

    @property
    def callers(self) -> dict[str, str | None]:
        """Who must never be answered by the model: header by name."""
        return {
            "nobody": None,
            "denied": docs.bearer("mallory"),
            "denied-key": docs.key("globex"),
        }

    def files(self) -> Folder:
        """File name to one document, of the victim's namespace."""
        port, ns = self.ports.server, self.ns
        granted = [self.name(w.split("/")[0]) for w in ("model", *_UNGRANTED)]
        own = [(f"{self.server}/32", [port])]
        made: dict[str, Document] = {
            "grant": docs.grant(ns, ns, granted, addresses=own),
            "model": docs.model("k", ns),
            "version": docs.version("k", ns, backend={"service": "behind", "port": "http"}),
            "allow": docs.policy("allow", ns, "k", allow=[
                {"subjects": [{"provider": "partners"}, {"group": "corp/staff"}]},
            ]),
            "deny": docs.policy("deny", ns, "k", deny=[
                {"subjects": [{"principal": "corp/mallory"}, {"principal": "partners/globex"}]},
            ]),
            "service": docs.service(
                "behind", ns, port, type="LoadBalancer", clusterIP=self.address(24), clusterIPs=[self.address(24), self.address(23)],
                externalIPs=[self.address(21)], ports=[{"name": "http", "port": port, "targetPort": port, "nodePort": self.ports.node}],
            ) | {"status": {"loadBalancer": {"ingress": [{"ip": self.address(22)}]}}},
            "slice": docs.slices("behind", ns, self.server, port),
            "route": docs.ingress("model", ns, self.model_host, docs.to_model("k")),
        }  # fmt: skip
        return {f"{ns}-{name}.yaml": docs.text(one) for name, one in made.items()}

    def doors(self) -> Folder:
        """The other ways to the same server, in files of their own that nothing breaks."""
        ns = self.ns
        parts = [docs.text(*self._door(way)) for way in _UNGRANTED]
        parts.append(docs.text(
            docs.grant(f"{ns}-open", ns, [self.name("open"), self.name("open-alias")], services=["behind", "alias"]),
            docs.ingress("open", ns, self.name("open"), docs.to_service("behind")),
            docs.ingress("open-alias", ns, self.name("open-alias"), docs.to_service("alias")),
        ))  # fmt: skip
        return {f"{ns}-x-doors.yaml": b"---\n".join(parts), f"{ns}-x-thief.yaml": self._thief()}

    def _door(self, way: str) -> Iterator[Document]:
        """An ungranted route to the Service itself, or to one with a hand-made slice."""
        ns, (label, _, net) = self.ns, way.partition("/")
        if label == "side":
            yield docs.ingress("side", ns, self.name("side"), docs.to_service("behind"))
            return
        if label == "api":
            yield http_route("api", ns, self.name("api"), {"name": "behind", "port": 80})
            return
        odd = {"mapped": f"::ffff:{self.server}", "loop": "127.0.0.1"}
        address = odd.get(label) or self.address(int(net))
        port = self.ports.node if label == "node" else self.ports.server
        yield docs.service(label, ns, port)
        yield docs.slices(label, ns, address, port, "IPv6" if ":" in address else "IPv4")
        yield docs.ingress(label, ns, self.name(label), docs.to_service(label))

    def _thief(self) -> bytes:
        """Another namespace, with hosts and addresses of its own, that names this one's server."""
        ns, port = self.thief, self.ports.server
        hosts = [self.name(way) for way in ("thief", "thief-side", "thief-mapped", "thief-api")]
        mapped = f"::ffff:{self.server}"
        return docs.text(
            docs.grant(ns, ns, hosts, services=["own", "mapped"], addresses=[(f"{self.address(25)}/32", [port])]),
            docs.model("t", ns),
            docs.version("t", ns, endpoints=[{"address": self.server, "port": port}]),
            docs.policy("t", ns, "t", allow=[{"subjects": [{"anonymous": True}]}]),
            docs.ingress("t", ns, hosts[0], docs.to_model("t")),
            docs.service("own", ns, port),
            docs.slices("own", ns, self.server, port),
            docs.ingress("own", ns, hosts[1], docs.to_service("own")),
            docs.service("mapped", ns, port),
            docs.slices("mapped", ns, mapped, port, "IPv6"),
            docs.ingress("mapped", ns, hosts[2], docs.to_service("mapped")),
            http_route("api", ns, hosts[3], {"name": "behind", "namespace": self.ns, "port": 80}),
        )  # fmt: skip


_UNGRANTED = (
    "side", "alias/20", "external/21", "balancer/22", "second/23", "node/20", "mapped/20", "loop/20", "api",
)  # fmt: skip


def http_route(name: str, ns: str, host: str, backend: Document) -> Document:
    spec = {
        "parentRefs": [{"name": "main", "namespace": "platform"}],
        "hostnames": [host],
        "rules": [{"backendRefs": [backend]}],
    }
    return docs.document("HTTPRoute", name, ns, spec, "gateway.networking.k8s.io/v1")


def gateway(ports: Ports) -> bytes:
    listeners = [
        {"name": "https", "port": ports.https, "protocol": "HTTPS", "allowedRoutes": {"namespaces": {"from": "All"}}}
    ]  # fmt: skip
    spec = {"gatewayClassName": "gatereeve", "listeners": listeners}
    made = docs.document("Gateway", "main", "platform", spec, "gateway.networking.k8s.io/v1")
    return docs.text(made)
