"""Generated folders: small, strange, and mostly valid.

Two models of any protocol, every identity method, every source of attributes, Ingresses and
HTTPRoutes on few hosts so that they meet. A folder is a list of documents, as YAML would give them.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.differential import cast
from tests.differential.cast import NAMESPACE, Ports
from tests.support import keys
from tests.support.grants import OPEN_FIELDS

Document = dict[str, Any]

_OURS = "gatereeve.dev/v1alpha1"
_GATEWAY_API = "gateway.networking.k8s.io/v1"


def document(
    kind: str,
    name: str,
    spec: object = None,
    *,
    group: str = _OURS,
    namespace: str | None = NAMESPACE,
    **more: Any,
) -> Document:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    made: Document = {"apiVersion": group, "kind": kind, "metadata": metadata}
    return made | ({} if spec is None else {"spec": spec}) | more


def folder(random: Random, ports: Ports) -> list[Document]:
    """A gate and what is behind it. Which server answers tells which version was chosen."""
    names = random.choice([("m0",), ("m0", "m1")])
    found = gate(random, ports) + surroundings(ports)
    for index, name in enumerate(names):
        found += model(random, name, ports.servers[index * 2 : index * 2 + 2])
    for number, name in enumerate(names):
        route = ingress if random.random() < 0.6 else http_route
        found.append(route(random, f"r{number}", name))
    if random.random() < 0.5:
        found.append(random.choice([ingress, http_route])(random, "more", random.choice(names)))
    if random.random() < 0.7:
        found.append(random.choice([plain_ingress, plain_http_route])(random, "plain"))
    return found


def gate(random: Random, ports: Ports) -> list[Document]:
    """The Gate with its Secrets; what identifies and where attributes come from varies."""
    identity: dict[str, Any] = {}
    if random.random() < 0.9:
        identity["jwt"] = [_corp()] if random.random() < 0.5 else [_corp(), _lab()]
    if random.random() < 0.8:
        identity["apiKeys"] = {"name": "partners", "keys": [
            {"id": name, "groups": ["gold"] if name == "acme" else [],
             "secret": {"namespace": NAMESPACE, "name": f"key-{name}"}} for name in cast.API_KEYS]}  # fmt: skip
    if random.random() < 0.8:
        identity["mtls"] = {"name": "mesh", "ca": {"secret": {"namespace": NAMESPACE, "name": "ca"}},
                            "identities": [{"id": "batch", "uri": cast.SPIFFE, "groups": ["batch"]},
                                           {"id": "nightly", "dns": cast.DNS_NAME, "groups": ["batch"]}]}  # fmt: skip
    spec = {
        "region": "de",
        "https": {"host": "127.0.0.1", "port": ports.https},
        "http": {"host": "127.0.0.1", "port": ports.http},
        "plainHttp": random.choice(["redirect", "refuse"]),
        "tls": {"defaultCertificate": {"namespace": NAMESPACE, "name": "tls"}},
        "regionGroups": [{"name": "eu", "regions": ["de", "fr"]}],
        "identity": identity,
        "attributes": _attributes(random, identity),
        "trustedHops": random.choice([0, 0, 0, 1, 2]),
        "requests": {"ordinaryPaths": random.choice(["unambiguous", "unambiguous", "any"])},
    }
    return [
        document("Gate", "g", spec, namespace=None),
        document("HostGrant", "all", {"namespaceSelector": {"all": True}, "hosts": ["*"], **OPEN_FIELDS}, namespace=None),
    ]  # fmt: skip


def _corp() -> dict[str, Any]:
    return {"name": "corp", "issuer": cast.ISSUERS["corp"], "audiences": ["gate"],
            "jwks": {"inline": keys.jwks("corp")}}  # fmt: skip


def _lab() -> dict[str, Any]:
    return {"name": "lab", "issuer": cast.ISSUERS["lab"], "audiences": ["other", "gate.example"],
            "jwks": {"inline": keys.jwks("lab")},
            "claims": {"id": "realm.name", "groups": "realm.roles"}}  # fmt: skip


def _attributes(random: Random, identity: dict[str, Any]) -> dict[str, Any]:
    providers = [p["name"] for p in identity.get("jwt", ())]
    region: list[dict[str, Any]] = [
        {"header": {"name": "x-region", "from": ["127.0.0.0/24"]}},
        {"cidrs": [{"region": "de", "cidrs": ["127.0.0.0/16", "198.51.100.7/32"]},
                   {"region": "us", "cidrs": ["127.0.2.0/24", "198.51.100.0/24"]}]},
    ]  # fmt: skip
    purpose: list[dict[str, Any]] = [{"header": {"name": "x-purpose", "from": ["127.0.0.0/8"]}}]
    if "corp" in providers:
        region.append({"claim": {"provider": "corp", "claim": "country"}})
        purpose.append({"claim": {"provider": "corp", "claim": "purpose"}})
    if "lab" in providers:
        region.append({"claim": {"provider": "lab", "claim": "where.country"}})
    random.shuffle(region)
    random.shuffle(purpose)
    return {
        "region": region[: random.choice([len(region), len(region), 1, 0])],
        "purpose": purpose[: random.choice([len(purpose), len(purpose), 1, 0])],
    }


def surroundings(ports: Ports) -> list[Document]:
    """Secrets, the Gateway, and two ordinary Services."""
    pair = cast.server_pair()
    found = [
        document("Secret", f"key-{name}", group="v1", stringData={"key": value})
        for name, value in cast.API_KEYS.items()
    ]
    found += [
        document("Secret", "tls", group="v1", type="kubernetes.io/tls",
                 stringData={"tls.crt": pair.certificate, "tls.key": pair.key}),
        document("Secret", "ca", group="v1", stringData={"ca.crt": cast.authority().certificate}),
        document("Gateway", "main", {"gatewayClassName": "gatereeve", "listeners": [
            {"name": "https", "port": ports.https, "protocol": "HTTPS"},
            {"name": "http", "port": ports.http, "protocol": "HTTP"}]}, group=_GATEWAY_API),
    ]  # fmt: skip
    for name, port in zip(("plain", "other"), ports.servers[4:6], strict=True):
        labels = {"kubernetes.io/service-name": name}
        slices = document(
            "EndpointSlice", f"{name}-1", group="discovery.k8s.io/v1", addressType="IPv4",
            ports=[{"name": "", "port": port}],
            endpoints=[{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}])  # fmt: skip
        slices["metadata"]["labels"] = labels
        spec = {"ports": [{"port": 80, "targetPort": port}]}
        found += [document("Service", name, spec, group="v1"), slices]
    return found


_SUBJECTS: tuple[dict[str, Any], ...] = (
    {"principal": "corp/alice"},
    {"principal": "corp/bob"},
    {"principal": "lab/alice"},
    {"principal": "partners/acme"},
    {"principal": "mesh/batch"},
    {"provider": "corp"},
    {"provider": "lab"},
    {"provider": "partners"},
    {"anonymous": True},
    {"anonymous": True},
    *({"group": group} for group in cast.GROUPS),
)


def rule(random: Random, *, deny: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not deny or random.random() < 0.5:
        found["subjects"] = random.sample(_SUBJECTS, random.randint(1, 2 if deny else 6))
    if random.random() < 0.2:
        found["regions"] = random.sample((*cast.REGIONS, "eu"), random.randint(1, 2))
    if random.random() < 0.15:
        found["purposes"] = [random.choice(cast.PURPOSES)]
    if random.random() < 0.15:
        found["operations"] = random.sample(cast.OPERATIONS, random.randint(1, 2))
    if random.random() < 0.2:
        found["name"] = random.choice(("first", "second"))
    if not deny and random.random() < 0.3:
        found["limits"] = {
            "requests": {"count": random.choice((100_000, 1_000_000)), "seconds": 60}
        }
    if deny and not found.keys() - {"name"}:
        found["purposes"] = ["marketing"]
    return found


_RESIDENCY: tuple[list[dict[str, Any]], ...] = (
    [],
    [],
    [{"from": ["eu"], "process": ["eu"]}],
    [{"from": ["eu"], "process": ["eu"]}, {"from": ["*"], "process": ["us", "eu"]}],
    [{"from": ["us"], "process": ["us"]}, {"from": ["de", "fr"], "process": ["us", "de"]}],
)


def model(random: Random, name: str, servers: tuple[int, ...]) -> list[Document]:
    """A Model with its versions, policies and rollout."""
    spec = {
        "owner": "o", "purpose": "p", "protocol": random.choice(cast.PROTOCOLS),
        "residency": random.choice(_RESIDENCY),
        "callerHeaders": random.choice([[], ["principal", "groups", "region", "purpose", "record"], ["groups"]]),
        "riskClass": random.choice(["minimal"] * 18 + ["limited", "prohibited"]),
        "audit": random.choice(["recorded"] * 19 + ["strict"]),
        "fields": [{"name": "subject", "location": "request-header", "path": "X-Subject-Id",
                    "role": "subject"}],
    }  # fmt: skip
    found = [document("Model", name, spec)]
    versions = random.choice([("1",), ("1", "2"), ("1", "2")])
    for version, port in zip(versions, servers, strict=False):
        found.append(
            document("ModelVersion", f"{name}-{version}", {
                "model": name, "version": version, "author": "mia",
                "artifact": {"digest": "sha256:" + "0" * 64},
                "region": random.choice(["de", "us"]),
                "endpoints": [{"address": "127.0.0.1", "port": port}],
            })
        )  # fmt: skip
    for number in range(random.choice([0, 1, 1, 1, 1, 2, 2, 2])):
        found.append(
            document("AccessPolicy", f"{name}-{number}", {
                "models": [name],
                "mode": random.choice(["enforce", "enforce", "enforce", "shadow"]),
                "deny": [rule(random, deny=True) for _ in range(random.choice([0, 0, 0, 1, 2]))],
                "allow": [rule(random, deny=False) for _ in range(random.choice([0, 1, 2, 3, 3]))],
            })
        )  # fmt: skip
    if len(versions) > 1 and random.random() < 0.8:
        found.append(document("Rollout", name, rollout(random, name)))
    return found


_MATCHES: tuple[dict[str, Any], ...] = (
    {"groups": ["corp/beta"], "version": "2"},
    {"regions": ["eu"], "version": "2"},
    {"regions": ["us"], "version": "1"},
    {"headers": {"x-canary": "yes"}, "version": "2"},
    {"groups": ["partners/gold", "mesh/batch"], "regions": ["de"], "version": "2"},
    {"groups": ["corp/staff", "lab/beta"], "headers": {"X-Canary": "no"}, "version": "1"},
    {"name": "night", "groups": ["lab/night"], "version": "2"},
)


def rollout(random: Random, name: str) -> dict[str, Any]:
    weight = random.choice([0, 1000, 5000, 9999, 10000])
    spec: dict[str, Any] = {
        "model": name,
        "split": [{"version": "1", "weight": 10000 - weight}, {"version": "2", "weight": weight}],
        "stickyBy": {"attribute": random.choice(["principal", "subject"])},
        "match": random.sample(_MATCHES, random.choice([0, 1, 1, 2, 3])),
    }
    if random.random() < 0.5:
        spec["fallback"] = random.choice(["1", "2"])
    return spec


def ingress(random: Random, name: str, model_name: str) -> Document:
    """An Ingress to a model, sometimes by paths of its own."""
    backend = {"resource": {"apiGroup": "gatereeve.dev", "kind": "Model", "name": model_name}}
    kind = random.choice(["Prefix"] * 6 + ["Exact"])
    return _ingress(name, random.choice(cast.HOSTS), [
        {"path": _mount(random, kind, model_name), "pathType": kind, "backend": backend}])  # fmt: skip


def _mount(random: Random, kind: str, model_name: str) -> str:
    if kind == "Exact":
        return random.choice(
            [f"/v2/models/{model_name}/infer", "/v1/chat/completions", "/v1/embeddings",
             f"/v1/models/{model_name}", f"/v1/models/{model_name}:predict", "/lending/score"])  # fmt: skip
    return random.choice(["/"] * 6 + ["/lending", "/lending", "/lending/", "/v2", "/v1"])


def plain_ingress(random: Random, name: str) -> Document:
    """An Ingress to an ordinary Service."""
    backend = {
        "service": {"name": random.choice(["plain", "other", "absent"]), "port": {"number": 80}}
    }
    path = random.choice(["/plain", "/plain/", "/v2", "/", "/lending/x"])
    kind = random.choice(["Exact", "Prefix"])
    host = random.choice((*cast.HOSTS, None))
    return _ingress(name, host, [{"path": path, "pathType": kind, "backend": backend}])


def _ingress(name: str, host: str | None, paths: list[dict[str, Any]]) -> Document:
    one: dict[str, Any] = {"http": {"paths": paths}}
    if host is not None:
        one["host"] = host
    spec = {"ingressClassName": "gatereeve", "rules": [one]}
    return document("Ingress", name, spec, group="networking.k8s.io/v1")


def http_route(random: Random, name: str, model_name: str) -> Document:
    """An HTTPRoute to a model, with matches, and sometimes a rewrite."""
    kind = random.choice(["PathPrefix"] * 6 + ["Exact"])
    path = _mount(random, "Prefix" if kind == "PathPrefix" else kind, model_name)
    one: dict[str, Any] = {
        "matches": [_match(random, kind, path, patterns=False)],
        "backendRefs": [{"group": "gatereeve.dev", "kind": "Model", "name": model_name}],
    }
    if random.random() < 0.15:
        one["filters"] = [{"type": "URLRewrite", "urlRewrite": _rewrite(random, kind)}]
    elif random.random() < 0.2:
        one["filters"] = [_header_filter()]
    return _http_route(random, name, [one])


def plain_http_route(random: Random, name: str) -> Document:
    """An HTTPRoute to ordinary Services: weights, redirects, rewrites, patterns, header filters."""
    rules = []
    for _ in range(random.choice([1, 1, 2])):
        kind = random.choice(["PathPrefix", "PathPrefix", "Exact", "RegularExpression"])
        path = random.choice(["/plain", "/", "/v2", "/lending", "/plain/x"])
        if kind == "RegularExpression":
            path = random.choice(
                ["/pl.*", "/(plain|v2)(/[a-z]*)?", "/[a-z0-9/]+", "(/[a-z0-9]{1,60}){1,9}"]
            )
        one: dict[str, Any] = {"matches": [_match(random, kind, path, patterns=True)]}
        what = random.random()
        if what < 0.3:
            redirect = _redirect(random, kind)
            one["filters"] = [{"type": "RequestRedirect", "requestRedirect": redirect}]
        else:
            one["backendRefs"] = [
                {"name": service, "port": 80, "weight": random.choice([0, 1, 1, 9])}
                for service in random.choice([["plain"], ["plain", "other"], ["plain", "absent"]])
            ]
            if what < 0.5:
                one["filters"] = [{"type": "URLRewrite", "urlRewrite": _rewrite(random, kind)}]
            elif what < 0.6:
                one["filters"] = [_header_filter()]
        rules.append(one)
    return _http_route(random, name, rules)


def _http_route(random: Random, name: str, rules: list[dict[str, Any]]) -> Document:
    parent: dict[str, Any] = {"name": "main"}
    if random.random() < 0.12:
        parent["sectionName"] = random.choice(["http", "https"])
    spec = {"parentRefs": [parent], "hostnames": [random.choice(cast.HOSTS)], "rules": rules}
    return document("HTTPRoute", name, spec, group=_GATEWAY_API)


def _match(random: Random, kind: str, path: str, *, patterns: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"path": {"type": kind, "value": path}}
    pattern = patterns and random.random() < 0.3
    if random.random() < 0.2:
        found["method"] = random.choice(["GET", "POST", "PUT"])
    if random.random() < 0.25:
        found["headers"] = [{"name": "X-Canary", "value": "y.*|no", "type": "RegularExpression"}
                            if pattern else {"name": "X-Canary", "value": "yes"}]  # fmt: skip
    if random.random() < 0.2:
        found["queryParams"] = [{"name": "x", "value": "[0-9]+", "type": "RegularExpression"}
                                if pattern else {"name": "x", "value": "1"}]  # fmt: skip
    return found


def _rewrite(random: Random, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {"path": _path_modifier(random, kind)} if random.random() < 0.8 else {}
    if not found or random.random() < 0.3:
        found["hostname"] = "behind.example"
    return found


def _redirect(random: Random, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {"statusCode": random.choice([301, 302, 303, 307, 308])}
    if random.random() < 0.4:
        found["scheme"] = random.choice(["http", "https"])
    if random.random() < 0.4:
        found["hostname"] = "elsewhere.example"
    if random.random() < 0.3:
        found["port"] = random.choice([80, 443, 8443])
    if random.random() < 0.5:
        found["path"] = _path_modifier(random, kind)
    return found


def _path_modifier(random: Random, kind: str) -> dict[str, Any]:
    if kind != "PathPrefix" or random.random() < 0.3:
        new = random.choice(["/new", "/", "/v2/models/m0/infer", "/a/b/"])
        return {"type": "ReplaceFullPath", "replaceFullPath": new}
    new = random.choice(["/", "/new", "/new/", "/v2", "/v1"])
    return {"type": "ReplacePrefixMatch", "replacePrefixMatch": new}


def _header_filter() -> dict[str, Any]:
    edit = {"set": [{"name": "X-Canary", "value": "set"}], "add": [{"name": "X-Added", "value": "1"}],
            "remove": ["X-Purpose"]}  # fmt: skip
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": edit}
