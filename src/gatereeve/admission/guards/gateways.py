"""The policy for Gateways of our classes: the host of each listener must be granted to its namespace.

The compiler requires this only for listeners with a certificate; here it holds for all, so that no team
reserves the host of another. Other problems of listeners are reported in their status.
"""

from __future__ import annotations

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.facts import GuardFacts, is_our_gateway
from gatereeve.admission.guards.objects import GATEWAY_GROUP, PolicyCheck, policy, rule
from gatereeve.admission.guards.settings import Object

NAME = "gateways"
RULES = (rule(GATEWAY_GROUP, ("gateways",), ("CREATE", "UPDATE")),)


def make_policy(facts: GuardFacts) -> Object:
    """Return the policy; it reads GuardParameters."""
    return policy(
        NAME,
        RULES,
        _CHECKS,
        when={"ours": is_our_gateway(facts), "not-leaving": cel.IS_NOT_DELETION},
        variables={"listeners": "has(object.spec.listeners) ? object.spec.listeners : []"},
        parameters=True,
    )


_CHECKS = (
    PolicyCheck(
        holds="variables.listeners.all(one, !has(one.hostname) || one.hostname == ''"
        f" ? params.spec.grants.size() > 0 : {cel.has_host('one.hostname')})",
        message="host-not-granted: no HostGrant gives this namespace the host of a listener",
    ),
)
