"""Buckets: one shape per limited rule and kind of caller, on the host."""

from __future__ import annotations

from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2 as limit_pb2

from gatereeve.ir import access
from gatereeve.ir.identity import Attributes, Identity
from gatereeve.proxy.envoy.filters import limit
from gatereeve.proxy.envoy.identity_matchers import IdentityMatchers
from tests.support import ir_builders as ir

LIMIT = access.RequestLimit(count=3, seconds=10)
MATCHERS = IdentityMatchers(
    identity=Identity(jwt=(ir.Issuer().provider(),), api_keys=ir.api_keys(acme=())),
    attributes=Attributes(),
)


def _built(*rules: access.Rule) -> limit_pb2.LocalRateLimit:
    packed = limit.build_buckets(MATCHERS, [ir.access(allow=rules)])
    made = limit_pb2.LocalRateLimit()
    assert packed is not None
    packed.Unpack(made)
    return made


def test_no_limited_rule_no_buckets() -> None:
    assert limit.build_buckets(MATCHERS, [ir.access(allow=(ir.rule(),))]) is None


def test_a_bucket_per_principal_of_each_method() -> None:
    made = _built(ir.rule(limit=LIMIT))
    entries = [{e.key: e.value for e in d.entries} for d in made.descriptors]
    rule = "0000!|lending/credit/allow[0]"
    assert entries == [
        {"model": ir.MODEL, "rule": rule, "jwt:corp": ""},
        {"model": ir.MODEL, "rule": rule, "apikey": ""},
    ]
    assert {d.token_bucket.max_tokens for d in made.descriptors} == {3}
    assert made.filter_enabled.default_value.numerator == 100
    assert made.filter_enforced.default_value.numerator == 100
    assert made.max_dynamic_descriptors.value == limit.CALLERS_KEPT


def test_callers_without_a_credential_are_told_apart_by_address() -> None:
    made = _built(ir.rule(subjects=(access.IsAnonymous(),), limit=LIMIT))
    entries = [{e.key: e.value for e in d.entries} for d in made.descriptors]
    assert entries == [
        {"model": ir.MODEL, "rule": "0000@!|lending/credit/allow[0]", "remote_address": ""}
    ]


def test_retry_after_is_the_longest_wait_for_one_token() -> None:
    made = _built(ir.rule(limit=LIMIT), ir.rule("x", limit=access.RequestLimit(count=1, seconds=7)))
    (option,) = made.response_headers_to_add
    assert (option.header.key, option.header.value) == ("retry-after", "7")
