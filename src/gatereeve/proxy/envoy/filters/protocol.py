"""Which error shape a route's callers expect, for local replies: disabled except on OpenAI routes.

A shadow engine with one policy writes the protocol's name where reply mappers can read it.
"""

from __future__ import annotations

from google.protobuf import any_pb2

from gatereeve.proxy.envoy import names, rbac
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter, enabled

METADATA_KEY = "protocol_shadow_effective_policy_id"
OPENAI = "openai"


def build(_context: FilterContext) -> tuple[HttpFilter, ...]:
    config = rbac.filter_config(b"")
    return (HttpFilter(name=names.PROTOCOL, config=config),)


def speaking_openai() -> any_pb2.Any:
    """For routes whose callers are OpenAI clients."""
    rules = rbac.rules(rbac.ALLOW, {OPENAI: rbac.policy(rbac.anybody())})
    return enabled(rbac.per_route(rbac.config(shadow=rules, shadow_prefix="protocol_")))
