"""Which error shape a route's callers expect, for local replies: silent but on OpenAI routes.

A shadow engine with one policy writes the protocol's name where reply mappers can read it.
"""

from __future__ import annotations

from typing import Any

from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as filter_pb2

from gatereeve.proxy.envoy import names, packing, rbac
from gatereeve.proxy.envoy.filters.placed import Ground, Placed, awake

METADATA_KEY = "protocol_shadow_effective_policy_id"
OPENAI = "openai"


def build(_ground: Ground) -> tuple[Placed, ...]:
    config = packing.pack(filter_pb2.RBAC())
    return (Placed(name=names.PROTOCOL, config=config),)


def speaking_openai() -> Any:
    """For routes whose callers are OpenAI clients."""
    config = filter_pb2.RBAC(
        shadow_rules=rbac.allowing({OPENAI: rbac.policy(rbac.anybody())}),
        shadow_rules_stat_prefix="protocol_",
    )
    return awake(packing.pack(rbac.per_route(config)))
