"""HTTPRoutes that name a Gateway of ours: paths, hosts under a grant, and who may route.

Says what `compile.routes.http_routes` says. The hosts of a route are those that it has in common with the
listeners it names; one that names none takes the listeners' own, and an empty list is no exception.
v1beta1 comes along by `matchPolicy: Equivalent`.
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


def http_routes(known: GuardFacts) -> Object:
    """The policy; it reads the namespace's parameters."""
    named = (
        f"listener.gateway == {GATEWAY_OF_PARENT}"
        " && (!has(parent.sectionName) || parent.sectionName == listener.name)"
        " && (!has(parent.port) || string(parent.port) == listener.port)"
    )
    return policy(
        NAME,
        RULES,
        _CHECKS,
        when={"ours": names_our_gateway(known), "not-leaving": cel.NOT_LEAVING},
        variables={
            "rules": "has(object.spec.rules) ? object.spec.rules : []",
            "wanted": "has(object.spec.hostnames) && object.spec.hostnames.size() > 0"
            " ? object.spec.hostnames : ['*']",
            "listeners": f"{cel.maps(known.listeners)}.filter(listener,"
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
        message="path-refused: write paths without empty or dot segments, `;`, backslashes and needless escapes",
    ),
    PolicyCheck(
        holds="variables.hosts.all(some, some.all(host, host == ''"
        f" || {cel.covers_everything('host')} || (variables.rules.size() > 0 && {_GRANTED})))",
        message="host-not-granted: no HostGrant gives this namespace a host and path of the route",
        message_expression="'host-not-granted: no HostGrant gives namespace ' + request.namespace + ' all of '"
        " + variables.wanted.join(', ') + ' with these paths'",
    ),
    PolicyCheck(
        holds=f"!variables.governed || !({cel.SAYS_SOMETHING_NEW}) || {MAY_ROUTE}",
        message="not-permitted: this route reaches a model, and you may not make routes to the models of this namespace; it takes the verb `route` on models.gatereeve.dev",
    ),
)
