"""Ingresses of our classes: class, annotations, paths, hosts under a grant, TLS, and who may route.

Says what `compile.routes.ingresses` and `compile.foreign_annotations` say, at the door; and two things more, that only
the API server knows or that are better said early: who may make routes to models, and that a route
to a model brings its TLS along.
"""

from __future__ import annotations

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.facts import CLASS_ANNOTATION, GuardFacts, is_our_ingress
from gatereeve.admission.guards.objects import NETWORKING_GROUP, PolicyCheck, policy, rule
from gatereeve.admission.guards.settings import Object
from gatereeve.compile.routes import foreign_annotations

NAME = "ingresses"
RULES = (rule(NETWORKING_GROUP, ("ingresses", "ingresses/status"), ("CREATE", "UPDATE")),)
"""The status resource too: through it anybody who may write it changes annotations."""

_ANNOTATION = cel.text(CLASS_ANNOTATION)
_PATHS = "(has(one.http) && has(one.http.paths) ? one.http.paths : [])"
_PATH = "(has(path.path) && path.path != '' ? path.path : '/')"
_HOST = "(has(one.host) && one.host != '' ? one.host : '*')"


def ingresses(known: GuardFacts) -> Object:
    """The policy; it reads the namespace's parameters."""
    return policy(
        NAME,
        RULES,
        (*_CLASS, *_annotations(), *_PATH_CHECKS, *_HOSTS, _tls(known), _ROUTERS),
        when={"ours": is_our_ingress(known), "not-leaving": cel.NOT_LEAVING},
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


_CLASS = (
    PolicyCheck(
        holds=f"!has(object.spec.ingressClassName) || !({_ANNOTATION} in variables.annotations)"
        f" || variables.annotations[{_ANNOTATION}] == object.spec.ingressClassName",
        message="class-ambiguous: ingressClassName and the class annotation disagree; remove the annotation",
    ),
)


def _annotations() -> tuple[PolicyCheck, ...]:
    """`compile.foreign_annotations.judge` refuses none of them."""
    controllers, harmless = (
        cel.texts(foreign_annotations.CONTROLLERS),
        cel.texts(foreign_annotations.HARMLESS),
    )
    off, zero = (
        cel.texts(foreign_annotations.OFF_IS_HARMLESS),
        cel.texts(foreign_annotations.ZERO_IS_HARMLESS),
    )
    value = "variables.annotations[name]"
    said = f"{value}.trim().lowerAscii()"
    refused = (
        f"{controllers}.exists(prefix, name.startsWith(prefix)) && ("
        f"{value}.matches({cel.text(_CONTROL)}) || !("
        f"{harmless}.exists(prefix, name.startsWith(prefix))"
        f" || (name in {off} && {said} == 'false')"
        f" || (name in {zero} && {said} == '0')"
        f" || (name.endsWith('/backend-protocol') && {said} in ['http', 'h1'])"
        f" || (name == 'kubernetes.io/ingress.allow-http' && {said} == 'true')))"
    )
    return (
        PolicyCheck(
            holds=f"!variables.annotations.exists(name, {refused})",
            message="annotation-refused: an annotation asks another controller for something that is not done here; say it with Model, AccessPolicy or Gate",
            message_expression="'annotation-refused: these annotations ask another controller for something that is not done here: '"
            f" + variables.annotations.filter(name, {refused}).join(', ')",
        ),
    )


_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f]"

_PATH_CHECKS = (
    PolicyCheck(
        holds=f"variables.rules.all(one, {_PATHS}.all(path, {cel.is_canonical(_PATH)}"
        " && (path.pathType != 'ImplementationSpecific' || !"
        + _PATH
        + ".matches("
        + cel.text(r"[*()$!+]")
        + "))))",
        message="path-refused: write paths without empty or dot segments, `;`, backslashes and needless escapes; patterns need an HTTPRoute",
    ),
)

_TLS_HOST = "(host == '' ? '*' : host)"

_HOSTS = (
    PolicyCheck(
        holds=f"variables.rules.all(one, {_PATHS}.all(path, {cel.covers(_HOST, _PATH)}))",
        message="host-not-granted: no HostGrant gives this namespace a host and path of the Ingress",
        message_expression="'host-not-granted: no HostGrant gives namespace ' + request.namespace + ' all of '"
        f" + variables.rules.map(one, {_HOST}).join(', ') + ' with these paths'",
    ),
    PolicyCheck(
        holds=f"!has(object.spec.defaultBackend) || {cel.covers(cel.text('*'), cel.text('/'))}",
        message="host-not-granted: a default backend answers every host, and no HostGrant gives this namespace `*`",
    ),
    PolicyCheck(
        holds="variables.tls.all(one, !has(one.secretName) || one.secretName == '' ||"
        " (has(one.hosts) && one.hosts.size() > 0"
        f" ? one.hosts.all(host, {cel.has_host(_TLS_HOST)})"
        f" : variables.rules.all(one, {cel.has_host(_HOST)})))",
        message="host-not-granted: spec.tls names a host that no HostGrant gives this namespace",
    ),
)


def _tls(known: GuardFacts) -> PolicyCheck:
    """A route to a model names its certificate, unless its Gate has one for every host."""
    certified = cel.texts(known.certified)
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
        message="tls-unavailable: a route to a model is served over TLS only; name a certificate for its host in spec.tls, or give the Gate tls.defaultCertificate",
    )


MAY_ROUTE = (
    "authorizer.group('gatereeve.dev').resource('models').namespace(request.namespace)"
    ".check('route').allowed()"
)

_ROUTERS = PolicyCheck(
    holds=f"!variables.governed || !({cel.SAYS_SOMETHING_NEW}) || {MAY_ROUTE}",
    message="not-permitted: this route reaches a model, and you may not make routes to the models of this namespace; it takes the verb `route` on models.gatereeve.dev",
)
