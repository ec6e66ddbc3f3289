"""Which request headers models do not get."""

from __future__ import annotations

import pytest

from gatereeve.core import trusted_headers

REMOVED = (
    "forwarded", "x-real-ip", "x-forwarded-host", "x-forwarded-port", "x-forwarded-user", "x-forwarded-", "x-forwarded-fo",
    "x-forwarded-forx", "x-forwarded-protos", "x-forwarded-client-cert-chain", "x-http-method-override", "x-http-method",
    "x-method-override", "x-original-method", "x-user", "x-user-id", "x-tenant", "remote-user", "x-remote-user",
    "x-auth-request-email", "x-amzn-oidc-identity", "x-amzn-oidc-data",
    "cluster-client-ip", "x-cluster-client-ip", "true-client-ip", "wl-proxy-client-ip", "cf-connecting-ipv6", "fastly-client-ip", "x-proxyuser-ip",
    "x-appengine-user-ip", "x-azure-socketip", "forwarded-for", "x-forwarded", "proxy", "x-http-host-override", "x-arr-clientcert", "client-cert",
    "x-amzn-mtls-clientcert", "oidc-claim-sub", "front-end-https", "x-url-scheme", "x-middleware-subrequest", "x-accel-mapping", "x-ssl-client-s-dn",
)  # fmt: skip
KEPT = (
    "x-forwarded-for", "x-forwarded-proto", "x-forwarded-client-cert", "x-request-id", "x-users", "content-type",
    "accept", "user-agent", "x-subject-id", "x-model-version", "openai-organization", "traceparent", "x-forwardedfor",
)  # fmt: skip


@pytest.mark.parametrize("name", REMOVED)
def test_a_header_that_servers_believe_is_removed_in_every_spelling(name: str) -> None:
    assert trusted_headers.removed(trusted_headers.IDENTITY, [name]) == [name]
    for letter in "_.~":
        spelled = name.replace("-", letter)
        assert trusted_headers.removed(trusted_headers.IDENTITY, [spelled]) == [spelled]


@pytest.mark.parametrize("name", KEPT)
def test_other_headers_are_kept(name: str) -> None:
    assert trusted_headers.removed(trusted_headers.IDENTITY, [name]) == []


def test_ours_in_another_spelling_is_not_ours() -> None:
    spelled = ["x-forwarded.for", "x-forwarded_for", "x_forwarded-proto", "x_forwarded_for"]
    assert trusted_headers.removed((), spelled) == spelled


def test_the_list_replaces_the_default_and_what_is_always_removed_stays() -> None:
    names = ["x-user", "x-mine-1", "x-min", "forwarded"]
    assert trusted_headers.removed(("x-mine*",), names) == ["forwarded", "x-mine-1"]
