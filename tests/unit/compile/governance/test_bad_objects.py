"""Documents that ask for too much, point elsewhere or make no sense: one table per category.

Each is added to a World with two teams. It must be refused or found, no row may lead past a policy,
and what the gate does for the other team must be the same, byte for byte, as without it.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from functools import cache

import pytest

from gatereeve.compile.compiler import Compiled
from gatereeve.compile.routes import patterns
from tests.support import teams
from tests.support.routes import (
    GATEWAY,
    answer,
    at,
    http_route,
    ingress,
    model,
    reference_grant,
    rows,
    service,
    tls_secret,
    to,
    to_model,
    to_service,
    version,
)
from tests.support.teams import EVIL, FINE, approval, grant, namespace, rollout
from tests.support.worlds import codes

BOUND_S = 5.0
WEB = to_service("web")
TO_WEB = "backendRefs: [{name: web, port: 80}]"


@cache
def without() -> str:
    return teams.slice_of(teams.compiled(*teams.BASE))


def held(*texts: str, expected: Iterable[str] = ()) -> Compiled:
    """The compilation with the bad documents, after everything that holds for all of them."""
    began = time.process_time()
    made = teams.compiled(*teams.BASE, *texts)
    assert time.process_time() - began < BOUND_S
    assert teams.slice_of(made) == without()
    assert teams.ways_past_policy(made) == []
    assert set(expected) <= codes(made.findings), codes(made.findings)
    return made


def evil_ingress(*paths: str, **more: object) -> str:
    return ingress("bad", *(paths or (f"Prefix / {WEB}",)), ns=EVIL, **more)  # type: ignore[arg-type]  # by name


def evil_route(*rules: str, **more: str) -> str:
    return http_route(*(rules or (f"{{{TO_WEB}}}",)), name="bad", ns=EVIL, **more)


def document(kind: str, spec: str, *, name: str = "bad", ns: str = EVIL) -> str:
    place = f", namespace: {ns}" if ns else ""
    head = f"apiVersion: gatereeve.dev/v1alpha1\nkind: {kind}\n"
    return f"{head}metadata: {{name: {name}{place}}}\nspec: {spec}\n"


HOSTS = (None, "", "*", "*.example", "fine.example", "www.fine.example", "new.fine.example", "*.fine.example", "*.www.fine.example",
         "fine.example.", "fine.example:443", "FINE.EXAMPLE", "fine.example ", "fine .example", "fine.example/x", "xn--fne-1ma.example", "f\u0131ne.example",
         "evil.example.fine.example", "*", "*.*.example", "**.example", ".fine.example", "fine..example", "-fine.example", "127.0.0.1", "localhost", "a" * 300)  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/", "/v2", "/v2/models/credit/infer", "/api"])
def test_hosts_that_were_not_granted(host: str | None, path: str) -> None:
    made = held(evil_ingress(f"Prefix {path} {WEB}", host=host))
    assert codes(made.findings) & {"host-not-granted", "host-invalid"}
    hosts = "[]" if host is None else f'["{host}"]'
    made = held(evil_route(f"{{matches: [{{path: {{value: {path}}}}}], {TO_WEB}}}", hosts=hosts))
    assert codes(made.findings) & {"host-not-granted", "host-invalid"}


def test_every_host_at_once_through_a_gateway_of_ones_own() -> None:
    gateway = GATEWAY.replace("name: main, namespace: platform", f"name: mine, namespace: {EVIL}")
    for hosts in ("[]", '["*.example"]', '["fine.example", "www.fine.example"]'):
        held(
            gateway,
            evil_route(hosts=hosts, parents="[{name: mine}]"),
            expected=["host-not-granted"],
        )


GRANTS = (
    (grant(EVIL, '["shared.example"]', '["/evil"]', "shared"), "/evilx"),
    (grant(EVIL, '["shared.example"]', '["/evil"]', "shared"), "/"),
    (grant(EVIL, '["shared.example"]', '["/evil/"]', "shared"), "/evi"),
    (grant(EVIL, '["shared.example"]', '["/evil/.."]', "shared"), "/x"),
    (grant(EVIL, '["shared.example"]', '["/evil;"]', "shared"), "/evil"),
)


@pytest.mark.parametrize(("given", "path"), GRANTS)
def test_paths_that_were_not_granted(given: str, path: str) -> None:
    held(
        given,
        evil_ingress(f"Prefix {path} {WEB}", host="shared.example"),
        expected=["host-not-granted"],
    )


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_colliding_claims_have_one_winner_and_a_loser_that_is_told(names: tuple[str, str]) -> None:
    same = ", creationTimestamp: 2026-01-01T00:00:00Z"
    both = [
        ingress(name, f"Prefix /x {WEB}", host="new.evil.example", ns=EVIL, meta=same)
        for name in names
    ]
    made = held(*both, expected=["route-conflict"])
    assert {str(f.origin) for f in made.findings if f.code == "route-conflict"} == {
        "Ingress evil/b spec.rules[0].http.paths[0]"
    }


PATHS = ("/a//b", "/a/./b", "/a/../b", "/..", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\\\b", "/%2e%2e/b", "/%61", "/a;b", "/a?b", "/a#b", "/a b", "/a\\tb", "/a\\nb",
         "/a\\0", "a", "//", "/\u00e9", "/%", "/%zz", "/%c0%ae", "/" + "a" * 2000, '/a\\"b', "/{a}", "/a|b", "/a^b", "/a\\r\\nX: y")  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
@pytest.mark.parametrize("kind", ["Exact", "Prefix", "ImplementationSpecific"])
def test_path_shapes(path: str, kind: str) -> None:
    text = evil_ingress("Prefix /HERE " + to_model(), host="evil.example")
    text = text.replace("path: '/HERE'", f'path: "{path}"').replace(
        "pathType: Prefix", f"pathType: {kind}"
    )
    held(text, expected=["path-refused"])
    match = f'matches: [{{path: {{type: {"Exact" if kind == "Exact" else "PathPrefix"}, value: "{path}"}}}}]'
    held(evil_route(f"{{{match}, {TO_WEB}}}", hosts="[evil.example]"), expected=["path-refused"])


PATTERNS = ("(a+)+$", "(a|a)*b{100}{100}", "/((a{100}){100}){100}", "/(a", "[z-a]", "(?=a)", "(?i)a", "\\\\1", "a" * 2000, ".*.*.*" * 200, "\\\\p{L}", "[[:alpha:]]", "a{1001}", "*",
            "\\\\Qa\\\\E", "(?P<x>a)", "\u00e9", "\\\\x00", "(" * 500 + ")" * 500)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS, ids=range(len(PATTERNS)))
def test_patterns(pattern: str) -> None:
    for match in (
        f'path: {{type: RegularExpression, value: "{pattern}"}}',
        f'headers: [{{name: a, type: RegularExpression, value: "{pattern}"}}]',
        f'queryParams: [{{name: a, type: RegularExpression, value: "{pattern}"}}]',
    ):
        made = held(evil_route(f"{{matches: [{{{match}}}], {TO_WEB}}}", hosts="[evil.example]"))
        if pattern != "(a+)+$" and not pattern.startswith(".*"):  # linear in RE2, so it may stand
            assert "pattern-refused" in codes(made.findings)


ANNOTATIONS = (
    ("nginx.ingress.kubernetes.io/configuration-snippet", "return 200;"), ("nginx.ingress.kubernetes.io/server-snippet", "location / {}"),
    ("nginx.ingress.kubernetes.io/auth-url", "http://x/#;"), ("nginx.ingress.kubernetes.io/auth-tls-match-cn", "CN=a"),
    ("nginx.ingress.kubernetes.io/mirror-target", "http://x"), ("nginx.ingress.kubernetes.io/rewrite-target", '/"'),
    ("nginx.ingress.kubernetes.io/permanent-redirect", "https://x"), ("nginx.ingress.kubernetes.io/whitelist-source-range", "10.0.0.0/8"),
    ("nginx.ingress.kubernetes.io/auth-secret", "../x"), ("nginx.ingress.kubernetes.io/custom-http-errors", "404"),
    ("nginx.ingress.kubernetes.io/anything-new", "x"), ("haproxy.org/backend-config-snippet", "x"), ("traefik.ingress.kubernetes.io/router.middlewares", "x"),
    ("alb.ingress.kubernetes.io/auth-type", "oidc"), ("konghq.com/plugins", "key-auth"), ("projectcontour.io/websocket-routes", "/"),
    ("gatereeve.dev/evil", "a\\nb"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "value"), ANNOTATIONS, ids=[a[0] for a in ANNOTATIONS])
def test_foreign_annotations(name: str, value: str) -> None:
    meta = f', annotations: {{{name}: "{value.replace(chr(34), chr(92) + chr(34))}"}}'
    made = held(evil_ingress(host="evil.example", meta=meta))
    if name.startswith("gatereeve.dev"):
        assert {"Ingress/evil/bad" not in r.name for r in rows(made, "fine.example")} == {True}
    else:
        assert "annotation-refused" in codes(made.findings)
        assert not any("evil/bad" in r.name for r in rows(made, "evil.example"))


@pytest.mark.parametrize(
    ("annotated", "named", "code"),
    [("theirs", "gatereeve", "class-ambiguous"), ("gatereeve", "theirs", "class-ambiguous"), ("theirs", "others", "class-unknown"),
     (None, "others", "class-unknown"), ("others", None, "class-unknown"), (None, None, "class-unknown"), ("", "gatereeve", "class-ambiguous")],
)  # fmt: skip
def test_class_ambiguity(annotated: str | None, named: str | None, code: str) -> None:
    meta = (
        ""
        if annotated is None
        else f', annotations: {{kubernetes.io/ingress.class: "{annotated}"}}'
    )
    text = evil_ingress(host="evil.example", meta=meta)
    text = text.replace(
        "ingressClassName: gatereeve, ", "" if named is None else f"ingressClassName: {named}, "
    )
    made = held(text, expected=[code])
    assert not any("evil/bad" in r.name for r in rows(made, "evil.example"))


@pytest.mark.parametrize("backend", [WEB, to_model()])
def test_a_catch_all_of_a_tenant(backend: str) -> None:
    bare = f", defaultBackend: {{{backend}}}"
    made = held(ingress("bad", ns=EVIL, more=bare), expected=["host-not-granted"])
    assert not rows(made, "*")
    made = held(evil_ingress(host="evil.example", more=bare), expected=["host-not-granted"])
    assert not rows(made, "*")
    held(
        GATEWAY.replace("name: main", "name: other"),
        evil_route(hosts="[]"),
        expected=["host-not-granted"],
    )


def tls(secret: str, hosts: str = "[evil.example]") -> str:
    return evil_ingress(
        host="evil.example", more=f", tls: [{{hosts: {hosts}, secretName: {secret}}}]"
    )


GARBAGE = base64.b64encode(b"not a certificate").decode()
SECRETS = (
    (tls_secret("x", EVIL, ("evil.example",), secret_type="Opaque"), "tls-secret-invalid"),
    (tls_secret("x", EVIL, ("other.example",)), "tls-host-mismatch"),
    (tls_secret("x", EVIL, ()), "tls-host-mismatch"),
    (tls_secret("x", EVIL, ("evil.example",), crt="garbage"), "tls-secret-invalid"),
    (tls_secret("x", EVIL, ("evil.example",), key="garbage"), "tls-secret-invalid"),
    (tls_secret("x", EVIL, ("evil.example",), kind="1024"), "tls-secret-invalid"),
    (f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x, namespace: {EVIL}}}\ntype: kubernetes.io/tls\ndata: {{tls.crt: {GARBAGE}, tls.key: {GARBAGE}}}\n", "tls-secret-invalid"),
    (f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x, namespace: {EVIL}}}\ntype: kubernetes.io/tls\ndata: {{tls.crt: '%%%'}}\n", "invalid-field"),
    (f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x, namespace: {EVIL}}}\ntype: kubernetes.io/tls\n", "tls-secret-invalid"),
    (tls_secret("x", FINE, ("evil.example",)), "tls-secret-invalid"),
)  # fmt: skip


@pytest.mark.parametrize(("secret", "code"), SECRETS, ids=range(len(SECRETS)))
def test_tls_material(secret: str, code: str) -> None:
    held(secret, tls("x"), expected=[code])


@pytest.mark.parametrize(
    "hosts", ["[fine.example]", '["*.fine.example"]', "[www.fine.example, evil.example]", "[]"]
)
def test_a_certificate_for_somebody_elses_host(hosts: str) -> None:
    mine = tls_secret("x", EVIL, ("fine.example", "*.fine.example", "evil.example"))
    made = held(mine, tls("x", hosts))
    assert hosts == "[]" or "host-not-granted" in codes(made.findings)
    gateway = f"""
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {{name: mine, namespace: {EVIL}}}
    spec:
      gatewayClassName: gatereeve
      listeners:
        - name: https
          port: 8443
          protocol: HTTPS
          tls: {{certificateRefs: [{{name: x}}]}}
          allowedRoutes: {{namespaces: {{from: All}}}}
    """
    route = http_route(
        f"{{{TO_WEB}}}",
        name="bad",
        ns=EVIL,
        hosts='["fine.example", "evil.example"]',
        parents="[{name: mine}]",
    )
    held(mine, gateway, route, expected=["host-not-granted"])


REFERENCES = (
    f"{{backendRefs: [{{name: web, namespace: {FINE}, port: 80}}]}}",
    f"{{backendRefs: [{{group: gatereeve.dev, kind: Model, name: credit, namespace: {FINE}}}]}}",
    f"{{{TO_WEB}, filters: [{{type: RequestMirror, requestMirror: {{backendRef: {{name: web, namespace: {FINE}, port: 80}}}}}}]}}",
)
WRONG_GRANTS = (
    (),
    (reference_grant("/Service", ns=EVIL), reference_grant("gatereeve.dev/Model", ns=EVIL)),
    (reference_grant("/Service", ns=FINE, from_ns="other"),),
    (reference_grant("/Service", ns=FINE, from_kind="Gateway", from_ns=EVIL), reference_grant("gatereeve.dev/Model", ns=FINE, from_kind="Ingress", from_ns=EVIL)),
    (reference_grant("/Secret", ns=FINE, from_ns=EVIL),),
    (reference_grant("/Service", ns=FINE, from_ns=EVIL).replace("to: [", "too: ["),),
)  # fmt: skip


@pytest.mark.parametrize("rule", REFERENCES, ids=range(len(REFERENCES)))
@pytest.mark.parametrize("grants", WRONG_GRANTS, ids=range(len(WRONG_GRANTS)))
def test_cross_namespace_references(rule: str, grants: tuple[str, ...]) -> None:
    made = held(
        *grants, evil_route(rule, hosts="[new.evil.example]"), expected=["backend-not-granted"]
    )
    assert to(answer(rows(made, "new.evil.example"), "/")) in {
        "refuse no-backend",
        "service/evil/web/80",
    }


def test_a_secret_of_another_namespace_behind_a_listener() -> None:
    gateway = GATEWAY.replace(
        "name: main, namespace: platform", f"name: mine, namespace: {EVIL}"
    ).replace(
        "protocol: HTTPS,",
        f"protocol: HTTPS, tls: {{certificateRefs: [{{name: tls, namespace: {FINE}}}]}},",
    )
    held(
        gateway,
        evil_route(hosts="[new.evil.example]", parents="[{name: mine}]"),
        expected=["secret-not-granted"],
    )


BACKENDS = (
    ("backendRefs: [{name: gone, port: 80}]", "backend-not-found"), ("backendRefs: [{name: web, port: 81}]", "backend-port-unknown"),
    ("backendRefs: [{name: web}]", "backend-port-unknown"), ("backendRefs: [{name: web, port: 80, weight: 0}]", "backend-not-found"),
    ("backendRefs: []", "backend-not-found"), ("backendRefs: [{name: x, kind: Bucket, group: s3.example}]", "backend-kind-unknown"),
    ("backendRefs: [{name: credit, kind: Model}]", "backend-kind-unknown"), ("backendRefs: [{name: web, kind: Service, group: gatereeve.dev, port: 80}]", "backend-kind-unknown"),
    ("backendRefs: [{name: gone, kind: Model, group: gatereeve.dev}]", "model-not-found"), ("backendRefs: [{name: web, port: 80, weight: -1}]", "invalid-field"),
    ("backendRefs: [{name: web, port: 99999}]", "invalid-field"), ("backendRefs: [{name: web, port: 80}, {group: gatereeve.dev, kind: Model, name: credit}]", "backend-mix"),
    ("backendRefs: [{name: ../fine/web, port: 80}]", "backend-not-found"), (f"backendRefs: [{{name: {FINE}/web, port: 80}}]", "backend-not-found"),
)  # fmt: skip


@pytest.mark.parametrize(("refs", "code"), BACKENDS, ids=range(len(BACKENDS)))
def test_backend_references(refs: str, code: str) -> None:
    made = held(evil_route(f"{{{refs}}}", hosts="[new.evil.example]"), expected=[code])
    assert to(answer(rows(made, "new.evil.example"), "/")) in {"refuse no-backend", "404"}


@pytest.mark.parametrize(
    "parents",
    ["[]", "[{name: gone, namespace: platform}]", "[{name: main}]", "[{name: main, namespace: platform, sectionName: gone}]", "[{name: main, namespace: platform, port: 1}]",
     "[{kind: Service, group: '', name: web}]", "[{name: web, kind: Gateway, group: example.com}]", "[{name: '', namespace: platform}]", "[{name: main, namespace: fine}]"],
)  # fmt: skip
def test_parent_references(parents: str) -> None:
    made = held(evil_route(hosts="[new.evil.example]", parents=parents))
    assert not rows(made, "new.evil.example")


ADDRESSES = ("169.254.169.254", "169.254.0.1", "100.100.100.200", "168.63.129.16", "0.0.0.0", "255.255.255.255", "224.0.0.1", "metadata.internal", "2852039166", "0xa9fea9fe",
             "169.254.169.254\\n", "[::1]", "::ffff:169.254.169.254", "fd00:ec2::254", "fe80::1%eth0", "")  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES, ids=range(len(ADDRESSES)))
def test_services_that_point_elsewhere(address: str) -> None:
    made = held(
        service("bad", "10.9.9.9", ns=EVIL).replace("10.9.9.9", address),
        evil_ingress(f"Prefix / {to_service('bad')}", host="new.evil.example"),
        expected=["backend-address-refused"],
    )
    clusters = [
        c for gate in made.ir.gates for c in gate.clusters if c.name == "service/evil/bad/80"
    ]
    assert [teams.reached(cluster) for cluster in clusters] == [set()]


def test_a_version_that_points_elsewhere() -> None:
    for address in ("169.254.169.254", "0.0.0.0", "::ffff:169.254.169.254", "224.0.0.1"):
        bad = version("credit", "2", at(address), ns=EVIL)
        held(bad, expected=["backend-address-refused"])


FINES = f"{teams.MODEL_ADDRESSES[FINE]}"
HIDDEN = (
    service("bad", FINES, ns=EVIL, port=teams.MODEL_PORT),
    service("bad", "10.9.9.9", FINES, ns=EVIL, port=teams.MODEL_PORT),
    service("bad", f"::ffff:{FINES}", ns=EVIL, port=teams.MODEL_PORT).replace("IPv4", "IPv6"),
    service("bad", f"64:ff9b::{FINES}", ns=EVIL, port=teams.MODEL_PORT).replace("IPv4", "IPv6"),
    service("bad", FINES, ns=EVIL, port=teams.MODEL_PORT).replace(f'["{FINES}"]}}', f'["{FINES}"], conditions: {{ready: false}}}}'),
    service("bad", "10.9.9.9", ns=EVIL, port=teams.MODEL_PORT) + service("bad", FINES, ns=EVIL, port=teams.MODEL_PORT).partition("---")[2].replace("name: bad-1", "name: bad-2").join(("---", "")),
)  # fmt: skip


WIDE = (
    grant(EVIL, "[wide.evil.example]", name="wide")
    .replace(teams.NETWORKS[EVIL], "10.0.0.0/8")
    .replace("}]", '}, {cidr: "64:ff9b::/96"}]')
)


@pytest.mark.parametrize("services", HIDDEN, ids=range(len(HIDDEN)))
def test_a_wide_grant_gives_nothing_of_another_teams_model(services: str) -> None:
    """The team with the narrower grant has the address."""
    route = evil_ingress(f"Prefix / {to_service('bad')}", host="new.evil.example")
    made = held(services, WIDE, route, expected=["address-taken"])
    clusters = [c for g in made.ir.gates for c in g.clusters if c.name == "service/evil/bad/80"]
    assert all(not teams.reached(one) & teams.MODEL_SERVERS for one in clusters)


@pytest.mark.parametrize("services", HIDDEN, ids=range(len(HIDDEN)))
def test_a_hidden_path_to_another_teams_model(services: str) -> None:
    made = held(
        services,
        evil_ingress(f"Prefix / {to_service('bad')}", host="new.evil.example"),
        expected=["address-not-granted"],
    )
    assert to(answer(rows(made, "new.evil.example"), "/")) == "refuse no-backend"
    mirror = f"{{{TO_WEB}, filters: [{{type: RequestMirror, requestMirror: {{backendRef: {{name: bad, port: 80}}}}}}]}}"
    held(services, evil_route(mirror, hosts="[new.evil.example]"), expected=["address-not-granted"])


@pytest.mark.parametrize(
    "extra",
    [
        ", type: ExternalName, externalName: metadata.google.internal",
        ", type: ExternalName, externalName: web.fine.svc",
    ],
)
def test_an_external_name(extra: str) -> None:
    bad = service("bad", "10.9.9.9", ns=EVIL, extra=extra)
    made = held(
        bad,
        evil_ingress(f"Prefix / {to_service('bad')}", host="new.evil.example"),
        expected=["external-name-refused"],
    )
    assert to(answer(rows(made, "new.evil.example"), "/")) == "refuse no-backend"


POLICIES = (
    ("{models: [fine/credit], allow: [{subjects: [{anonymous: true}]}]}", "invalid-field"),
    ("{models: [credit, gone], allow: [{subjects: [{anonymous: true}]}]}", "model-not-found"),
    ("{models: [credit], namespace: fine, allow: [{subjects: [{anonymous: true}]}]}", "unknown-field"),
    ("{selector: {matchLabels: {team: fine}}, allow: [{subjects: [{anonymous: true}]}]}", "policy-matches-nothing"),
    ("{selector: {}, allow: [{subjects: [{anonymous: true}]}]}", "invalid-field"),
    ("{models: [credit]}", "policy-empty"), ("{models: [], allow: []}", "invalid-field"), ("{}", "policy-broken"), ("[]", "policy-broken"), ("null", "policy-broken"),
    ("{models: [credit], deny: [{}]}", "policy-broken"), ("{models: [credit], allow: [{}]}", "policy-broken"),
    ("{models: [credit], mode: audit, allow: [{subjects: [{anonymous: true}]}]}", "policy-broken"),
    ("{models: [credit], allow: [{subjects: [{anonymous: false}]}]}", "policy-broken"), ("{models: [credit], allow: [{subjects: [{group: staff}]}]}", "policy-broken"),
    ("{models: [credit], allow: [{subjects: [{principal: gone/alice}]}]}", "provider-unknown"),
    ("{models: [credit], deny: [{subjects: [{principal: gone/alice}]}]}", "provider-unknown"),
    ('{models: [credit], allow: [{subjects: [{principal: "corp/a\\nb"}]}]}', "policy-broken"),
)  # fmt: skip


@pytest.mark.parametrize(("spec", "code"), POLICIES, ids=range(len(POLICIES)))
def test_policy_attachment(spec: str, code: str) -> None:
    made = held(document("AccessPolicy", spec), expected=[code])
    if "policy-broken" in codes(made.findings):
        assert (
            to(answer(rows(made, "evil.example"), "/v2/models/credit/infer", "POST"))
            == "refuse policy-broken"
        )


def test_a_policy_deleted_while_its_route_lives() -> None:
    policies = [t for t in teams.BASE if "kind: AccessPolicy" in t and f"namespace: {EVIL}" in t]
    made = teams.compiled(*(t for t in teams.BASE if t not in policies))
    assert teams.slice_of(made) == without()
    (access,) = [a for a in made.ir.gates[0].access if a.model == "evil/credit"]
    assert access.allow == ()
    assert "no-allow-rule" in codes(made.findings)


JWT = "{name: corp, issuer: https://i.example, audiences: [gate], jwks: {inline: '{\"keys\": []}'}}"
IDENTITIES = (
    (JWT.replace("[gate]", "[]"), "invalid-field"), (JWT.replace("audiences: [gate], ", ""), "missing-field"), (JWT.replace("https://i.example", "''"), "invalid-field"),
    (JWT, "jwks-invalid"), (JWT.replace('{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}'), "jwks-invalid"), (JWT.replace('{"keys": []}', "[]"), "jwks-invalid"),
    (JWT.replace('{"keys": []}', "x" * 70_000), "invalid-field"), (JWT.replace("inline: '{\"keys\": []}'", "remote: {uri: 'http://i.example/jwks'}"), "jwks-unavailable"),
    (JWT.replace("inline: '{\"keys\": []}'", "remote: {uri: 'file:///etc/passwd'}"), "invalid-field"), (JWT.replace("inline: '{\"keys\": []}'", "source: {file: ../../etc/passwd}"), "invalid-field"),
    (JWT.replace("inline: '{\"keys\": []}'", "source: {secret: {namespace: fine, name: gone}, key: k}"), "jwks-invalid"),
)  # fmt: skip


@pytest.mark.parametrize(("provider", "code"), IDENTITIES, ids=range(len(IDENTITIES)))
def test_identity_providers(provider: str, code: str) -> None:
    """Of another Gate: what is wrong there stays there; and in the same one they admit nobody."""
    gate = document(
        "Gate",
        f"{{region: de, classes: [other], https: {{port: 9443}}, identity: {{jwt: [{provider}]}}}}",
        name="other",
        ns="",
    )
    made = held(gate)
    assert code in codes(made.findings) or {"missing-file"} & codes(made.findings), codes(
        made.findings
    )


@pytest.mark.parametrize(
    ("spec", "code"),
    [("{region: de, https: {port: 8443}}", "gate-conflict"), ("{region: de, https: {port: 9443}, classes: [gatereeve]}", "gate-conflict"), ("{region: de}", "invalid-field"),
     ("{region: de, https: {port: 0}}", "invalid-field"), ("{region: de, https: {port: 9443}, classes: [x], envoy: {admin: true}}", "unknown-field")],
)  # fmt: skip
def test_a_second_gate(spec: str, code: str) -> None:
    held(document("Gate", spec, name="zz", ns=""), expected=[code])


GOVERNANCE = (
    (approval(EVIL, "a", approver="mia"), "approval-self"),
    (approval(EVIL, "a", digest="sha256:" + "0" * 64), "version-changed"),
    (approval(EVIL, "a", digest=teams.digest_of(FINE), decision="reject"), "version-changed"),
    (approval(EVIL, "a", subject="gone"), "version-not-found"),
    (approval(EVIL, "a", more="\n  expires: 2020-01-01T00:00:00Z"), "approval-expired"),
    (approval(EVIL, "a", decision="reject"), "version-rejected"),
    (approval(EVIL, "a", decision="rejct"), "approval-broken"),
    (approval(EVIL, "a", role="king"), "invalid-field"),
    (approval(EVIL, "a", more="\n  expires: tomorrow"), "invalid-field"),
    (approval(EVIL, "a", subject=f"{FINE}/credit-1"), "invalid-field"),
    (teams.its_version(EVIL).replace("credit-1", "credit-x"), "version-duplicate"),
    (version("credit", "2", at("10.2.0.2"), ns=EVIL), "version-unapproved"),
    (model("bad", EVIL).replace("minimal", "prohibited"), "model-prohibited"),
    (model("bad", EVIL).replace("minimal", "low"), "invalid-field"),
    (rollout(EVIL).replace("name: credit,", "name: other,"), "rollout-conflict"),
    (rollout(EVIL, "{model: gone, split: [{version: '1', weight: 1}]}").replace("name: credit,", "name: other,"), "model-not-found"),
    (rollout(EVIL, "{model: credit, split: []}").replace("name: credit,", "name: other,"), "policy-broken"),
    (rollout(EVIL, "{model: credit, split: [{version: '1', weight: 0}]}").replace("name: credit,", "name: other,"), "policy-broken"),
    (rollout(EVIL, "{model: credit, split: [{version: '1', weight: 99999999}]}").replace("name: credit,", "name: other,"), "policy-broken"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "code"), GOVERNANCE, ids=range(len(GOVERNANCE)))
def test_governance_documents(text: str, code: str) -> None:
    held(text, expected=[code])


def test_an_approval_does_not_outlive_what_it_approved() -> None:
    """Replayed after the spec changed, it counts for nothing."""
    (old,) = [t for t in teams.BASE if t == teams.its_version(EVIL)]
    changed = [t.replace("10.2.0.1", "10.2.0.7") if t == old else t for t in teams.BASE]
    made = teams.compiled(*changed)
    assert teams.slice_of(made) == without()
    assert {"version-changed", "version-unapproved"} <= codes(made.findings)
    route = answer(rows(made, "evil.example"), "/v2/models/credit/infer", "POST")
    assert to(route) == "refuse no-eligible-version"


FORGED = (
    namespace("third", f"{{kubernetes.io/metadata.name: {FINE}, team: {FINE}}}") + ingress("bad", f"Prefix / {WEB}", ns="third", host="fine.example").join(("---", "")),
    evil_ingress(host="fine.example", meta=f", labels: {{team: {FINE}}}, ownerReferences: [{{kind: Gate, name: public}}], uid: x, generation: 99"),
    evil_ingress(host="fine.example", meta=", creationTimestamp: 1970-01-01T00:00:00Z"),
    evil_ingress(host="fine.example") + "status: {granted: true, conditions: [{type: Accepted, status: 'True'}]}\n",
    evil_route(hosts="[fine.example]") + "status: {parents: [{conditions: [{type: Accepted, status: 'True'}]}]}\n",
)  # fmt: skip


@pytest.mark.parametrize("text", FORGED, ids=range(len(FORGED)))
def test_forged_status_ownership_and_labels(text: str) -> None:
    held(text, expected=["host-not-granted"])


def test_a_forged_approval_in_a_status_is_not_read() -> None:
    bad = version("credit", "2", at("10.2.0.2"), ns=EVIL) + "status: {approved: true, digest: x}\n"
    held(bad, expected=["version-unapproved"])


LARGE = (
    evil_ingress(*(f"Prefix /p{n} {WEB}" for n in range(3000)), host="new.evil.example"),
    evil_ingress(host="new.evil.example", meta=", annotations: {x: " + "y" * 1_400_000 + "}"),
    evil_route(*(f"{{matches: [{{path: {{value: /p{n}}}}}], {TO_WEB}}}" for n in range(500)), hosts="[new.evil.example]"),
    evil_route(hosts="[" + ", ".join(f"h{n}.evil.example" for n in range(1000)) + "]"),
    service("bad", *(f"10.8.{n // 250}.{n % 250}" for n in range(3000)), ns=EVIL),
    document("AccessPolicy", "{models: [credit], allow: [" + "{subjects: [{anonymous: true}]}, " * 2000 + "]}"),
    document("AccessPolicy", "{models: [" + ", ".join(f"m{n}" for n in range(5000)) + "], allow: []}"),
    document("Model", "{owner: " + "o" * 500_000 + "}"),
    document("Model", "{fields: " + "[" * 5000 + "]" * 5000 + "}"),
    document("Model", "{x: &a [1, 2], y: [*a, *a]}"),
    document("Rollout", "{model: credit, match: [" + "{headers: {x: y}, version: '1'}, " * 3000 + "], split: [{version: '1', weight: 1}]}"),
    "\n---\n".join(document("Model", "{}", name=f"m{n}") for n in range(300)),
)  # fmt: skip


@pytest.mark.parametrize("text", LARGE, ids=range(len(LARGE)))
def test_size_and_depth_are_bounded(text: str) -> None:
    held(text)


def test_names_that_join_to_the_same_string_do_not_collide() -> None:
    pairs = (("a-b", "c"), ("a", "b-c"), ("a", "b.c"), ("a-b-c", "d"))
    texts = [
        text
        for number, (ns, name) in enumerate(pairs)
        for text in (
            grant(ns, f'["n{number}.example"]', name=f"g{number}").replace("10.9.", "10.7."),
            model(name, ns),
            version(name, "1", at(f"10.7.0.{number}"), ns=ns),
            service(f"web{number}", f"10.7.1.{number}", ns=ns),
            ingress(
                f"i{number}",
                f"Prefix / {to_model(name)}",
                f"Exact /x {to_service(f'web{number}')}",
                ns=ns,
                host=f"n{number}.example",
            ),
        )
    ]
    made = held(*texts)
    for number, (ns, name) in enumerate(pairs):
        found = rows(made, f"n{number}.example")
        cluster = f"model/{ns}/{name}/1"
        assert to(answer(found, f"/v2/models/{name}/infer", "POST")) == cluster
        (made_cluster,) = [c for c in made.ir.gates[0].clusters if c.name == cluster]
        assert {e.address for g in made_cluster.endpoints.groups for e in g.endpoints} == {
            f"10.7.0.{number}"
        }
    names = [c.name for c in made.ir.gates[0].clusters]
    assert len(names) == len(set(names))


NAMES = ("", " ", "A", "a_b", "a/b", "../x", "a..b", "-a", "a-", ".", "a" * 254, "\u00e9", "a\\nb", "a\\0", "null", "1", "true", "{}", "a b", "*", "a%2fb")  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("kind", ["Model", "AccessPolicy", "ModelVersion", "Rollout", "Approval"])
def test_names_that_kubernetes_would_refuse(name: str, kind: str) -> None:
    text = document(kind, "{}").replace("name: bad", f'name: "{name}"')
    made = held(text)
    assert [f for f in made.findings if f.severity == 3]


@pytest.mark.parametrize(
    "text",
    ["/[", "/[^", "/[a", "/[a-", "/([a", "/[\\", "/(", "/(a", "/a{", "/a{1", "/\\", "/(?", "/(?:"],
)
def test_a_pattern_that_breaks_off_is_refused_at_once(text: str) -> None:
    with pytest.raises(patterns.PatternError):
        patterns.bounded_pattern(text)
