"""Every annotation of ingress-nginx, and what becomes of it behind a gate.

The published list (user guide, "Annotations" and "Annotations Scope and Risk", controller 1.15),
its aliases, and those that earlier controllers read. A test holds the table against that list, and
against what the compiler does with each annotation (`compile.routes.foreign_annotations`).
"""

from __future__ import annotations

from gatereeve.cluster_audit.settings import Fate, Setting, Worth

ANNOTATIONS_OF = "controller 1.15"
"""The version whose published list this table follows."""


def _rows(
    worth: Worth, fate: Fate, by: str, *rows: tuple[str, str], models_only: bool = False
) -> tuple[Setting, ...]:
    return tuple(
        Setting(name=name, worth=worth, fate=fate, does=does, by=by, models_only=models_only)
        for name, does in rows
    )


_JWT = (
    "Gate spec.identity.jwt or apiKeys says who somebody is, AccessPolicy spec.allow who may pass"
)
_MTLS = "Gate spec.identity.mtls: ca and identities; AccessPolicy spec.allow names the principals"
_ADDRESSES = (
    "Gate spec.attributes.region.cidrs names the address ranges, AccessPolicy spec.allow or deny "
    "the regions"
)
_LIMIT = "AccessPolicy spec.allow.limits.requests: for each principal, not for each address; each gate counts for itself"
_LIMIT_LOST = (
    "no limit on connections or bytes; AccessPolicy spec.allow.limits.requests bounds requests"
)
_REDIRECT = "HTTPRoute filter RequestRedirect"
_REWRITE = "HTTPRoute filter URLRewrite: whole path or prefix, no regular expression"
_HEADERS = (
    "HTTPRoute filter ResponseHeaderModifier for fixed headers; preflight requests are not answered"
)
_STICKY = "Rollout spec.stickyBy keeps a caller on one version; within a version servers are chosen freely"
_CANARY = "Rollout spec.split and spec.match, or weights of HTTPRoute backendRefs"
_RECORD = "every request to a model is recorded; Model spec.audit says how surely"
_NO_SNIPPET = (
    "nothing: no text of a user reaches the proxy's configuration; say what it did with documents"
)
_WAF = "keep a firewall in front of the gate, or do without it knowingly"
_NGINX = "nothing to do: it tunes nginx"
_ENVOY = (
    "nothing to do: the gate chooses; ModelVersion spec.bounds sets connections and time limits"
)
_UPSTREAM_TLS = "nothing: a gate speaks plain HTTP to pods; encrypt below it (a mesh, the network)"
_ERRORS = "nothing: refusals are problem+json, other answers pass as they are"

ANNOTATIONS: tuple[Setting, ...] = (
    # who may pass: credentials
    Setting(
        name="auth-url", worth="protection", fate="moves", models_only=True,
        does="asks another server whether each request may pass", by=_JWT,
        injects="CVE-2025-24514: the value reached the configuration",
    ),
    *_rows(
        "protection", "moves", _JWT,
        ("auth-type", "asks for a user name and password (basic, digest)"),
        ("auth-secret", "the Secret with user names and passwords"),
        models_only=True,
    ),
    *_rows(
        "protection", "moves", _JWT + "; who somebody is does not travel to the model in headers",
        ("auth-response-headers", "passes headers of the authenticating server on to the backend"),
        models_only=True,
    ),
    *_rows(
        "traffic", "lost", "nothing: a gate answers 401, it sends nobody to a login page",
        ("auth-signin", "sends callers without a session to a login page"),
        ("auth-signin-redirect-param", "names the parameter with the page to return to"),
        ("auth-request-redirect", "tells the authenticating server where the request was bound for"),
        ("auth-always-set-cookie", "keeps the authenticating server's cookies on any answer"),
    ),
    *_rows(
        "tuning", "lost", "nothing to do: it belongs to auth-url or auth-type",
        ("auth-method", "the method of the authenticating request"),
        ("auth-realm", "the realm that a browser shows"),
        ("auth-secret-type", "how the Secret of auth-secret is laid out"),
        ("auth-cache-key", "the key under which authentication answers are kept"),
        ("auth-cache-duration", "how long authentication answers are kept"),
        ("auth-keepalive", "connections kept to the authenticating server"),
        ("auth-keepalive-requests", "requests on a kept connection"),
        ("auth-keepalive-share-vars", "shares variables with the authenticating request"),
        ("auth-keepalive-timeout", "how long a kept connection may idle"),
        ("auth-proxy-set-headers", "headers for the authenticating request, from a ConfigMap"),
    ),
    Setting(
        name="enable-global-auth", worth="protection", fate="moves", models_only=True,
        does="asks the authenticating server of the ConfigMap (global-auth-url)", by=_JWT,
        weak=(("false", "the Ingress is left out of the global authentication"),),
    ),
    Setting(
        name="satisfy", worth="protection", fate="kept",
        does="whether all of address and credential checks must pass, or any",
        by="deny rules, identity and allow rules must all be passed, always",
        weak=(("any", "an allowed address or a credential is enough, not both"),),
    ),
    # who may pass: client certificates
    Setting(
        name="auth-tls-secret", worth="protection", fate="moves", models_only=True,
        does="the CA that client certificates are checked against", by=_MTLS,
        injects="CVE-2025-24513: the Secret's name became a file name",
    ),
    Setting(
        name="auth-tls-verify-client", worth="protection", fate="moves", models_only=True,
        does="whether a client certificate is asked for", by=_MTLS,
        weak=(
            ("off", "no client certificate is asked for"),
            ("optional", "callers without a client certificate pass"),
            ("optional_no_ca", "client certificates of any CA pass"),
        ),
        off=("off",),
    ),
    Setting(
        name="auth-tls-match-cn", worth="protection", fate="moves", models_only=True,
        does="which subject names of client certificates pass",
        by="Gate spec.identity.mtls.identities: exact URI or DNS names; common names are not read",
        injects="CVE-2025-1097: the value reached the configuration",
    ),
    *_rows(
        "protection", "lost", "nothing: a chain is checked by the proxy's own rules",
        ("auth-tls-verify-depth", "how long a client certificate's chain may be"),
    ),
    *_rows(
        "traffic", "lost", "nothing: who called is in the record, not in a header",
        ("auth-tls-pass-certificate-to-upstream", "passes the client certificate to the backend"),
        ("auth-tls-error-page", "sends callers with a bad certificate to a page"),
    ),
    # who may pass: addresses
    *_rows(
        "protection", "moves", _ADDRESSES,
        ("allowlist-source-range", "admits only these addresses"),
        ("whitelist-source-range", "admits only these addresses (older name)"),
        ("denylist-source-range", "refuses these addresses"),
        models_only=True,
    ),
    # how much
    *_rows(
        "protection", "moves", _LIMIT,
        ("limit-rps", "requests a second from one address"),
        ("limit-rpm", "requests a minute from one address"),
        models_only=True,
    ),
    *_rows(
        "protection", "lost", _LIMIT_LOST,
        ("limit-connections", "connections at a time from one address"),
        ("limit-rate", "bytes a second to one client"),
        ("limit-rate-after", "bytes before limit-rate begins"),
        ("global-rate-limit", "requests of all controllers together (earlier controllers)"),
        ("global-rate-limit-window", "its window"),
        ("global-rate-limit-key", "its key"),
        ("global-rate-limit-ignored-cidrs", "addresses it spares"),
    ),
    *_rows(
        "tuning", "lost", "nothing: a rule's limit holds for everybody whom the rule admits",
        ("limit-burst-multiplier", "how far a burst may exceed a limit"),
        ("limit-allowlist", "addresses that no limit holds for"),
        ("limit-whitelist", "addresses that no limit holds for (older name)"),
    ),
    Setting(
        name="proxy-body-size", worth="protection", fate="moves", models_only=True,
        does="refuses larger request bodies",
        by="Gate spec.maxBodyBytes, on routes of OpenAI models; other routes have no bound",
        weak=(("0", "request bodies have no bound"),),
        off=("0",),
    ),
    # encryption
    Setting(
        name="ssl-redirect", worth="protection", fate="moves",
        does="sends plain HTTP to HTTPS where there is a certificate (on by default)",
        by="Gate spec.plainHttp for governed hosts; HTTPRoute filter RequestRedirect (scheme: https) for others",
        weak=(("false", "plain HTTP is served although there may be a certificate"),),
    ),
    Setting(
        name="force-ssl-redirect", worth="protection", fate="moves",
        does="sends plain HTTP to HTTPS even without a certificate of its own",
        by="Gate spec.plainHttp for governed hosts; HTTPRoute filter RequestRedirect (scheme: https) for others",
    ),
    Setting(
        name="ssl-passthrough", worth="protection", fate="lost",
        does="hands TLS to the backend unopened",
        by="nothing: a gate must see a request to govern it; ordinary Services need a TCP load balancer of their own",
    ),
    *_rows(
        "protection", "moves", "Gate spec.tls.minVersion; the proxy's own list of ciphers",
        ("ssl-ciphers", "the ciphers that clients may use"),
    ),
    *_rows(
        "tuning", "lost", _NGINX,
        ("ssl-prefer-server-ciphers", "whose order of ciphers counts"),
    ),
    *_rows(
        "protection", "lost", _UPSTREAM_TLS,
        ("proxy-ssl-secret", "the certificate shown to the backend, and the CA it is checked with"),
        ("proxy-ssl-verify", "whether the backend's certificate is checked"),
        ("proxy-ssl-verify-depth", "how long its chain may be"),
        ("proxy-ssl-protocols", "TLS versions towards the backend"),
        ("proxy-ssl-ciphers", "ciphers towards the backend"),
        ("proxy-ssl-name", "the name that the backend's certificate must have"),
        ("proxy-ssl-server-name", "whether that name is sent to the backend"),
        ("secure-backends", "TLS towards the backend (earlier controllers)"),
        ("secure-verify-ca-secret", "the CA it is checked with (earlier controllers)"),
    ),
    Setting(
        name="backend-protocol", worth="traffic", fate="moves",
        does="how to speak to the backend (HTTP, HTTPS, GRPC, GRPCS, FCGI)",
        by="HTTP as it is; Service ports[].appProtocol h2c for HTTP/2; HTTPS, gRPC and FastCGI are not served",
        off=("http", "auto_http"),
    ),
    # firewall
    Setting(
        name="enable-modsecurity", worth="protection", fate="lost",
        does="inspects requests with a web application firewall", by=_WAF,
        weak=(("false", "the Ingress is left out of the firewall"),),
    ),
    *_rows(
        "protection", "lost", _WAF,
        ("enable-owasp-core-rules", "the OWASP rules of that firewall"),
    ),
    Setting(
        name="modsecurity-snippet", worth="protection", fate="lost",
        does="rules of that firewall, as text", by=_WAF,
        injects="text of a user becomes the proxy's configuration",
    ),
    Setting(
        name="modsecurity-transaction-id", worth="tuning", fate="lost",
        does="the identifier in the firewall's log", by=_WAF,
    ),
    # text that becomes configuration
    *(
        Setting(
            name=name, worth="protection", fate="lost", does=does, by=_NO_SNIPPET,
            injects="text of a user becomes the proxy's configuration (CVE-2021-25742, CVE-2023-5043)",
        )
        for name, does in (
            ("configuration-snippet", "adds text to a location of nginx; may hold access rules"),
            ("server-snippet", "adds text to a server of nginx; may hold access rules"),
            ("stream-snippet", "adds text to nginx's stream block"),
            ("auth-snippet", "adds text to the authenticating request"),
        )
    ),
    # what browsers may do
    *_rows(
        "traffic", "lost", _HEADERS,
        ("enable-cors", "answers browsers of other sites (CORS)"),
        ("cors-allow-methods", "the methods they may use"),
        ("cors-allow-headers", "the headers they may send"),
        ("cors-expose-headers", "the headers they may read"),
        ("cors-max-age", "how long they remember the answer"),
    ),
    Setting(
        name="cors-allow-origin", worth="traffic", fate="lost",
        does="the sites whose scripts may read answers", by=_HEADERS,
        weak=(("*", "scripts of any site may read answers"),),
    ),
    Setting(
        name="cors-allow-credentials", worth="traffic", fate="lost",
        does="whether their cookies count", by=_HEADERS,
    ),
    # where requests go
    *_rows(
        "traffic", "moves", _REDIRECT,
        ("permanent-redirect", "answers with a redirect"),
        ("permanent-redirect-code", "its status"),
        ("temporal-redirect", "answers with a redirect for now"),
        ("temporal-redirect-code", "its status"),
        ("app-root", "sends / to another path"),
        ("from-to-www-redirect", "sends www.host to host, or the other way"),
    ),
    *_rows(
        "tuning", "lost", "nothing to do: redirects name what their filter says",
        ("relative-redirects", "redirects without scheme and host"),
        ("use-port-in-redirects", "names the port in redirects"),
    ),
    Setting(
        name="rewrite-target", worth="traffic", fate="moves",
        does="changes the path before the backend sees it, with captured groups", by=_REWRITE,
        injects="CVE-2026-3288: a quote in the value reached the configuration",
    ),
    Setting(
        name="use-regex", worth="traffic", fate="moves",
        does="reads the paths of the whole host as regular expressions",
        by="HTTPRoute path type RegularExpression, bounded; not where it decides about access",
    ),
    *_rows(
        "traffic", "moves", "HTTPRoute filter RequestHeaderModifier",
        ("x-forwarded-prefix", "tells the backend which prefix was cut off"),
        ("connection-proxy-header", "sets the Connection header towards the backend"),
    ),
    *_rows(
        "traffic", "moves", "HTTPRoute filter URLRewrite (hostname)",
        ("upstream-vhost", "the host name that the backend sees"),
    ),
    *_rows(
        "traffic", "moves", "one rule for each host; each needs a HostGrant",
        ("server-alias", "further host names of the same server"),
    ),
    *_rows(
        "traffic", "lost", _ERRORS,
        ("custom-http-errors", "answers some statuses with pages of the default backend (CVE-2026-24513: they skipped authentication)"),
        ("default-backend", "the Service that answers when no server is ready"),
        ("disable-proxy-intercept-errors", "leaves errors of the backend as they are"),
    ),
    *_rows(
        "tuning", "lost", _NGINX,
        ("preserve-trailing-slash", "keeps / at the end of redirects to HTTPS"),
    ),
    Setting(
        name="custom-headers", worth="traffic", fate="moves",
        does="adds headers of a ConfigMap to answers; may hold security headers",
        by="HTTPRoute filter ResponseHeaderModifier",
    ),
    *_rows(
        "traffic", "lost", "nothing: cookies and Location headers pass as they are",
        ("proxy-cookie-domain", "changes the domain of cookies"),
        ("proxy-cookie-path", "changes the path of cookies"),
        ("proxy-redirect-from", "changes Location headers of the backend"),
        ("proxy-redirect-to", "what it changes them to"),
    ),
    # copies
    Setting(
        name="mirror-target", worth="traffic", fate="moves",
        does="sends a copy of each request elsewhere",
        by="Rollout spec.mirror to a version, HTTPRoute filter RequestMirror to a Service; not to an address",
        injects="CVE-2025-1098: the value reached the configuration",
    ),
    Setting(
        name="mirror-host", worth="traffic", fate="lost",
        does="the host name of the copy", by="nothing: a copy keeps the host of the request",
        injects="CVE-2025-1098: the value reached the configuration",
    ),
    Setting(
        name="mirror-request-body", worth="traffic", fate="lost",
        does="whether the copy has the body (it has by default)",
        by="nothing: a copy is whole", off=("on",),
    ),
    # versions
    *_rows(
        "traffic", "moves", _CANARY,
        ("canary", "marks the Ingress as a variant of another"),
        ("canary-weight", "its share of the requests"),
        ("canary-weight-total", "what the share is of"),
        ("canary-by-header", "the header that chooses it"),
        ("canary-by-header-value", "the header's value"),
    ),
    *_rows(
        "traffic", "lost", "nothing: Rollout spec.match compares headers exactly",
        ("canary-by-header-pattern", "a pattern for the header"),
        ("canary-by-cookie", "the cookie that chooses it"),
    ),
    *_rows(
        "traffic", "moves", _STICKY,
        ("affinity", "keeps a client on one server by cookie"),
        ("affinity-mode", "whether clients move when servers are added"),
        ("affinity-canary-behavior", "whether variants share that"),
        ("upstream-hash-by", "keeps what hashes alike on one server"),
        ("upstream-hash-by-subset", "on several servers"),
        ("upstream-hash-by-subset-size", "how many"),
    ),
    *_rows(
        "tuning", "lost", "nothing to do: no such cookie is set",
        ("session-cookie-name", "the cookie's name"),
        ("session-cookie-hash", "how it is made (earlier controllers)"),
        ("session-cookie-domain", "its domain"),
        ("session-cookie-path", "its path"),
        ("session-cookie-expires", "its lifetime"),
        ("session-cookie-max-age", "its lifetime"),
        ("session-cookie-change-on-failure", "a new one when the server failed"),
        ("session-cookie-samesite", "whether other sites may send it"),
        ("session-cookie-conditional-samesite-none", "the same, by browser"),
        ("session-cookie-secure", "only over TLS"),
    ),
    # what is known afterwards
    Setting(
        name="enable-access-log", worth="protection", fate="kept",
        does="logs requests (on by default)", by=_RECORD,
        weak=(("false", "requests are not logged"),),
        off=("true",),
    ),
    *_rows(
        "tuning", "lost", _RECORD,
        ("enable-rewrite-log", "logs rewrites"),
    ),
    *_rows(
        "traffic", "lost", "nothing yet: the gate sends no traces; a record has an id for each request",
        ("enable-opentelemetry", "traces requests"),
        ("opentelemetry-operation-name", "the name of a span"),
        ("opentelemetry-trust-incoming-span", "whether callers' traces are continued"),
        ("enable-opentracing", "traces requests (earlier controllers)"),
        ("opentracing-trust-incoming-span", "whether callers' traces are continued (earlier controllers)"),
        ("enable-influxdb", "sends figures to InfluxDB (earlier controllers)"),
        ("influxdb-measurement", "their name (earlier controllers)"),
        ("influxdb-port", "their port (earlier controllers)"),
        ("influxdb-host", "their host (earlier controllers)"),
        ("influxdb-server-name", "their server (earlier controllers)"),
    ),
    # servers and buffers
    *_rows(
        "tuning", "lost", _ENVOY,
        ("load-balance", "how servers are chosen"),
        ("service-upstream", "sends to the Service's address instead of its pods"),
        ("proxy-connect-timeout", "seconds to connect"),
        ("proxy-read-timeout", "seconds between reads"),
        ("proxy-send-timeout", "seconds between writes"),
        ("proxy-next-upstream", "when another server is tried"),
        ("proxy-next-upstream-timeout", "for how long"),
        ("proxy-next-upstream-tries", "how often"),
        ("proxy-http-version", "HTTP version towards the backend"),
    ),
    *_rows(
        "tuning", "lost", _NGINX,
        ("client-body-buffer-size", "memory for request bodies"),
        ("proxy-buffering", "whether answers are buffered"),
        ("proxy-buffer-size", "memory for the head of answers"),
        ("proxy-buffers-number", "buffers for answers"),
        ("proxy-busy-buffers-size", "buffers being sent"),
        ("proxy-max-temp-file-size", "file space for answers"),
        ("proxy-request-buffering", "whether request bodies are buffered"),
        ("http2-push-preload", "turns preload links into pushes"),
    ),
    *_rows(
        "traffic", "lost", "nothing: FastCGI is not served",
        ("fastcgi-index", "the file of a path that ends in /"),
        ("fastcgi-params-configmap", "FastCGI parameters"),
    ),
)  # fmt: skip

BY_NAME: dict[str, Setting] = {setting.name: setting for setting in ANNOTATIONS}
