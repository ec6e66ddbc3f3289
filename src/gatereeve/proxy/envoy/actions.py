"""What a row does: `RouteAction`, `RedirectAction` or `DirectResponseAction`.

Retries happen only when the request cannot have reached a server. Values that documents give are
literal: `%`, which starts a command in Envoy's header values, is escaped.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as route_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.extensions.retry.priority.previous_priorities.v3 import previous_priorities_config_pb2
from envoy.type.matcher.v3 import regex_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf import wrappers_pb2

from gatereeve.core import refusals
from gatereeve.ir import routes
from gatereeve.proxy.envoy import hashing, names, packing, wire

STREAM_IDLE_S: Final = 300.0
"""The connection manager's limit of silence on a stream; routes that wait longer say so."""

_CLUSTER: Final = wire.number(route_pb2.RouteAction, "cluster")
_RETRY_ON: Final = "connect-failure,refused-stream,reset-before-request"
_REDIRECTS: Final = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def write_route_action(forward: routes.Forward, match: routes.PathMatch) -> bytes:
    """The serialised `RouteAction` of a forwarding row. Retries stand on the virtual host."""
    rest = _rest(
        None if forward.rewrite is None else match,
        forward.rewrite,
        forward.rewrite_host,
        forward.timeout_s,
        forward.mirrors,
        streaming=forward.streaming,
    )
    if len(forward.shares) == 1 and forward.shares[0].cluster:
        return wire.text(_CLUSTER, forward.shares[0].cluster) + rest
    shares = route_pb2.RouteAction()
    _set_shares(shares, forward)
    split: bytes = shares.SerializeToString(deterministic=True)
    return split + rest


@lru_cache(maxsize=4096)
def _rest(
    match: routes.PathMatch | None,
    rewrite: routes.PathRewrite | None,
    rewrite_host: str | None,
    timeout_s: float,
    mirrors: tuple[routes.Mirror, ...],
    *,
    streaming: bool,
) -> bytes:
    """Everything but where to."""
    made = route_pb2.RouteAction(
        timeout=packing.seconds(0 if streaming else timeout_s),
        request_mirror_policies=[_mirror(mirror) for mirror in mirrors],
    )
    if streaming or timeout_s > STREAM_IDLE_S:
        made.idle_timeout.CopyFrom(packing.seconds(timeout_s))
    if rewrite is not None and match is not None:
        _set_rewrite(made, rewrite, match)
    if rewrite_host is not None:
        made.host_rewrite_literal = rewrite_host
    rest: bytes = made.SerializeToString(deterministic=True)
    return rest


def _set_shares(made: route_pb2.RouteAction, forward: routes.Forward) -> None:
    for share in forward.shares:
        if share.weight:
            made.weighted_clusters.clusters.add(
                name=share.cluster or names.NOWHERE, weight=packing.uint32(share.weight)
            )
    if any(not share.cluster for share in forward.shares):
        made.cluster_not_found_response_code = route_pb2.RouteAction.INTERNAL_SERVER_ERROR
    if forward.sticky:
        made.weighted_clusters.use_hash_policy.value = True
        made.hash_policy.extend(hashing.build_hash_policies(forward.sticky))


def _set_rewrite(
    made: route_pb2.RouteAction, rewrite: routes.PathRewrite, match: routes.PathMatch
) -> None:
    if rewrite.kind == "full" and match.kind == "exact":
        made.prefix_rewrite = rewrite.value
    else:
        made.regex_rewrite.CopyFrom(_regex_rewrite(rewrite, match))


def _regex_rewrite(
    rewrite: routes.PathRewrite, match: routes.PathMatch
) -> regex_pb2.RegexMatchAndSubstitute:
    """Envoy's own prefix rewrite joins `/a` rewritten to `/` and `/b` as `//b`."""
    if rewrite.kind == "full":
        pattern, substitution = "^/.*$", _literal(rewrite.value)
    else:
        prefix = "" if match.value == "/" else re.escape(match.value)
        target = _literal(rewrite.value.rstrip("/"))
        pattern = f"^{prefix}(?:/+|$)(.*)$" if not target else f"^{prefix}(.*)$"
        substitution = target + (r"\1" if target else r"/\1")
    return regex_pb2.RegexMatchAndSubstitute(
        pattern=regex_pb2.RegexMatcher(regex=pattern), substitution=substitution
    )


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\")


def _mirror(mirror: routes.Mirror) -> route_pb2.RouteAction.RequestMirrorPolicy:
    return route_pb2.RouteAction.RequestMirrorPolicy(
        cluster=mirror.cluster,
        runtime_fraction=base_pb2.RuntimeFractionalPercent(
            default_value=percent_pb2.FractionalPercent(
                numerator=mirror.per_million, denominator="MILLION"
            )
        ),
        disable_shadow_host_suffix_append=True,
    )


def build_retry_policy() -> route_pb2.RetryPolicy:
    """Two more tries, on another server if there is one, on another priority if there is one."""
    priorities = previous_priorities_config_pb2.PreviousPrioritiesConfig(update_frequency=1)
    return route_pb2.RetryPolicy(
        retry_on=_RETRY_ON,
        num_retries=wrappers_pb2.UInt32Value(value=2),
        retry_priority=route_pb2.RetryPolicy.RetryPriority(
            name="envoy.retry_priorities.previous_priorities",
            typed_config=packing.pack(priorities),
        ),
        retry_host_predicate=[
            route_pb2.RetryPolicy.RetryHostPredicate(
                name="envoy.retry_host_predicates.previous_hosts",
                typed_config=packing.pack(previous_hosts_pb2.PreviousHostsPredicate()),
            )
        ],
        host_selection_retry_max_attempts=3,
    )


def build_redirect(
    redirect: routes.Redirect, match: routes.PathMatch, *, protocol: str, port: int
) -> route_pb2.RedirectAction:
    """protocol, port: the listener's, which the Location keeps when neither scheme nor port is
    replaced. A scheme's own port is not written (Gateway API)."""
    made = route_pb2.RedirectAction(response_code=_REDIRECTS[redirect.status])
    if redirect.scheme is not None:
        made.scheme_redirect = redirect.scheme
    if redirect.host is not None:
        made.host_redirect = redirect.host
    own = _DEFAULT_PORTS[redirect.scheme or protocol]
    named = redirect.port if redirect.scheme is not None else redirect.port or port
    if named is not None and named != own:
        made.port_redirect = named
    if redirect.path is not None:
        if redirect.path.kind == "full":
            made.path_redirect = redirect.path.value
        else:
            made.regex_rewrite.CopyFrom(_regex_rewrite(redirect.path, match))
    return made


def build_tls_redirect(port: int) -> route_pb2.RedirectAction:
    """From plain HTTP to the same place over TLS."""
    made = route_pb2.RedirectAction(https_redirect=True, response_code="PERMANENT_REDIRECT")
    if port != _DEFAULT_PORTS["https"]:
        made.port_redirect = port
    return made


def build_refusal(code: str) -> route_pb2.DirectResponseAction:
    """The body is written by the local-reply mappers, from the route's metadata."""
    return route_pb2.DirectResponseAction(status=refusals.lookup(code).status)


def build_header_options(edit: routes.HeaderEdit) -> list[base_pb2.HeaderValueOption]:
    """`set` replaces, `add` appends."""
    options = []
    for pairs, action in (
        (edit.set, "OVERWRITE_IF_EXISTS_OR_ADD"),
        (edit.add, "APPEND_IF_EXISTS_OR_ADD"),
    ):
        options += [
            base_pb2.HeaderValueOption(
                header=base_pb2.HeaderValue(key=name, value=value.replace("%", "%%")),
                append_action=action,
                keep_empty_value=True,
            )
            for name, value in pairs
        ]
    return options
