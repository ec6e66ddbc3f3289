"""CEL expressions: literals with safe escapes, and expressions that several policies share.

They use the CEL environment of Kubernetes 1.30. Some repeat a rule of `compile`, which is named; generated
tests compare both on a real API server.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from gatereeve.api import people


def text(value: str) -> str:
    """Return a string literal in ASCII. Escapes are those of JSON, except for characters beyond U+FFFF."""
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isascii() else f"\\U{ord(c):08x}" for c in quoted)


def texts(values: Iterable[str]) -> str:
    """Return a list of strings."""
    return "[" + ", ".join(text(value) for value in values) + "]"


def maps(values: Iterable[Mapping[str, str]]) -> str:
    """Return a list of maps of strings."""
    inner = ("{" + ", ".join(f"{text(k)}: {text(v)}" for k, v in m.items()) + "}" for m in values)
    return "[" + ", ".join(inner) + "]"


def any_of(conditions: Iterable[str]) -> str:
    """Return a disjunction; `false` without conditions."""
    return " || ".join(f"({condition})" for condition in conditions) or "false"


ANNOTATIONS = "(has(object.metadata.annotations) ? object.metadata.annotations : {})"

IS_NOT_DELETION = (
    "request.operation == 'CREATE' || !has(object.metadata.deletionTimestamp)"
    " || object.spec != oldObject.spec"
)
"""False when only metadata of an object in deletion changes, so that finalizers can be removed."""

IS_SPEC_CHANGED = "request.operation == 'CREATE' || object.spec != oldObject.spec"
"""False when only metadata changes."""

MAY_CHANGE_GRANTS = (
    "authorizer.group('gatereeve.dev').resource('hostgrants').check('update').allowed()"
)
"""Whether the caller may change HostGrants, and so the labels that they select."""

MAY_CHANGE_GUARDS = (
    "authorizer.group('admissionregistration.k8s.io')"
    ".resource('validatingadmissionpolicies').check('update').allowed()"
)

KUBERNETES_ITSELF = "request.userInfo.username.startsWith('system:serviceaccount:kube-system:')"
"""Whether the caller is a controller of Kubernetes, which deletes the objects of a namespace."""


AUTHENTICATED = (
    f"!(request.userInfo.username in {texts(people.ANONYMOUS_NAMES)})"
    f" && (!has(request.userInfo.groups) || !request.userInfo.groups.exists(group, group in {texts(people.ANONYMOUS_NAMES)}))"
)
"""Whether the API server has authenticated the caller (`api.people.is_anonymous`)."""


def is_among(who: str) -> str:
    """Return whether the caller is in `who.users` or in a group in `who.groups`."""
    return (
        f"({AUTHENTICATED} && (request.userInfo.username in {who}.users || (has(request.userInfo.groups)"
        f" && request.userInfo.groups.exists(group, group in {who}.groups))))"
    )


def _host_is_granted(grant: str, host: str) -> str:
    """As `compile.routes.host_grants`, for one grant."""
    return (
        f"({grant}.host == '*' || {grant}.host == {host} ||"
        f" ({grant}.host.startsWith('*.') && {host}.endsWith({grant}.host.substring(1))))"
    )


def has_host(host: str) -> str:
    """As `compile.routes.host_grants`: whether a grant of the namespace has the host."""
    return f"params.spec.grants.exists(grant, {_host_is_granted('grant', host)})"


def covers(host: str, path: str) -> str:
    """As `compile.routes.host_grants`: whether a grant covers a canonical literal path."""
    return (
        f"params.spec.grants.exists(grant, {_host_is_granted('grant', host)} && grant.paths.exists("
        f"prefix, prefix == '/' || {path} == prefix || {path}.startsWith(prefix + '/')))"
    )


def covers_everything(host: str) -> str:
    """As `compile.routes.host_grants`: whether a grant covers every path, as patterns need."""
    return (
        f"params.spec.grants.exists(grant, {_host_is_granted('grant', host)}"
        " && grant.paths.exists(prefix, prefix == '/'))"
    )


_SEGMENT = "([A-Za-z0-9._~!$&'()*+,=:@-]|%(2[02]|3[CE]|5[BDE]|60|7[B-D]|[89A-F][0-9A-F]))"  # escapes only of characters that need one and are not separators
_CANONICAL = text(f"^(/{_SEGMENT}+)*/?$")
_DOTS = text(r"(^|/)\.{1,2}(/|$)")


def is_canonical(path: str) -> str:
    """Return whether `compile.routes.grammar.canonical_path` accepts the path."""
    return (
        f"({path}.startsWith('/') && {path}.size() <= 1024 && {path}.matches({_CANONICAL})"
        f" && !{path}.matches({_DOTS}))"
    )


def common_host(listener: str, route: str) -> str:
    """As `compile.routes.gateways.common_host`; "" for None."""
    is_below = "{0}.startsWith('*.') && {1}.endsWith({0}.substring(1)) && {1} != {0}.substring(2)"
    return (
        f"({listener} == '*' || {listener} == {route} ? {route}"
        f" : ({route} == '*' ? {listener}"
        f" : ({is_below.format(listener, route)} ? {route}"
        f" : ({is_below.format(route, listener)} ? {listener} : ''))))"
    )
