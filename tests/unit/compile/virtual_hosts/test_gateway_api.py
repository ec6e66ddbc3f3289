"""Gateways and HTTPRoutes: attachment, hosts, matches and their precedence, filters, weights, timeouts."""

from __future__ import annotations

import pytest

from gatereeve.compile.routes.gateways import common_host
from gatereeve.ir.routes import Forward, HeaderEdit, Mirror, PathRewrite, Redirect
from tests.support.routes import (
    GATEWAY,
    answer,
    at,
    compiled,
    found,
    http_route,
    model,
    rows,
    service,
    to,
    version,
    vhost,
)

WEB = "---".join([GATEWAY, service("web", "10.0.0.1"), service("other", "10.0.0.2")])
TO_WEB = "backendRefs: [{name: web, port: 80}]"
TO_OTHER = "backendRefs: [{name: other, port: 80}]"


def forward(made: object, path: str = "/") -> Forward:
    route = answer(rows(made), path)  # type: ignore[arg-type]  # narrowed by every caller
    assert route is not None
    assert isinstance(route.action, Forward)
    return route.action


@pytest.mark.parametrize(
    ("listener", "route", "common"),
    [
        ("*", "*", "*"),
        ("*", "a.example", "a.example"),
        ("a.example", "*", "a.example"),
        ("a.example", "a.example", "a.example"),
        ("a.example", "b.example", None),
        ("*.example", "a.example", "a.example"),
        ("*.example", "a.b.example", "a.b.example"),
        ("*.example", "example", None),
        ("*.example", "*", "*.example"),
        ("*.example", "*.b.example", "*.b.example"),
        ("*.b.example", "*.example", "*.b.example"),
        ("a.example", "*.example", "a.example"),
        ("example", "*.example", None),
        ("*.example", "*.example", "*.example"),
        ("*.a.example", "*.b.example", None),
        ("*.example", "badexample", None),
    ],
)
def test_hosts_in_common(listener: str, route: str, common: str | None) -> None:
    assert common_host(listener, route) == common


@pytest.mark.parametrize(
    ("parents", "https", "http"),
    [
        ("[{name: main, namespace: platform}]", True, True),
        ("[{name: main, namespace: platform, sectionName: https}]", True, False),
        ("[{name: main, namespace: platform, port: 8080}]", False, True),
        ("[{name: main, namespace: platform, sectionName: https, port: 8080}]", False, False),
        ("[{name: main, namespace: platform, sectionName: none}]", False, False),
        ("[{name: main}]", False, False),
        ("[{name: gone, namespace: platform}]", False, False),
        ("[{name: gone, namespace: platform}, {name: main, namespace: platform}]", True, True),
    ],
)
def test_parents(parents: str, https: bool, http: bool) -> None:
    made = compiled(WEB, http_route(f"{{{TO_WEB}}}", parents=parents))
    assert bool(rows(made)) is https
    assert bool(rows(made, protocol="http")) is http
    assert bool(found(made, "parent-not-found")) is ("gone" in parents or not (https or http))


def gateway(listeners: str, name: str = "main") -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: platform}}
spec: {{gatewayClassName: gatereeve, listeners: [{listeners}]}}
"""


@pytest.mark.parametrize(
    ("allowed", "labels", "served"),
    [
        ("{namespaces: {from: All}}", "", True),
        ("{namespaces: {from: Same}}", "", False),
        ("{}", "", False),
        ("{namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}", "team: a", True),
        ("{namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}", "team: b", False),
        ("{namespaces: {from: Selector}}", "", False),
        ("{namespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: In, values: [a, b]}]}}}", "team: b", True),
        ("{namespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: NotIn, values: [a]}]}}}", "team: a", False),
        ("{namespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: Exists}]}}}", "", False),
        ("{namespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: DoesNotExist}]}}}", "", True),
        ("{namespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: Odd}]}}}", "team: a", False),
        ("{namespaces: {from: All}, kinds: [{kind: HTTPRoute}]}", "", True),
        ("{namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}", "", False),
        ("{namespaces: {from: All}, kinds: [{kind: GRPCRoute}, {kind: HTTPRoute}]}", "", True),
    ],
)  # fmt: skip
def test_allowed_routes(allowed: str, labels: str, served: bool) -> None:
    made = compiled(
        gateway(f"{{name: https, port: 8443, protocol: HTTPS, allowedRoutes: {allowed}}}"),
        f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{{labels}}}}}\n",
        service("web", "10.0.0.1"),
        http_route(f"{{{TO_WEB}}}"),
    )
    assert bool(rows(made)) is served
    assert bool(found(made, "parent-not-allowed")) is not served
    assert bool(found(made, "listener-invalid")) is ("GRPCRoute" in allowed)


ALL = "allowedRoutes: {namespaces: {from: All}}"


@pytest.mark.parametrize(
    ("listener", "code"),
    [
        ("{name: x, port: 443, protocol: HTTPS}", "listener-invalid"),
        ("{name: x, port: 8080, protocol: HTTPS}", "listener-invalid"),
        ("{name: x, port: 8443, protocol: TLS}", "listener-invalid"),
        ("{name: x, port: 8443, protocol: example.com/FOO}", "listener-invalid"),
        ("{name: x, port: 8443, protocol: HTTPS, tls: {mode: Passthrough}}", "listener-invalid"),
        ("{name: x, port: 8443, protocol: HTTPS, tls: {frontendValidation: {caCertificateRefs: [{name: ca}]}}}", "listener-invalid"),
        ("{name: x, port: 8443, protocol: HTTPS, tls: {frontendValidation: {}}}", "listener-invalid"),
        ("{name: x, port: 8443, protocol: HTTPS, tls: {options: {example.com/client-certificate: required}}}", "listener-invalid"),
        ("{name: x, port: 8443, protocol: HTTPS, hostname: Bad_Host}", "host-invalid"),
        ("{name: ok, port: 8443, protocol: HTTPS, hostname: other.example}", "listener-conflict"),
        ("{name: x, port: 8443, protocol: HTTPS}", None),
    ],
)  # fmt: skip
def test_listeners(listener: str, code: str | None) -> None:
    listener = listener.replace("port: 443", "port: 443").removesuffix("}") + f", {ALL}}}"
    ok = f"{{name: ok, port: 8443, protocol: HTTPS, hostname: shop.example, {ALL}}}"
    made = compiled(
        gateway(f"{ok}, {listener}"), service("web", "10.0.0.1"), http_route(f"{{{TO_WEB}}}")
    )
    assert rows(made)
    if code is None and "port: 8443, protocol: HTTPS, allowed" in listener:
        assert not found(made, "listener-invalid")
    elif code is not None:
        assert any("listeners[1]" in place for place in found(made, code))


@pytest.mark.parametrize(
    ("tls", "https", "http"),
    [
        ("tls: {frontend: {default: {validation: {caCertificateRefs: [{name: ca}]}}}}", False, True),
        ("tls: {frontend: {default: {validation: {mode: AllowInsecureFallback}}}}", False, True),
        ("tls: {frontend: {perPort: [{port: 8443, tls: {validation: {}}}]}}", False, True),
        ("tls: {frontend: {perPort: [{port: 8443, tls: {}}, {port: 8443, tls: {validation: {}}}]}}", False, True),
        ("tls: {frontend: {perPort: [{port: 9443, tls: {validation: {}}}]}}", True, True),
        ("tls: {frontend: {default: {validation: {}}, perPort: [{port: 8443, tls: {}}]}}", True, True),
        ("tls: {frontend: {default: {}}}", True, True),
        ("tls: {backend: {clientCertificateRef: {name: me}}}", False, False),
        ("backendTLS: {clientCertificateRef: {name: me}}", False, False),
    ],
)  # fmt: skip
def test_a_gateway_that_asks_for_client_certificates_does_not_open_without(
    tls: str, https: bool, http: bool
) -> None:
    listeners = [
        f"{{name: https, port: 8443, protocol: HTTPS, {ALL}}}",
        f"{{name: http, port: 8080, protocol: HTTP, {ALL}}}",
    ]
    text = gateway(", ".join(listeners)).replace("spec: {", f"spec: {{{tls}, ")
    made = compiled(text, service("web", "10.0.0.1"), http_route(f"{{{TO_WEB}}}"))
    assert bool(rows(made)) is https
    assert bool(rows(made, protocol="http")) is http
    assert len(found(made, "listener-invalid")) == (not https) + (not http)


def test_only_hosts_in_common_are_served() -> None:
    made = compiled(
        gateway(f"{{name: https, port: 8443, protocol: HTTPS, hostname: '*.example', {ALL}}}"),
        service("web", "10.0.0.1"),
        http_route(f"{{{TO_WEB}}}", hosts="[shop.example, shop.invalid]"),
        http_route(f"{{{TO_WEB}}}", hosts="[far.invalid]", name="far"),
        http_route(f"{{{TO_WEB}}}", hosts="[]", name="none"),
    )
    hosts = [h.host for h in made.ir.gates[0].listeners[0].hosts]
    assert hosts == ["*.example", "shop.example"]
    assert found(made, "no-matching-host") == ["HTTPRoute shop/far spec.hostnames"]
    served = vhost(made, "*.example")
    assert served is not None
    assert not served.single_label


def test_gateways_of_other_classes_are_left_alone() -> None:
    made = compiled(
        GATEWAY.replace("gatewayClassName: gatereeve", "gatewayClassName: theirs"),
        service("web", "10.0.0.1"),
        http_route(f"{{{TO_WEB}}}"),
    )
    assert not rows(made)
    assert not found(made, "parent-not-found")
    assert found(made, "class-unknown") == ["Gateway platform/main spec.gatewayClassName"]


def test_precedence_of_matches() -> None:
    made = compiled(
        WEB,
        http_route(
            "{matches: [{path: {value: /}}], backendRefs: [{name: web, port: 80, weight: 1}]}",
            "{name: longer, matches: [{path: {value: /a/b}}], backendRefs: [{name: other, port: 80}]}",
            "{matches: [{path: {type: Exact, value: /a/b}}], filters: [{type: RequestRedirect, requestRedirect: {statusCode: 301}}]}",
            "{matches: [{path: {value: /a/b}, method: POST}], filters: [{type: RequestRedirect, requestRedirect: {statusCode: 302}}]}",
            "{matches: [{path: {value: /a/b}, headers: [{name: X-A, value: '1'}]}], filters: [{type: RequestRedirect, requestRedirect: {statusCode: 303}}]}",
            "{matches: [{path: {value: /a/b}, headers: [{name: X-A, value: '1'}, {name: x-b, value: '2'}]}], filters: [{type: RequestRedirect, requestRedirect: {statusCode: 307}}]}",
            "{matches: [{path: {value: /a/b}, queryParams: [{name: q, value: '1'}]}], filters: [{type: RequestRedirect, requestRedirect: {statusCode: 308}}]}",
        ),
    )
    found_rows = rows(made)
    assert to(answer(found_rows, "/x")) == "service/shop/web/80"
    assert to(answer(found_rows, "/a/b/c")) == "service/shop/other/80"
    assert to(answer(found_rows, "/a/b")) == "redirect 301"
    assert to(answer(found_rows, "/a/b/c", "POST", {"x-a": "1", "x-b": "2"})) == "redirect 302"
    assert (
        to(answer(found_rows, "/a/b/c", headers={"x-a": "1"}, query={"q": "1"})) == "redirect 303"
    )
    assert to(answer(found_rows, "/a/b/c", headers={"x-a": "1", "x-b": "2"})) == "redirect 307"
    assert to(answer(found_rows, "/a/b/c", query={"q": "1"})) == "redirect 308"


def test_rule_order_is_the_last_word_inside_a_route() -> None:
    made = compiled(
        WEB,
        http_route(
            f"{{matches: [{{headers: [{{name: a, value: '1'}}]}}], {TO_WEB}}}",
            f"{{matches: [{{headers: [{{name: b, value: '1'}}]}}], {TO_OTHER}}}",
        ),
    )
    assert to(answer(rows(made), "/", headers={"a": "1", "b": "1"})) == "service/shop/web/80"


def test_of_two_matches_on_one_header_the_first_counts() -> None:
    made = compiled(
        WEB,
        http_route(
            f"{{matches: [{{headers: [{{name: A, value: '1'}}, {{name: a, value: '2'}}]}}], {TO_WEB}}}"
        ),
    )
    assert [(m.name, m.value) for m in rows(made)[0].match.headers] == [("a", "1")]


@pytest.mark.parametrize(
    ("match", "code"),
    [
        ("path: {type: RegularExpression, value: '/a/[0-9]+'}", None),
        ("path: {type: RegularExpression, value: '^/a/(b|c)$'}", None),
        ("path: {type: RegularExpression, value: '/(a+)+'}", None),
        ("path: {type: RegularExpression, value: '/(?=a)'}", "pattern-refused"),
        ("path: {type: RegularExpression, value: '/(a)\\1'}", "pattern-refused"),
        ("path: {type: RegularExpression, value: '/a{1000}'}", "pattern-refused"),
        ("path: {type: RegularExpression, value: '/((a{100}){100}){100}'}", "pattern-refused"),
        ("path: {type: RegularExpression, value: '/(a'}", "pattern-refused"),
        ("path: {type: RegularExpression, value: '/a)'}", "pattern-refused"),
        ("path: {type: RegularExpression, value: '/[b-a]'}", "pattern-refused"),
        ("path: {type: RegularExpression, value: '/a**'}", "pattern-refused"),
        ("path: {type: RegularExpression, value: '(?i)/a'}", "pattern-refused"),
        ("path: {type: RegularExpression, value: ''}", "pattern-refused"),
        ("path: {type: RegularExpression, value: '/é'}", "pattern-refused"),
        ("path: {type: PathPrefix, value: '/a/../b'}", "path-refused"),
        ("path: {type: Exact, value: '/a;b'}", "path-refused"),
        ("headers: [{name: host, value: a}]", "rule-invalid"),
        ("headers: [{name: x_a, value: a}]", "rule-invalid"),
        ("headers: [{name: ':path', value: a}]", "rule-invalid"),
        ('headers: [{name: a, value: "x\\ny"}]', "rule-invalid"),
        ("headers: [{name: a, type: RegularExpression, value: '(?!x)'}]", "pattern-refused"),
        ("headers: [{name: a, type: RegularExpression, value: 'x.*'}]", None),
        ("queryParams: [{name: 'a b', value: a}]", "rule-invalid"),
        ("method: CONNECT", "rule-invalid"),
        ("method: get", "rule-invalid"),
        ("method: GET", None),
    ],
)  # fmt: skip
def test_matches_that_are_kept_or_refused(match: str, code: str | None) -> None:
    made = compiled(WEB, http_route(f"{{matches: [{{{match}}}], {TO_WEB}}}"))
    assert bool(rows(made)) is (code is None)
    assert code is None or found(made, code)


def test_weights_and_shares_without_a_backend() -> None:
    made = compiled(
        WEB,
        http_route(
            "{backendRefs: [{name: web, port: 80, weight: 7}, {name: gone, port: 80, weight: 3}, {name: other, port: 80, weight: 0}]}"
        ),
    )
    assert to(answer(rows(made), "/")) == "service/shop/web/80 7, - 3"
    assert found(made, "backend-not-found") == ["HTTPRoute shop/web spec.rules[0].backendRefs[1]"]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("backendRefs: []", "backend-not-found"),
        ("backendRefs: [{name: web, port: 80, weight: 0}]", "backend-not-found"),
        ("backendRefs: [{name: web}]", "backend-port-unknown"),
        ("backendRefs: [{name: web, kind: Bucket, group: x.example}]", "backend-kind-unknown"),
        ("backendRefs: [{name: web, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [a]}}]}]", "filter-unsupported"),
        (f"{TO_WEB}, filters: [{{type: ExtensionRef}}]", "filter-unsupported"),
        (f"{TO_WEB}, filters: [{{type: CORS}}]", "filter-unsupported"),
        (f"{TO_WEB}, filters: [{{type: RequestHeaderModifier}}]", "filter-unsupported"),
        (f"{TO_WEB}, filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: host, value: a}}]}}}}]", "rule-invalid"),
        (f"{TO_WEB}, filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: x-gatereeve-principal, value: a}}]}}}}]", "rule-invalid"),
        (f'{TO_WEB}, filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: a, value: "x\\r\\ny"}}]}}}}]', "rule-invalid"),
        (f"{TO_WEB}, filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{remove: [transfer-encoding]}}}}]", "rule-invalid"),
        (f"{TO_WEB}, filters: [{{type: URLRewrite, urlRewrite: {{hostname: 'a b'}}}}]", "rule-invalid"),
        (f"{TO_WEB}, filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplaceFullPath, replaceFullPath: /../x}}}}}}]", "rule-invalid"),
        (f"matches: [{{path: {{type: Exact, value: /a}}}}], {TO_WEB}, filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: /x}}}}}}]", "rule-invalid"),
        ("filters: [{type: RequestRedirect, requestRedirect: {statusCode: 200}}]", "rule-invalid"),
        (f"{TO_WEB}, filters: [{{type: RequestRedirect, requestRedirect: {{}}}}]", "rule-invalid"),
        (f"{TO_WEB}, timeouts: {{request: 10}}", "rule-invalid"),
        (f"{TO_WEB}, timeouts: {{request: 10d}}", "rule-invalid"),
        (f"{TO_WEB}, retry: {{attempts: 3}}", "rule-invalid"),
        (f"{TO_WEB}, retry: {{}}", "rule-invalid"),
        (f"{TO_WEB}, sessionPersistence: {{sessionName: s}}", "rule-invalid"),
        *(
            (f"{TO_WEB}, filters: [{{type: RequestMirror, requestMirror: {{backendRef: {{name: other, port: 80}}, {share}}}}}]", "rule-invalid")
            for share in ("percent: 1, fraction: {numerator: 1}", "fraction: {numerator: 2, denominator: 1}")
        ),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_kept_answer_500(rule: str, code: str) -> None:
    rule = rule.replace("request: 10}", 'request: "10"}')
    made = compiled(WEB, http_route(f"{{{rule}}}"))
    path = "/a" if "/a}" in rule else "/"
    assert to(answer(rows(made), path)) == "refuse no-backend"
    assert found(made, code)


def test_headers_are_edited() -> None:
    made = compiled(
        WEB,
        http_route(
            f"{{{TO_WEB}, filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: X-A, value: '1'}}], add: [{{name: x-b, value: 100% of it}}], remove: [X-C]}}}},"
            " {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [x-d]}}]}"
        ),
    )
    action = forward(made)
    assert action.request_headers == HeaderEdit(
        set=(("x-a", "1"),), add=(("x-b", "100% of it"),), remove=("x-c",)
    )
    assert action.response_headers == HeaderEdit(remove=("x-d",))


def test_rewrites() -> None:
    made = compiled(
        WEB,
        http_route(
            f"{{matches: [{{path: {{value: /a}}}}], {TO_WEB}, filters: [{{type: URLRewrite, urlRewrite: {{hostname: in.example, path: {{type: ReplacePrefixMatch, replacePrefixMatch: /b/}}}}}}]}}",
            f"{{matches: [{{path: {{value: /c}}}}], {TO_WEB}, filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplaceFullPath, replaceFullPath: /d/}}}}}}]}}",
        ),
    )
    first, second = forward(made, "/a"), forward(made, "/c")
    assert (first.rewrite, first.rewrite_host) == (
        PathRewrite(kind="prefix", value="/b"),
        "in.example",
    )
    assert second.rewrite == PathRewrite(kind="full", value="/d/")


def test_redirects() -> None:
    made = compiled(
        WEB,
        http_route(
            "{filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: new.example, port: 444, statusCode: 308, path: {type: ReplaceFullPath, replaceFullPath: /x}}}]}"
        ),
    )
    route = answer(rows(made), "/")
    assert route is not None
    assert route.action == Redirect(
        status=308,
        scheme="https",
        host="new.example",
        port=444,
        path=PathRewrite(kind="full", value="/x"),
    )


def test_mirrors() -> None:
    mirror = "{type: RequestMirror, requestMirror: {backendRef: {name: %s, port: 80}%s}}"
    made = compiled(
        WEB,
        http_route(
            f"{{{TO_WEB}, filters: [{mirror % ('other', '')}, {mirror % ('other', ', percent: 5')}, {mirror % ('gone', '')}]}}"
        ),
    )
    name = "service/shop/other/80"
    assert forward(made).mirrors == (
        Mirror(cluster=name, per_million=1_000_000),
        Mirror(cluster=name, per_million=50_000),
    )
    assert name in [c.name for c in made.ir.gates[0].clusters]
    assert found(made, "backend-not-found") == [
        "HTTPRoute shop/web spec.rules[0].filters[2].requestMirror.backendRef"
    ]


@pytest.mark.parametrize(
    ("fraction", "per_million"),
    [
        ("{numerator: 1}", 10_000),
        ("{numerator: 1, denominator: 1000}", 1_000),
        ("{numerator: 2, denominator: 3}", 666_666),
        ("{numerator: 1, denominator: 2147483647}", 1),
        ("{numerator: 7, denominator: 7}", 1_000_000),
        ("{numerator: 0, denominator: 7}", None),
    ],
)
def test_a_fraction_is_mirrored(fraction: str, per_million: int | None) -> None:
    mirror = f"{{backendRef: {{name: other, port: 80}}, fraction: {fraction}}}"
    made = compiled(
        WEB,
        http_route(f"{{{TO_WEB}, filters: [{{type: RequestMirror, requestMirror: {mirror}}}]}}"),
    )
    assert [m.per_million for m in forward(made).mirrors] == (
        [] if per_million is None else [per_million]
    )


@pytest.mark.parametrize(
    ("timeouts", "expected"),
    [
        ("{request: 10s}", 10.0),
        ("{request: 1m30s}", 90.0),
        ("{backendRequest: 500ms}", 0.5),
        ("{request: 10s, backendRequest: 2s}", 2.0),
        ("{request: 0s}", 3600.0),
        ("{request: 99999h}", 3600.0),
        ("{}", 60.0),
    ],
)
def test_timeouts(timeouts: str, expected: float) -> None:
    made = compiled(WEB, http_route(f"{{{TO_WEB}, timeouts: {timeouts}}}"))
    assert forward(made).timeout_s == expected


def test_models_are_not_reached_by_patterns() -> None:
    to_model = "backendRefs: [{group: gatereeve.dev, kind: Model, name: credit}]"
    made = compiled(
        WEB, model(ns="shop"), version("credit", "1", at("10.1.0.1"), ns="shop"),
        http_route(
            f"{{matches: [{{path: {{type: RegularExpression, value: /.*}}}}], {to_model}}}",
            f"{{matches: [{{path: {{value: /b}}, headers: [{{name: a, type: RegularExpression, value: x.*}}]}}], {to_model}}}",
        ),
    )  # fmt: skip
    assert {to(r) for r in rows(made)} == {"refuse no-backend"}
    assert len(found(made, "pattern-refused")) == 2
