"""Which request headers models do not get."""

from __future__ import annotations

import pytest

from gatereeve.core import believed

REMOVED = (
    "forwarded", "x-real-ip", "x-forwarded-host", "x-forwarded-port", "x-forwarded-user", "x-forwarded-", "x-forwarded-fo",
    "x-forwarded-forx", "x-forwarded-protos", "x-forwarded-client-cert-chain", "x-http-method-override", "x-http-method",
    "x-method-override", "x-original-method", "x-user", "x-user-id", "x-tenant", "remote-user", "x-remote-user",
    "x-auth-request-email", "x-amzn-oidc-identity", "x-amzn-oidc-data",
)  # fmt: skip
KEPT = (
    "x-forwarded-for", "x-forwarded-proto", "x-forwarded-client-cert", "x-request-id", "x-users", "content-type",
    "accept", "user-agent", "x-subject-id", "x-model-version", "openai-organization", "traceparent", "x-forwardedfor",
)  # fmt: skip


@pytest.mark.parametrize("name", REMOVED)
def test_a_header_that_servers_believe_is_removed_in_every_spelling(name: str) -> None:
    assert believed.removed(believed.IDENTITY, [name]) == [name]
    spelled = name.replace("-", "_")
    assert believed.removed(believed.IDENTITY, [spelled]) == [spelled]


@pytest.mark.parametrize("name", KEPT)
def test_other_headers_are_kept(name: str) -> None:
    assert believed.removed(believed.IDENTITY, [name]) == []


def test_ours_in_another_spelling_is_not_ours() -> None:
    assert believed.removed((), ["x_forwarded_for", "x-forwarded_for", "x_forwarded-proto"])


def test_the_list_replaces_the_default_and_what_is_always_removed_stays() -> None:
    names = ["x-user", "x-mine-1", "x-min", "forwarded"]
    assert believed.removed(("x-mine*",), names) == ["forwarded", "x-mine-1"]
