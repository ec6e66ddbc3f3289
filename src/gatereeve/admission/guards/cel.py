"""CEL text: literals that documents cannot break out of, and the pieces that policies share.

Everything is an expression of the Kubernetes CEL environment (1.30 and later). What is written here
says once more what a module of `compile` says, which is named; generated tests compare the two on a
real API server.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from gatereeve.api import people


def text(value: str) -> str:
    """A string literal, in ASCII. JSON's escapes are CEL's, but for pairs of surrogates: CEL writes
    one character as one escape."""
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isascii() else f"\\U{ord(c):08x}" for c in quoted)


def texts(values: Iterable[str]) -> str:
    """A list of strings."""
    return "[" + ", ".join(text(value) for value in values) + "]"


def maps(values: Iterable[Mapping[str, str]]) -> str:
    """A list of maps of strings."""
    inner = ("{" + ", ".join(f"{text(k)}: {text(v)}" for k, v in m.items()) + "}" for m in values)
    return "[" + ", ".join(inner) + "]"


def any_of(conditions: Iterable[str]) -> str:
    """One of them holds; nothing holds of nothing."""
    return " || ".join(f"({condition})" for condition in conditions) or "false"


ANNOTATIONS = "(has(object.metadata.annotations) ? object.metadata.annotations : {})"

NOT_LEAVING = (
    "request.operation == 'CREATE' || !has(object.metadata.deletionTimestamp)"
    " || object.spec != oldObject.spec"
)
"""Whoever removes a finalizer must not be held up: the object would never go."""

SAYS_SOMETHING_NEW = "request.operation == 'CREATE' || object.spec != oldObject.spec"
"""Metadata alone says nothing about what is asked for."""

MAY_CHANGE_GRANTS = (
    "authorizer.group('gatereeve.dev').resource('hostgrants').check('update').allowed()"
)
"""Whoever may change HostGrants may change what they select, and no one else."""

MAY_CHANGE_GUARDS = (
    "authorizer.group('admissionregistration.k8s.io')"
    ".resource('validatingadmissionpolicies').check('update').allowed()"
)

KUBERNETES_ITSELF = "request.userInfo.username.startsWith('system:serviceaccount:kube-system:')"
"""Controllers of Kubernetes: they empty a namespace that goes."""


AUTHENTICATED = (
    f"!(request.userInfo.username in {texts(people.NOBODY)})"
    f" && (!has(request.userInfo.groups) || !request.userInfo.groups.exists(group, group in {texts(people.NOBODY)}))"
)
"""The API server knows the caller: `api.people.is_nobody` as exact names, which are all it gives."""


def is_among(who: str) -> str:
    """Whether the caller is in `who.users` or one of their groups in `who.groups`."""
    return (
        f"({AUTHENTICATED} && (request.userInfo.username in {who}.users || (has(request.userInfo.groups)"
        f" && request.userInfo.groups.exists(group, group in {who}.groups))))"
    )


def _host_is_granted(grant: str, host: str) -> str:
    """`compile.hosts.Granted.on`."""
    return (
        f"({grant}.host == '*' || {grant}.host == {host} ||"
        f" ({grant}.host.startsWith('*.') && {host}.endsWith({grant}.host.substring(1))))"
    )


def has_host(host: str) -> str:
    """`compile.hosts.Grants.has_host`, of the namespace's parameters."""
    return f"params.spec.grants.exists(grant, {_host_is_granted('grant', host)})"


def covers(host: str, path: str) -> str:
    """`compile.hosts.Grants.covering` of a canonical literal path, exact or prefix."""
    return (
        f"params.spec.grants.exists(grant, {_host_is_granted('grant', host)} && grant.paths.exists("
        f"prefix, prefix == '/' || {path} == prefix || {path}.startsWith(prefix + '/')))"
    )


def covers_everything(host: str) -> str:
    """`compile.hosts.Grants.covering` of a pattern: only a grant of every path does."""
    return (
        f"params.spec.grants.exists(grant, {_host_is_granted('grant', host)}"
        " && grant.paths.exists(prefix, prefix == '/'))"
    )


_SEGMENT = "([A-Za-z0-9._~!$&'()*+,=:@-]|%(2[02]|3[CE]|5[BDE]|60|7[B-D]|[89A-F][0-9A-F]))"  # percent-encoded: only what cannot stand itself and is no separator
_CANONICAL = text(f"^(/{_SEGMENT}+)*/?$")
_DOTS = text(r"(^|/)\.{1,2}(/|$)")


def is_canonical(path: str) -> str:
    """`compile.routes.grammar.canonical_path` gives something."""
    return (
        f"({path}.startsWith('/') && {path}.size() <= 1024 && {path}.matches({_CANONICAL})"
        f" && !{path}.matches({_DOTS}))"
    )


def common_host(listener: str, route: str) -> str:
    """`compile.routes.gateways.common_host`; "" where it gives None."""
    beneath = "{0}.startsWith('*.') && {1}.endsWith({0}.substring(1)) && {1} != {0}.substring(2)"
    return (
        f"({listener} == '*' || {listener} == {route} ? {route}"
        f" : ({route} == '*' ? {listener}"
        f" : ({beneath.format(listener, route)} ? {route}"
        f" : ({beneath.format(route, listener)} ? {listener} : ''))))"
    )
