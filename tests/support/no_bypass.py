"""Reads finished messages as Envoy does and says which route reaches a model without its policy.

The most specific level counts, whole. This is independent of the builders and of the check that
they run themselves (`proxy.envoy.invariants`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2 as limit_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as filter_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)

from gatereeve.ir import record_fields
from gatereeve.proxy.envoy import engines, invariants, names
from gatereeve.proxy.envoy.filters import authorization, jwt

_ASKED: Final = (
    names.STAGES,
    names.ENFORCE,
    names.ALLOW,
    names.AUTHORIZATION,
    names.JWT,
    names.LIMIT,
)


def check_governed(messages: Iterable[Any]) -> list[str]:
    """What is wrong with a whole configuration; empty when nothing is.

    messages: those of a snapshot, of any types; listeners, route configurations and `Any` of them
    are read, the rest is passed over.
    """
    found: list[str] = []
    configurations = []
    verifies_tokens = False
    for message in messages:
        if isinstance(message, listener_pb2.Listener):
            for manager in _managers(message):
                found += invariants.check_chain(manager)
                verifies_tokens |= any(f.name == names.JWT for f in manager.http_filters)
        elif isinstance(message, route_pb2.RouteConfiguration):
            configurations.append(message)
    for configuration in configurations:
        above = [configuration.typed_per_filter_config]
        exact = any(not d.startswith("*") for h in configuration.virtual_hosts for d in h.domains)
        if exact and not _removes(above[0].get(names.REMOVAL)):
            found.append(f"{configuration.name}: headers that servers believe are not taken off")
        for host in configuration.virtual_hosts:
            found += check_virtual_host(host, verifies_tokens=verifies_tokens, above=above)
    return found


def check_virtual_host(host: Any, *, verifies_tokens: bool, above: Iterable[Any] = ()) -> list[str]:
    """Every route of `host` that may reach a model is governed in full.

    above: `typed_per_filter_config` of the levels above the host, most specific first.
    """
    levels = [host.typed_per_filter_config, *above]
    known: dict[tuple[bytes | None, ...], list[str]] = {}
    found = []
    for route in host.routes:
        if not any(cluster.startswith(names.MODEL_CLUSTER) for cluster in _clusters(route)):
            continue
        own = route.typed_per_filter_config
        key = tuple(own[name].value if name in own else None for name in _ASKED)
        if key not in known:
            known[key] = list(_problems(route, levels, verifies_tokens=verifies_tokens))
        problems = known[key]
        if not _takes_off(route, wild=any(name.startswith("*") for name in host.domains)):
            problems = [*problems, "headers that servers believe are not taken off"]
        if not _says_model(route):
            problems = [*problems, "no model or operation for its rules and its record"]
        found += [f"{host.name}: {route.name}: {problem}" for problem in problems]
    return found


def _takes_off(route: Any, *, wild: bool) -> bool:
    """On an exact host the route configuration takes them off, unless the row says otherwise."""
    own = route.typed_per_filter_config
    if names.REMOVAL in own:
        config = _unpack(own[names.REMOVAL], header_mutation_pb2.HeaderMutationPerRoute)
        return config is not None and (not wild or _removes(own[names.REMOVAL]))
    return not wild


def _removes(packed: Any | None) -> bool:
    config = _unpack(packed, header_mutation_pb2.HeaderMutationPerRoute)
    if config is None:
        return False
    return any(m.HasField("remove_on_match") for m in config.mutations.request_mutations)


def _says_model(route: Any) -> bool:
    told = route.metadata.filter_metadata
    if record_fields.GATE_NAMESPACE not in told:
        return False
    fields = told[record_fields.GATE_NAMESPACE].fields
    return all(
        key in fields and fields[key].string_value for key in ("model", engines.OPERATION_KEY)
    )


def _problems(route: Any, levels: list[Any], *, verifies_tokens: bool) -> Iterator[str]:
    stated = {name: _effective(name, [route.typed_per_filter_config, *levels]) for name in _ASKED}
    token = _unpack(stated[names.JWT], config_pb2.PerRouteConfig)
    if verifies_tokens and (token is None or token.requirement_name != jwt.REQUIREMENT):
        yield "tokens are not verified"
    if verifies_tokens and stated[names.AUTHORIZATION] != authorization.requiring_one_token():
        yield "other things than one token are taken for a token"
    stages = _unpack(stated[names.STAGES], filter_pb2.RBACPerRoute)
    if stages is None or not _is_staged(stages.rbac):
        yield "no stages"
    enforce = stated[names.ENFORCE]
    if enforce is not None:
        config = _unpack(enforce, filter_pb2.RBACPerRoute)
        if (
            config is None
            or config.rbac.rules != filter_pb2.RBAC.FromString(engines.write_enforcement()).rules
        ):
            yield "the stages are not enforced"
    allow = _unpack(stated[names.ALLOW], filter_pb2.RBACPerRoute)
    if allow is None or not _is_allowance(allow.rbac):
        yield "no allow rules"
    else:
        yield from _unlimited(allow.rbac, stated[names.LIMIT])


def _is_staged(config: Any) -> bool:
    rules = config.shadow_rules
    return (
        config.shadow_rules_stat_prefix == "stage_"
        and rules.action == rules.DENY
        and engines.PATH_POLICY in rules.policies
    )


def _is_allowance(config: Any) -> bool:
    rules = config.rules
    return (
        config.HasField("rules")
        and not config.HasField("matcher")
        and rules.action == rules.ALLOW
        and engines.OPEN not in rules.policies
    )


def _unlimited(config: Any, limits: Any | None) -> Iterator[str]:
    buckets = _unpack(limits, limit_pb2.LocalRateLimit)
    kept: set[str] = set()
    if buckets is not None and buckets.filter_enforced.default_value.numerator == 100:
        kept = {e.value for d in buckets.descriptors for e in d.entries if e.key == "rule"}
    for policy in config.rules.policies:
        if policy.partition("|")[0].endswith("!") and policy not in kept:
            yield f"no bucket for {policy}"


def _effective(name: str, levels: Iterable[Any]) -> Any | None:
    """The `Any` of the most specific level that says something."""
    return next((level[name] for level in levels if name in level), None)


def _clusters(route: Any) -> Iterator[str]:
    if route.WhichOneof("action") != "route":
        return
    action = route.route
    if action.WhichOneof("cluster_specifier") not in ("cluster", "weighted_clusters"):
        yield f"{names.MODEL_CLUSTER}unknown"  # a way we do not build may lead anywhere
    yield action.cluster
    yield from (share.name for share in action.weighted_clusters.clusters)
    yield from (mirror.cluster for mirror in action.request_mirror_policies)


def _unpack(packed: Any | None, kind: Any) -> Any | None:
    """The message, if it is of this kind and not put to sleep."""
    if packed is None:
        return None
    if packed.Is(route_components_pb2.FilterConfig.DESCRIPTOR):
        config = route_components_pb2.FilterConfig()
        packed.Unpack(config)
        return None if config.disabled else _unpack(config.config, kind)
    if not packed.Is(kind.DESCRIPTOR):
        return None
    message = kind()
    packed.Unpack(message)
    return message


def _managers(listener: Any) -> Iterator[Any]:
    chains = [*listener.filter_chains]
    if listener.HasField("default_filter_chain"):
        chains.append(listener.default_filter_chain)
    for chain in chains:
        for network_filter in chain.filters:
            manager = hcm_pb2.HttpConnectionManager()
            if network_filter.typed_config.Unpack(manager):
                yield manager
