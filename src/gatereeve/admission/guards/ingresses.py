"""The policy for Ingresses of our classes: class, annotations, paths, granted hosts, TLS, and who may route.

It repeats `compile.routes.ingresses` and `compile.routes.foreign_annotations`, with two more checks: the
caller may route to models, and a route to a model has a certificate.
"""

from __future__ import annotations

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.facts import GuardFacts, is_our_ingress
from gatereeve.admission.guards.objects import NETWORKING_GROUP, PolicyCheck, policy, rule
from gatereeve.admission.guards.settings import Object
from gatereeve.compile.routes import foreign_annotations
from gatereeve.core.conditions import CLASS_ANNOTATION

NAME = "ingresses"
RULES = (rule(NETWORKING_GROUP, ("ingresses", "ingresses/status"), ("CREATE", "UPDATE")),)
"""Also the status, because a write to it can change annotations."""

_ANNOTATION = cel.text(CLASS_ANNOTATION)
_PATHS = "(has(one.http) && has(one.http.paths) ? one.http.paths : [])"
_PATH = "(has(path.path) && path.path != '' ? path.path : '/')"
_HOST = "(has(one.host) && one.host != '' ? one.host : '*')"


def make_policy(facts: GuardFacts) -> Object:
    """Return the policy; it reads GuardParameters."""
    return policy(
        NAME,
        RULES,
        (_CLASS, _check_annotations(), _PATH_CHECK, *_HOSTS, _check_tls(facts), _ROUTERS),
        when={"ours": is_our_ingress(facts), "not-leaving": cel.IS_NOT_DELETION},
        variables={
            "annotations": cel.ANNOTATIONS,
            "rules": "has(object.spec.rules) ? object.spec.rules : []",
            "tls": "has(object.spec.tls) ? object.spec.tls : []",
            "backends": (
                f"variables.rules.map(one, {_PATHS}.map(path, path.backend))"
                " + [has(object.spec.defaultBackend) ? [object.spec.defaultBackend] : []]"
            ),
            "governed": (
                "variables.backends.exists(some, some.exists(backend,"
                " (has(backend.resource) && backend.resource.kind == 'Model')"
                " || (has(backend.service) && backend.service.name in params.spec.services)))"
            ),
        },
        parameters=True,
    )


_CLASS = PolicyCheck(
    holds=f"!has(object.spec.ingressClassName) || !({_ANNOTATION} in variables.annotations)"
    f" || variables.annotations[{_ANNOTATION}] == object.spec.ingressClassName",
    message="class-ambiguous: ingressClassName and the class annotation differ; remove the annotation",
)


def _check_annotations() -> PolicyCheck:
    """As `compile.routes.foreign_annotations.judge`."""
    controllers = cel.texts(foreign_annotations.CONTROLLERS)
    harmless = cel.texts(foreign_annotations.HARMLESS)
    off = cel.texts(foreign_annotations.OFF_IS_HARMLESS)
    zero = cel.texts(foreign_annotations.ZERO_IS_HARMLESS)
    value = "variables.annotations[name]"
    normalized = f"{value}.trim().lowerAscii()"
    refused = (
        f"{controllers}.exists(prefix, name.startsWith(prefix)) && ("
        f"{value}.matches({cel.text(_CONTROL)}) || !("
        f"{harmless}.exists(prefix, name.startsWith(prefix))"
        f" || (name in {off} && {normalized} == 'false')"
        f" || (name in {zero} && {normalized} == '0')"
        f" || (name.endsWith('/backend-protocol') && {normalized} in ['http', 'h1'])"
        f" || (name == 'kubernetes.io/ingress.allow-http' && {normalized} == 'true')))"
    )
    return PolicyCheck(
        holds=f"!variables.annotations.exists(name, {refused})",
        message="annotation-refused: an annotation of another controller has no effect here; use Model, AccessPolicy or Gate",
        message_expression="'annotation-refused: these annotations of another controller have no effect here: '"
        f" + variables.annotations.filter(name, {refused}).join(', ')",
    )


_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f]"

_PATTERN = cel.text(r"[*()$!+]")
_PATH_CHECK = PolicyCheck(
    holds=f"variables.rules.all(one, {_PATHS}.all(path, {cel.is_canonical(_PATH)}"
    f" && (path.pathType != 'ImplementationSpecific' || !{_PATH}.matches({_PATTERN}))))",
    message="path-refused: write paths without empty segments, dot segments, `;`, backslashes and unnecessary escapes; patterns require an HTTPRoute",
)

_TLS_HOST = "(host == '' ? '*' : host)"

_HOSTS = (
    PolicyCheck(
        holds=f"variables.rules.all(one, {_PATHS}.all(path, {cel.covers(_HOST, _PATH)}))",
        message="host-not-granted: no HostGrant gives this namespace the hosts and paths of the Ingress",
        message_expression="'host-not-granted: no HostGrant gives namespace ' + request.namespace + ' all of '"
        f" + variables.rules.map(one, {_HOST}).join(', ') + ' with these paths'",
    ),
    PolicyCheck(
        holds=f"!has(object.spec.defaultBackend) || {cel.covers(cel.text('*'), cel.text('/'))}",
        message="host-not-granted: a default backend requires a HostGrant for `*`",
    ),
    PolicyCheck(
        holds="variables.tls.all(one, !has(one.secretName) || one.secretName == '' ||"
        " (has(one.hosts) && one.hosts.size() > 0"
        f" ? one.hosts.all(host, {cel.has_host(_TLS_HOST)})"
        f" : variables.rules.all(one, {cel.has_host(_HOST)})))",
        message="host-not-granted: no HostGrant gives this namespace a host of spec.tls",
    ),
)


def _check_tls(facts: GuardFacts) -> PolicyCheck:
    """Return the check that a route to a model names a certificate, or its Gate has a default one."""
    certified = cel.texts(facts.certified)
    covered = (
        "variables.tls.exists(tls, has(tls.secretName) && tls.secretName != '' &&"
        " (!has(tls.hosts) || tls.hosts.size() == 0 || tls.hosts.exists(host,"
        f" host == {_HOST} || (host.startsWith('*.') && {_HOST}.endsWith(host.substring(1))))))"
    )
    return PolicyCheck(
        holds="!variables.governed || (has(object.spec.ingressClassName) &&"
        f" object.spec.ingressClassName in {certified}) || ({_ANNOTATION} in variables.annotations"
        f" && variables.annotations[{_ANNOTATION}] in {certified})"
        f" || variables.rules.all(one, {covered})",
        message="tls-unavailable: a route to a model requires TLS; name a certificate for its host in spec.tls, or set tls.defaultCertificate of the Gate",
    )


MAY_ROUTE = (
    "authorizer.group('gatereeve.dev').resource('models').namespace(request.namespace)"
    ".check('route').allowed()"
)

_ROUTERS = PolicyCheck(
    holds=f"!variables.governed || !({cel.IS_SPEC_CHANGED}) || {MAY_ROUTE}",
    message="not-permitted: a route to a model requires the verb `route` on models.gatereeve.dev in this namespace",
)
