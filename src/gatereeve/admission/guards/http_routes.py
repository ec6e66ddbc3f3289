"""The policy for HTTPRoutes of our Gateways: paths, granted hosts, and who may route to models.

It repeats `compile.routes.http_routes`. The hosts of a route are those that it shares with its listeners; a
route without hostnames has the hosts of the listeners. `matchPolicy: Equivalent` includes v1beta1.
"""

from __future__ import annotations

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.facts import GATEWAY_OF_PARENT, GuardFacts, names_our_gateway
from gatereeve.admission.guards.ingresses import MAY_ROUTE
from gatereeve.admission.guards.objects import GATEWAY_GROUP, PolicyCheck, policy, rule
from gatereeve.admission.guards.settings import Object

NAME = "httproutes"
RULES = (rule(GATEWAY_GROUP, ("httproutes",), ("CREATE", "UPDATE")),)

_MATCHES = "(has(one.matches) && one.matches.size() > 0 ? one.matches : [])"
_ROOT = "(!has(one.matches) || one.matches.size() == 0)"
_TYPE = "(has(match.path) && has(match.path.type) ? match.path.type : 'PathPrefix')"
_PATH = "(has(match.path) && has(match.path.value) ? match.path.value : '/')"


def make_policy(facts: GuardFacts) -> Object:
    """Return the policy; it reads GuardParameters."""
    named = (
        f"listener.gateway == {GATEWAY_OF_PARENT}"
        " && (!has(parent.sectionName) || parent.sectionName == listener.name)"
        " && (!has(parent.port) || string(parent.port) == listener.port)"
    )
    return policy(
        NAME,
        RULES,
        _CHECKS,
        when={"ours": names_our_gateway(facts), "not-leaving": cel.IS_NOT_DELETION},
        variables={
            "rules": "has(object.spec.rules) ? object.spec.rules : []",
            "wanted": "has(object.spec.hostnames) && object.spec.hostnames.size() > 0"
            " ? object.spec.hostnames : ['*']",
            "listeners": f"{cel.maps(facts.listeners)}.filter(listener,"
            f" object.spec.parentRefs.exists(parent, {named})).map(listener, listener.host)",
            "hosts": "variables.listeners.map(listener, variables.wanted.map(wanted, "
            + cel.common_host("listener", "wanted")
            + "))",
            "governed": "variables.rules.exists(one, has(one.backendRefs)"
            " && one.backendRefs.exists(backend, (has(backend.kind) && backend.kind == 'Model'"
            " && has(backend.group) && backend.group == 'gatereeve.dev')"
            " || ((!has(backend.kind) || backend.kind == 'Service')"
            " && (!has(backend.namespace) || backend.namespace == request.namespace)"
            " && backend.name in params.spec.services)))",
        },
        parameters=True,
    )


_GRANTED = (
    f"variables.rules.all(one, (!{_ROOT} || {cel.covers('host', cel.text('/'))}) &&"
    f" {_MATCHES}.all(match, {_TYPE} != 'RegularExpression' && {cel.covers('host', _PATH)}"
    f" || {cel.covers_everything('host')}))"
)

_CHECKS = (
    PolicyCheck(
        holds=f"variables.rules.all(one, {_MATCHES}.all(match,"
        f" {_TYPE} == 'RegularExpression' || {cel.is_canonical(_PATH)}))",
        message="path-refused: write paths without empty segments, dot segments, `;`, backslashes and unnecessary escapes",
    ),
    PolicyCheck(
        holds="variables.hosts.all(some, some.all(host, host == ''"
        f" || {cel.covers_everything('host')} || (variables.rules.size() > 0 && {_GRANTED})))",
        message="host-not-granted: no HostGrant gives this namespace the hosts and paths of the route",
        message_expression="'host-not-granted: no HostGrant gives namespace ' + request.namespace + ' all of '"
        " + variables.wanted.join(', ') + ' with these paths'",
    ),
    PolicyCheck(
        holds=f"!variables.governed || !({cel.IS_SPEC_CHANGED}) || {MAY_ROUTE}",
        message="not-permitted: a route to a model requires the verb `route` on models.gatereeve.dev in this namespace",
    ),
)
