"""No route reaches a model without its policy: checked on what the builders return, before it is
published.

`check_chain` checks the filters of a listener, `check_no_bypass` the routes of a virtual host with
what they take from it. A problem is a mistake in a builder; the last good configuration keeps
serving. Tests read the finished messages as Envoy does and check the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)

from gatereeve.core import errors
from gatereeve.ir import access
from gatereeve.proxy.envoy import engines, names, rbac, routes
from gatereeve.proxy.envoy.filters import authorization, jwt, limit

_ENFORCING: Final = (
    names.STAGES,
    names.ENFORCE,
    names.ALLOW,
    names.LIMIT,
    names.REMOVAL,
    names.ROUTER,
)


def raise_problems(problems: Sequence[str]) -> None:
    """Raise PublishError if there are any."""
    if problems:
        raise errors.PublishError(
            f"the configuration would leave a model ungoverned: {'; '.join(problems)}",
            hint="this is a defect of gatereeve; the last good configuration keeps serving",
        )


def check_chain(manager: hcm_pb2.HttpConnectionManager) -> list[str]:
    """The filters that enforce are there, enabled, in order, and refuse by themselves."""
    chain = [f.name for f in manager.http_filters]
    if [name for name in chain if name in _ENFORCING] != list(_ENFORCING):
        return [f"{manager.stat_prefix}: filters {chain} do not enforce in order"]
    if names.JWT in chain and chain.index(names.JWT) > chain.index(names.STAGES):
        return [f"{manager.stat_prefix}: tokens are verified too late"]
    closed = {
        names.STAGES: rbac.filter_config(engines.write_closed_stages()),
        names.ENFORCE: rbac.filter_config(engines.write_enforcement()),
        names.ALLOW: rbac.filter_config(engines.write_closed_allowance()),
    }
    return [
        f"{manager.stat_prefix}: {f.name} is not closed by itself"
        for f in manager.http_filters
        if f.name in closed
        and (f.disabled or f.is_optional or f.typed_config.value != closed[f.name].value)
    ]


def check_no_bypass(
    host: str,
    encoded: Iterable[routes.EncodedRoute],
    shared: routes.PerFilter,
    context: routes.HostContext,
) -> list[str]:
    """Every route of `host` that reaches a model is governed in full, by that model's policy.

    shared: what the host says for its routes, unless they say otherwise.
    """
    known: dict[int, list[str]] = {}
    problems = []
    for route in encoded:
        if not route.reaches_model:
            continue
        key = id(route.per_filter)
        if key not in known:
            known[key] = list(_problems({**shared, **route.per_filter}, route.governed, context))
        problems += [f"{host}: {route.name}: {problem}" for problem in known[key]]
    return problems


def _problems(
    effective: routes.PerFilter, governed: routes.PerFilter | None, context: routes.HostContext
) -> Iterable[str]:
    if governed is None:
        yield "no model or operation for its rules and its record"
        return
    for name, problem in (
        (names.STAGES, "no stages"),
        (names.ALLOW, "no allow rules"),
    ):
        if not governed.get(name) or effective.get(name) != governed[name]:
            yield problem
    if effective.get(names.ENFORCE) != governed.get(names.ENFORCE):
        yield "the stages are not enforced"
    if effective.get(names.REMOVAL) != governed.get(names.REMOVAL) or (
        context.wild and names.REMOVAL not in governed
    ):
        yield "headers that servers believe are not removed"
    if context.matchers.identity.jwt:
        if effective.get(names.JWT) != routes.entry(names.JWT, jwt.required):
            yield "tokens are not verified"
        if effective.get(names.AUTHORIZATION) != routes.entry(
            names.AUTHORIZATION, authorization.requiring_one_token
        ):
            yield "other things than one token are taken for a token"


def check_limits(
    host: str, rules_of: Iterable[access.Access], shared: Mapping[str, bytes]
) -> list[str]:
    """Every limited allow rule of the models of `host` has its buckets there."""
    buckets = shared.get(names.LIMIT, b"")
    return [
        f"{host}: no bucket for {policy}"
        for rules in rules_of
        for index, rule in enumerate(rules.allow)
        if rule.limit is not None
        for policy in limit.limited_policies(index, rule)
        if policy.encode() not in buckets
    ]
