"""Gateways of our classes: listeners under a grant.

A listener's host must be granted to the Gateway's own namespace: the compiler asks that only before
it shows a certificate, here it is asked of everyone, so that nobody reserves a name. What else may be
wrong with a listener is told by its status, as Gateway API wants it.
"""

from __future__ import annotations

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.facts import GuardFacts, is_our_gateway
from gatereeve.admission.guards.objects import GATEWAY_GROUP, PolicyCheck, policy, rule
from gatereeve.admission.guards.settings import Object

NAME = "gateways"
RULES = (rule(GATEWAY_GROUP, ("gateways",), ("CREATE", "UPDATE")),)


def gateways(known: GuardFacts) -> Object:
    """The policy; it reads the namespace's parameters."""
    return policy(
        NAME,
        RULES,
        _CHECKS,
        when={"ours": is_our_gateway(known), "not-leaving": cel.NOT_LEAVING},
        variables={"listeners": "has(object.spec.listeners) ? object.spec.listeners : []"},
        parameters=True,
    )


_CHECKS = (
    PolicyCheck(
        holds="variables.listeners.all(one, !has(one.hostname) || one.hostname == ''"
        f" ? params.spec.grants.size() > 0 : {cel.has_host('one.hostname')})",
        message="host-not-granted: no HostGrant gives the Gateway's namespace a listener's host",
    ),
)
