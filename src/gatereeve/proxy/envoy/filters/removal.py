"""Takes off, towards models, the headers that servers believe (`core.believed`).

Behind every filter that reads headers. The list stands once in each route configuration of exact
hosts, where ordinary rows that forward put the filter to sleep. In the one of wildcard hosts no
filter sleeps, so there each governed row brings the list. It must not stand on a virtual host: this
filter applies what every level says.
"""

from __future__ import annotations

from typing import Any

from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from envoy.type.matcher.v3 import string_pb2

from gatereeve.core import believed
from gatereeve.ir.gates import Requests
from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters.placed import Ground, Placed


def build(_ground: Ground) -> tuple[Placed, ...]:
    """Without a route nothing goes to a model."""
    config = packing.pack(header_mutation_pb2.HeaderMutation())
    return (Placed(name=names.REMOVAL, config=config),)


def removing(requests: Requests) -> Any:
    """For route configurations of exact hosts, and for governed rows of wildcard hosts."""
    return packing.pack(_per_route([_taking_off(requests)]))


def _taking_off(requests: Requests) -> Any:
    wanted = string_pb2.StringMatcher(
        safe_regex={"regex": believed.pattern(requests.identity_headers)}
    )
    kind = mutation_rules_pb2.HeaderMutation
    return kind(remove_on_match=kind.RemoveOnMatch(key_matcher=wanted))


def _per_route(mutations: list[Any]) -> Any:
    return header_mutation_pb2.HeaderMutationPerRoute(
        mutations=header_mutation_pb2.Mutations(request_mutations=mutations)
    )
