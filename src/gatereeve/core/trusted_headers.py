"""Request headers that servers believe, and that the gate takes off before a model sees them.

Proxies set such headers for the servers behind them: where a request comes from, which method or
path it really has, who the caller is. From a client they are claims that nothing has verified.
Header names are compared in lower case; any character but a letter or digit counts as `-`, as in
servers that read CGI variables (RFC 3875 section 4.1.18, and what Apache and lighttpd make of it).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

ALWAYS: Final = (
    # where the request comes from (RFC 7239, and what came before and beside it)
    "forwarded*", "x-forwarded", "x-forward-*", "x-forwarder-*", "*client-ip*", "*clientip*", "*real-ip*", "*true-ip",
    "*remote-ip*", "*remote-addr*", "*connecting-ip*", "*source-ip", "*originating-ip", "*proxyuser-ip", "*user-ip",
    "x-azure-*", "x-appengine-*", "x-arr-*", "proxy", "proxy-authorization", "x-proxy-*", "wl-proxy-*",
    # which method, scheme, host or path it really has, and which file or step comes next
    "x-http-*", "x-method*", "x-scheme", "x-url-scheme", "front-end-https", "x-host*", "x-original-*", "x-rewrite*",
    "x-override-*", "base-url", "request-uri", "x-request-uri", "x-waws-unencoded-url", "script-name", "x-script-name",
    "x-middleware-*", "x-accel-*", "x-sendfile-type",
)  # fmt: skip
"""Taken off towards every model, beside all of `x-forwarded-` that the gate does not set itself.
A `*` stands for any text, at the beginning or the end. `proxy` is httpoxy (CVE-2016-5385)."""

IDENTITY: Final = tuple(sorted((
    "x-user", "x-user-*", "x-userid", "x-username", "x-userinfo", "x-tenant", "x-tenant-*", "x-tenantid",
    "x-account", "x-account-*", "x-org-id", "x-organization-id", "x-scope-orgid", "x-principal*", "x-identity*",
    "x-email", "x-role", "x-roles", "x-group", "x-groups", "x-scopes", "x-permissions", "x-claims", "x-claim-*", "x-jwt-*",
    "x-remote-*", "remote-*", "x-webauth-*", "x-auth-request-*", "x-auth-user*", "x-auth-email", "x-auth-groups",
    "x-authenticated-*", "x-ext-authz-*", "x-authentik-*", "x-token-*", "x-pomerium-*", "x-consumer-*", "x-credential-*",
    "x-anonymous-consumer", "x-amzn-oidc-*", "x-amzn-mtls-*", "x-goog-authenticated-user-*", "x-goog-iap-*", "x-ms-client-principal*",
    "x-ms-token-*", "cf-access-*", "tailscale-*", "kubeflow-userid", "x-kubeflow-*", "impersonate-*", "x-impersonate-*",
    "x-ssl-*", "ssl-client-*", "x-client-cert*", "x-client-dn", "x-client-s-dn", "x-client-subject*", "x-client-verify", "client-cert*",
    "x-tls-client-*", "oidc-*", "x-oidc-*", "shib-*", "x-vouch-*", "x-okta-*", "x-apigateway-api-userinfo", "x-endpoint-api-userinfo",
)))  # fmt: skip
"""The default of the Gate's list: who the caller is, as common proxies and identity layers say it."""

DASH: Final = "[^a-z0-9]"
"""An expression for `-` in a lower-case header name, and for all that servers may take for it."""

_OURS: Final = ("for", "proto", "client-cert")
"""What the gate sets itself of `x-forwarded-`."""


@lru_cache(maxsize=64)
def pattern(identity: Sequence[str]) -> str:
    """An expression (Python and RE2) over whole lower-case header names: what models do not get.

    identity: names of the Gate's list in lower case; one that ends in `*` is a beginning.
    """
    names = sorted({*ALWAYS, *identity})
    forwarded = f"x-forwarded-{_unlike(_OURS)}|x-forwarded[^-a-z0-9].*|x[^-a-z0-9]forwarded{DASH}.*"
    return "|".join((forwarded, *map(_spelled, names)))


def removed(identity: Sequence[str], names: Iterable[str]) -> list[str]:
    """Return those of `names` (lower case) that models do not get, sorted, each once."""
    expression = re.compile(pattern(identity))
    return sorted({name for name in names if expression.fullmatch(name) is not None})


def _spelled(name: str) -> str:
    words = (re.escape(word).replace(r"\-", DASH) for word in name.split("*"))
    return ".*".join(words)


def _unlike(words: Iterable[str]) -> str:
    """An expression for every text but `words`; RE2 cannot look ahead."""
    left = set(words)
    firsts = sorted({word[0] for word in left if word})
    parts = [] if "" in left else [""]
    parts.append(f"[^{''.join(firsts)}].*" if firsts else ".+")
    parts += [
        re.escape(first) + _unlike(word[1:] for word in left if word.startswith(first))
        for first in firsts
    ]
    return f"(?:{'|'.join(parts)})"
