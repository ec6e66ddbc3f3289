"""Token buckets: one per allow rule and principal (or address, for callers without a credential).

The buckets stand on the virtual host, so that all rows of a model share them. Envoy keeps them in
the configuration object: a change of the host's route configuration starts them full again, and
every gate has its own. A bucket holds `count` tokens and is refilled evenly, `count` in `seconds`:
in any stretch of T seconds a caller gets at most count + count * T / seconds requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.common.ratelimit.v3 import ratelimit_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2 as limit_pb2
from envoy.type.metadata.v3 import metadata_pb2
from envoy.type.v3 import token_bucket_pb2
from google.protobuf import any_pb2

from gatereeve.ir import access, record_fields
from gatereeve.proxy.envoy import engines, names, packing
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter
from gatereeve.proxy.envoy.identity_matchers import IdentityMatchers

CALLERS_KEPT: Final = 10_000
"""Buckets per virtual host; beyond them the one unused for longest is forgotten and starts full."""

_UNLIMITED: Final = 1_000_000_000
_ANONYMOUS: Final = "remote_address"
"""Envoy's own name for the entry of an address."""


def build(_context: FilterContext) -> tuple[HttpFilter, ...]:
    """Limits nothing by itself: a virtual host brings its buckets."""
    config = limit_pb2.LocalRateLimit(stat_prefix="limits")
    return (HttpFilter(name=names.LIMIT, config=packing.pack(config)),)


def build_buckets(
    matchers: IdentityMatchers, rules_of: Sequence[access.Access]
) -> any_pb2.Any | None:
    """The per-host configuration for the limits of these models, as `Any`; None without limits."""
    descriptors: list[ratelimit_pb2.LocalRateLimitDescriptor] = []
    waits = [1]
    for rules in rules_of:
        for index, rule in enumerate(rules.allow):
            if rule.limit is not None:
                descriptors += _descriptors(matchers, rules.model, index, rule, rule.limit)
                waits.append(-(-rule.limit.seconds // rule.limit.count))
    if not descriptors:
        return None
    always = base_pb2.RuntimeFractionalPercent(default_value={"numerator": 100})
    retry_after = base_pb2.HeaderValueOption(
        header=base_pb2.HeaderValue(key="retry-after", value=str(max(waits))),
        append_action="OVERWRITE_IF_EXISTS_OR_ADD",
    )
    return packing.pack(
        limit_pb2.LocalRateLimit(
            stat_prefix="limits",
            token_bucket=_bucket(_UNLIMITED, 1),
            filter_enabled=always,
            filter_enforced=always,
            response_headers_to_add=[retry_after],
            rate_limits=_lookups(matchers),
            descriptors=descriptors,
            max_dynamic_descriptors=packing.uint32(CALLERS_KEPT),
            always_consume_default_token_bucket=packing.boolean(value=False),
        )
    )


def limited_policies(index: int, rule: access.Rule) -> list[str]:
    """The allow policies of a limited rule."""
    policies = []
    if engines.is_identified_rule(rule):
        policies.append(record_fields.rule_policy(index, rule.name, limited=True))
    if engines.is_anonymous_rule(rule):
        policies.append(record_fields.rule_policy(index, rule.name, limited=True, anonymous=True))
    return policies


def _descriptors(
    matchers: IdentityMatchers,
    model: str,
    index: int,
    rule: access.Rule,
    limit: access.RequestLimit,
) -> Iterable[ratelimit_pb2.LocalRateLimitDescriptor]:
    """One bucket shape per policy and kind of caller; an empty value makes a bucket per caller."""
    anonymous = record_fields.rule_policy(index, rule.name, limited=True, anonymous=True)
    for policy in limited_policies(index, rule):
        for kind, _ in _callers(matchers):
            if (policy == anonymous) != (kind == _ANONYMOUS):
                continue
            yield ratelimit_pb2.LocalRateLimitDescriptor(
                entries=[
                    ratelimit_pb2.RateLimitDescriptor.Entry(key="model", value=model),
                    ratelimit_pb2.RateLimitDescriptor.Entry(key="rule", value=policy),
                    ratelimit_pb2.RateLimitDescriptor.Entry(key=kind, value=""),
                ],
                token_bucket=_bucket(limit.count, limit.seconds),
            )


@lru_cache(maxsize=16)
def _callers(
    matchers: IdentityMatchers,
) -> tuple[tuple[str, route_components_pb2.RateLimit.Action], ...]:
    """Kinds of callers, and the action that distinguishes them."""
    identity = matchers.identity
    callers = [
        (
            f"jwt:{p.name}",
            _metadata(f"jwt:{p.name}", record_fields.JWT_NAMESPACE, p.name, *p.id_claim),
        )
        for p in identity.jwt
    ]
    if identity.api_keys is not None:
        callers.append(("apikey", _metadata("apikey", record_fields.APIKEY_NAMESPACE, "id")))
    if identity.mtls is not None:
        callers.append(("mtls", _metadata("mtls", record_fields.MTLS_NAMESPACE, "id")))
    by_address = route_components_pb2.RateLimit.Action(
        remote_address=route_components_pb2.RateLimit.Action.RemoteAddress()
    )
    return (*callers, (_ANONYMOUS, by_address))


@lru_cache(maxsize=16)
def _lookups(matchers: IdentityMatchers) -> tuple[route_components_pb2.RateLimit, ...]:
    return tuple(_lookup(action) for _, action in _callers(matchers))


def _lookup(caller: route_components_pb2.RateLimit.Action) -> route_components_pb2.RateLimit:
    model = _metadata("model", record_fields.GATE_NAMESPACE, "model", route=True)
    rule = _metadata("rule", record_fields.RBAC_NAMESPACE, record_fields.ALLOW_ID)
    return route_components_pb2.RateLimit(actions=[model, rule, caller])


def _metadata(
    key: str, namespace: str, *path: str, route: bool = False
) -> route_components_pb2.RateLimit.Action:
    kind = route_components_pb2.RateLimit.Action.MetaData
    return route_components_pb2.RateLimit.Action(
        metadata=kind(
            descriptor_key=key,
            source=kind.ROUTE_ENTRY if route else kind.DYNAMIC,
            metadata_key=metadata_pb2.MetadataKey(
                key=namespace,
                path=[metadata_pb2.MetadataKey.PathSegment(key=part) for part in path],
            ),
        )
    )


def _bucket(count: int, seconds: int) -> token_bucket_pb2.TokenBucket:
    return token_bucket_pb2.TokenBucket(
        max_tokens=count,
        tokens_per_fill=packing.uint32(count),
        fill_interval=packing.seconds(seconds),
    )
