"""The keys of ingress-nginx's ConfigMap that protect something, open something or change traffic.

Keys that only tune nginx (buffers, hash tables, log formats, worker counts) are not listed; the
audit counts them together. DEFAULTS are what the controller does without being told.
"""

from __future__ import annotations

from gatereeve.cluster_audit.settings import Setting

_JWT = "Gate spec.identity and AccessPolicy spec.allow, for models"
_WAF = "keep a firewall in front of the gate, or do without it knowingly"
_SNIPPET = "nothing: no text of a user reaches the proxy's configuration"
_INJECTS = "text becomes the configuration of every Ingress"

KEYS: tuple[Setting, ...] = (
    Setting(
        name="allow-snippet-annotations", worth="protection", fate="kept",
        does="admits annotations with text of nginx's configuration", by=_SNIPPET,
        weak=(("true", "whoever may write an Ingress may run code in the controller and read its Secrets (CVE-2021-25742)"),),
    ),
    Setting(
        name="annotations-risk-level", worth="protection", fate="kept",
        does="the highest risk of annotations that are read", by="annotations that would change security are refused, always",
        weak=(("critical", "annotations with text of nginx's configuration are read (CVE-2021-25742)"),),
        off=("high", "medium", "low"),
    ),
    Setting(
        name="allow-cross-namespace-resources", worth="protection", fate="kept",
        does="whether annotations may name Secrets and ConfigMaps of other namespaces", by="ReferenceGrant",
        weak=(("true", "an Ingress may use Secrets of other namespaces"),),
    ),
    Setting(
        name="strict-validate-path-type", worth="protection", fate="kept",
        does="refuses paths with characters that do not belong there", by="paths without a canonical form are refused",
        weak=(("false", "characters of nginx's configuration pass in paths (CVE-2021-25745)"),),
        off=("true",),
    ),
    Setting(
        name="annotation-value-word-blocklist", worth="protection", fate="kept",
        does="refuses annotations with these words", by="values of foreign annotations are never interpreted",
    ),
    *(
        Setting(name=name, worth="protection", fate="lost", does="adds text to nginx's configuration; may hold access rules", by=_SNIPPET, injects=_INJECTS)
        for name in (
            "main-snippet", "http-snippet", "server-snippet", "stream-snippet", "location-snippet",
            "global-auth-snippet", "modsecurity-snippet", "opentelemetry-config",
        )
    ),
    Setting(
        name="global-auth-url", worth="protection", fate="moves", models_only=True,
        does="asks another server whether each request may pass, on every Ingress", by=_JWT,
    ),
    Setting(
        name="global-auth-signin", worth="traffic", fate="lost",
        does="sends callers without a session to a login page", by="nothing: a gate answers 401",
    ),
    Setting(
        name="global-auth-response-headers", worth="protection", fate="moves", models_only=True,
        does="passes headers of the authenticating server on to backends", by=_JWT,
    ),
    Setting(
        name="no-auth-locations", worth="protection", fate="kept",
        does="paths that the global authentication leaves out", by="an allow rule says `anonymous` in so many words",
        weak=(("/", "every path is left out of the global authentication"),),
        off=("/.well-known/acme-challenge",),
    ),
    *(
        Setting(
            name=name, worth="protection", fate="moves", models_only=True, does=does,
            by="Gate spec.attributes.region.cidrs and AccessPolicy regions",
        )
        for name, does in (
            ("whitelist-source-range", "admits only these addresses, on every Ingress"),
            ("denylist-source-range", "refuses these addresses, on every Ingress"),
            ("block-cidrs", "refuses these addresses, on every Ingress"),
        )
    ),
    Setting(
        name="block-user-agents", worth="protection", fate="lost",
        does="refuses these user agents", by="nothing: a caller chooses its user agent, so it protects nothing",
    ),
    Setting(
        name="block-referers", worth="protection", fate="lost",
        does="refuses these referers", by="nothing: a caller chooses its referer, so it protects nothing",
    ),
    Setting(name="enable-modsecurity", worth="protection", fate="lost", does="inspects requests with a web application firewall", by=_WAF),
    Setting(name="enable-owasp-modsecurity-crs", worth="protection", fate="lost", does="the OWASP rules of that firewall", by=_WAF),
    Setting(
        name="ssl-protocols", worth="protection", fate="moves",
        does="TLS versions that clients may use", by="Gate spec.tls.minVersion (1.2 unless said otherwise)",
        weak=tuple((weak, "TLS versions are offered that current standards call broken") for weak in (
            "tlsv1 tlsv1.1 tlsv1.2 tlsv1.3", "tlsv1 tlsv1.1 tlsv1.2", "tlsv1.1 tlsv1.2 tlsv1.3",
            "tlsv1.1 tlsv1.2", "tlsv1", "tlsv1.1", "sslv3 tlsv1 tlsv1.1 tlsv1.2",
        )),
    ),
    Setting(
        name="ssl-ciphers", worth="protection", fate="moves",
        does="ciphers that clients may use", by="Gate spec.tls.minVersion; the proxy's own list of ciphers",
    ),
    Setting(
        name="ssl-redirect", worth="protection", fate="moves",
        does="sends plain HTTP to HTTPS (on by default)",
        by="Gate spec.plainHttp for governed hosts; HTTPRoute filter RequestRedirect for others",
        weak=(("false", "plain HTTP is served although there may be certificates"),),
        off=("true",),
    ),
    Setting(
        name="force-ssl-redirect", worth="protection", fate="moves",
        does="sends plain HTTP to HTTPS on every Ingress",
        by="Gate spec.plainHttp for governed hosts; HTTPRoute filter RequestRedirect for others",
    ),
    Setting(
        name="hsts", worth="protection", fate="moves",
        does="tells browsers to come back over HTTPS only (on by default)",
        by="HTTPRoute filter ResponseHeaderModifier sets Strict-Transport-Security",
        weak=(("false", "browsers are not told to come back over HTTPS"),),
        off=("true",),
    ),
    Setting(
        name="ssl-reject-handshake", worth="protection", fate="lost",
        does="refuses TLS for unknown names", by="nothing: unknown names get the certificate of Gate spec.tls.defaultCertificate, if there is one, and 404",
    ),
    Setting(
        name="use-forwarded-headers", worth="traffic", fate="moves",
        does="takes the client's address from X-Forwarded-For", by="Gate spec.trustedHops: how many proxies stand in front",
        weak=(("true", "callers choose the address that address rules see, unless a proxy in front overwrites it"),),
    ),
    Setting(
        name="use-proxy-protocol", worth="traffic", fate="lost",
        does="reads the client's address from the PROXY protocol", by="nothing: let the load balancer keep addresses or set X-Forwarded-For",
    ),
    Setting(
        name="enable-real-ip", worth="traffic", fate="moves",
        does="takes the client's address from a header", by="Gate spec.trustedHops",
    ),
    Setting(
        name="proxy-body-size", worth="protection", fate="moves", models_only=True,
        does="refuses larger request bodies, on every Ingress", by="Gate spec.maxBodyBytes, on routes of OpenAI models",
        weak=(("0", "request bodies have no bound"),), off=("0",),
    ),
    Setting(name="limit-rate", worth="protection", fate="lost", does="bytes a second to one client", by="no limit on bytes", off=("0",)),
    Setting(name="add-headers", worth="traffic", fate="moves", does="adds headers of a ConfigMap to answers; may hold security headers", by="HTTPRoute filter ResponseHeaderModifier"),
    Setting(name="hide-headers", worth="traffic", fate="moves", does="removes headers from answers", by="HTTPRoute filter ResponseHeaderModifier"),
    Setting(name="proxy-set-headers", worth="traffic", fate="moves", does="adds headers of a ConfigMap to requests", by="HTTPRoute filter RequestHeaderModifier"),
    Setting(name="global-allowed-response-headers", worth="protection", fate="kept", does="headers that custom-headers may set", by="HTTPRoute filters are part of the route, under its grant"),
    Setting(name="custom-http-errors", worth="traffic", fate="lost", does="answers some statuses with pages (CVE-2026-24513: they skipped authentication)", by="nothing: other answers pass as they are"),
    Setting(
        name="disable-access-log", worth="protection", fate="kept",
        does="logs nothing", by="every request to a model is recorded",
        weak=(("true", "requests are not logged"),),
    ),
    Setting(name="skip-access-log-urls", worth="protection", fate="kept", does="paths that are not logged", by="every request to a model is recorded"),
    Setting(name="enable-underscores-in-headers", worth="traffic", fate="lost", does="admits headers with underscores", by="nothing: requests with them are refused, because servers confuse them with dashes"),
    Setting(name="use-geoip2", worth="traffic", fate="moves", does="looks addresses up in a database", by="Gate spec.attributes.region.geoip"),
    Setting(name="use-geoip", worth="traffic", fate="moves", does="looks addresses up in a database", by="Gate spec.attributes.region.geoip"),
    Setting(name="enable-opentelemetry", worth="traffic", fate="lost", does="traces requests", by="nothing yet: the gate sends no traces"),
)  # fmt: skip

DEFAULTS: tuple[str, ...] = ("hsts", "ssl-redirect", "proxy-body-size")
"""Keys that protect by default: told once for a controller that does not set them."""

BY_NAME: dict[str, Setting] = {setting.name: setting for setting in KEYS}
