"""Annotations of other ingress controllers: what we may overlook and what we must not.

An annotation that asked another controller to protect, redirect or rewrite something would open or
change a route if it were overlooked, so the Ingress is refused. Only what is listed as harmless is
ignored; every other annotation with a controller's prefix is refused, because it is not known what it
asks for. Flat tables; no value is ever interpreted beyond `false` and `0`.
"""

from __future__ import annotations

import re
from typing import Literal

from gatereeve.core import conditions

CLASS = conditions.CLASS_ANNOTATION

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

CONTROLLERS: tuple[str, ...] = (
    "nginx.ingress.kubernetes.io/",
    "ingress.kubernetes.io/",
    "nginx.org/",
    "nginx.com/",
    "custom.nginx.org/",
    "appprotect.f5.com/",
    "haproxy.org/",
    "haproxy.com/",
    "haproxy-ingress.github.io/",
    "traefik.ingress.kubernetes.io/",
    "traefik.http.",
    "alb.ingress.kubernetes.io/",
    "konghq.com/",
    "configuration.konghq.com",
    "plugins.konghq.com",
    "projectcontour.io/",
    "contour.heptio.com/",
    "ingress.gcp.kubernetes.io/",
    "networking.gke.io/",
    "appgw.ingress.kubernetes.io/",
    "getambassador.io/",
    "ingress.cilium.io/",
    "ingress.pomerium.io/",
    "ingress.citrix.com/",
    "voyager.appscode.com/",
    "higress.io/",
    "mse.ingress.kubernetes.io/",
    "k8s.apisix.apache.org/",
    "ingress.bluemix.net/",
    "zalando.org/",
    "skipper.zalando.org/",
    "kubernetes.io/ingress.allow-http",
    "kubernetes.io/ingress.global-static-ip-name",
)
"""Prefixes of annotations that some controller acts on."""

HARMLESS: tuple[str, ...] = (
    "nginx.ingress.kubernetes.io/affinity",
    "nginx.ingress.kubernetes.io/client-body-",
    "nginx.ingress.kubernetes.io/connection-proxy-header",
    "nginx.ingress.kubernetes.io/cors-",
    "nginx.ingress.kubernetes.io/enable-access-log",
    "nginx.ingress.kubernetes.io/enable-cors",
    "nginx.ingress.kubernetes.io/enable-opentelemetry",
    "nginx.ingress.kubernetes.io/enable-opentracing",
    "nginx.ingress.kubernetes.io/enable-rewrite-log",
    "nginx.ingress.kubernetes.io/http2-push-preload",
    "nginx.ingress.kubernetes.io/load-balance",
    "nginx.ingress.kubernetes.io/preserve-trailing-slash",
    "nginx.ingress.kubernetes.io/proxy-buffer",
    "nginx.ingress.kubernetes.io/proxy-busy-buffers-size",
    "nginx.ingress.kubernetes.io/proxy-connect-timeout",
    "nginx.ingress.kubernetes.io/proxy-http-version",
    "nginx.ingress.kubernetes.io/proxy-max-temp-file-size",
    "nginx.ingress.kubernetes.io/proxy-next-upstream",
    "nginx.ingress.kubernetes.io/proxy-read-timeout",
    "nginx.ingress.kubernetes.io/proxy-request-buffering",
    "nginx.ingress.kubernetes.io/proxy-send-timeout",
    "nginx.ingress.kubernetes.io/service-upstream",
    "nginx.ingress.kubernetes.io/session-cookie-",
    "nginx.ingress.kubernetes.io/upstream-hash-by",
    "nginx.org/keepalive",
    "nginx.org/lb-method",
    "nginx.org/max-conns",
    "nginx.org/proxy-buffer",
    "nginx.org/proxy-connect-timeout",
    "nginx.org/proxy-read-timeout",
    "nginx.org/proxy-send-timeout",
    "haproxy.org/load-balance",
    "haproxy.org/pod-maxconn",
    "haproxy.org/timeout-",
    "haproxy-ingress.github.io/balance-algorithm",
    "haproxy-ingress.github.io/timeout-",
    "alb.ingress.kubernetes.io/healthcheck-",
    "alb.ingress.kubernetes.io/load-balancer-name",
    "alb.ingress.kubernetes.io/success-codes",
    "alb.ingress.kubernetes.io/tags",
    "alb.ingress.kubernetes.io/target-group-attributes",
    "projectcontour.io/max-connections",
    "projectcontour.io/num-retries",
    "projectcontour.io/per-try-timeout",
    "projectcontour.io/response-timeout",
    "projectcontour.io/retry-on",
    "konghq.com/connect-timeout",
    "konghq.com/read-timeout",
    "konghq.com/write-timeout",
    "ingress.cilium.io/loadbalancer-mode",
    "kubernetes.io/ingress.global-static-ip-name",
)
"""Prefixes of annotations that tune, balance, or only ever take something away from a caller."""

OFF_IS_HARMLESS: tuple[str, ...] = (
    "nginx.ingress.kubernetes.io/canary",
    "nginx.ingress.kubernetes.io/enable-modsecurity",
    "nginx.ingress.kubernetes.io/force-ssl-redirect",
    "nginx.ingress.kubernetes.io/ssl-passthrough",
    "nginx.ingress.kubernetes.io/ssl-redirect",
    "nginx.ingress.kubernetes.io/use-regex",
    "ingress.kubernetes.io/ssl-redirect",
    "ingress.kubernetes.io/force-ssl-redirect",
    "haproxy.org/ssl-redirect",
    "haproxy-ingress.github.io/ssl-redirect",
    "konghq.com/preserve-host",
)
"""Whole names that ask for nothing when their value is `false`."""

ZERO_IS_HARMLESS: tuple[str, ...] = (
    "nginx.ingress.kubernetes.io/proxy-body-size",
    "nginx.org/client-max-body-size",
)
"""Whole names that ask for no bound when their value is `0`.

Any other bound is a protection that we keep on routes of OpenAI models only (`Gate.maxBodyBytes`).
"""

_PLAIN_BACKEND = frozenset({"http", "h1"})


def judge(name: str, value: str) -> Literal["ours", "ignored", "refused"]:
    """What becomes of one annotation: not a controller's, overlooked, or the Ingress is refused."""
    if not name.startswith(CONTROLLERS):
        return "ours"
    if _CONTROL.search(value):
        return "refused"
    if name.startswith(HARMLESS):
        return "ignored"
    lower = value.strip().lower()
    if name in OFF_IS_HARMLESS and lower == "false":
        return "ignored"
    if name in ZERO_IS_HARMLESS and lower == "0":
        return "ignored"
    if name.endswith("/backend-protocol") and lower in _PLAIN_BACKEND:
        return "ignored"
    if name == "kubernetes.io/ingress.allow-http" and lower == "true":
        return "ignored"
    return "refused"
