"""One route of the IR as Envoy routes, with everything that holds for it.

A route without governance answers at once and asks no filter; a governed one carries its model's
stages and allow rules, whether it forwards or refuses. What all routes of a host share is moved to
the host afterwards (`virtual_hosts`), so `per_filter` is complete here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import msgspec
from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as route_pb2
from google.protobuf.message import Message

from gatereeve.core import refusals
from gatereeve.ir import access, record_fields, routes
from gatereeve.ir.gates import Requests
from gatereeve.proxy.envoy import actions, engines, hashing, matches, names, rbac, wire
from gatereeve.proxy.envoy.engines import Selection
from gatereeve.proxy.envoy.filters import (
    authorization,
    body,
    buffer,
    http_filter,
    jwt,
    notes,
    protocol,
    removal,
)
from gatereeve.proxy.envoy.identity_matchers import IdentityMatchers

PerFilter: TypeAlias = Mapping[str, bytes]
"""`typed_per_filter_config`: name of the filter to its serialised map entry."""

_MATCH: Final = wire.number(route_pb2.Route, "match")
_ROUTE: Final = wire.number(route_pb2.Route, "route")
_REDIRECT: Final = wire.number(route_pb2.Route, "redirect")
_METADATA: Final = wire.number(route_pb2.Route, "metadata")
_FILTER_METADATA: Final = wire.number(base_pb2.Metadata, "filter_metadata")
_DIRECT_RESPONSE: Final = wire.number(route_pb2.Route, "direct_response")
_PER_FILTER: Final = wire.number(route_pb2.Route, "typed_per_filter_config")
_NAME: Final = wire.number(route_pb2.Route, "name")
_UNKNOWN_MODEL: Final = "unknown-model"


class RouteMetadata(msgspec.Struct, omit_defaults=True, frozen=True):
    """What `record_fields.ROUTE_TAG` holds, its keys in order."""

    audit: str = ""
    model: str = ""
    operation: str = ""
    policy: str = ""
    protocol: str = ""
    requested: str | None = None
    route_rule: str = ""
    row: str = ""
    sticky: list[str] | None = None


_ENCODE: Final = msgspec.json.Encoder().encode


class EncodedRoute(NamedTuple):
    """One Envoy route; head is everything but its name and `per_filter`.

    governed: what governs its model, None for an ordinary route. reaches_model: it forwards or
    mirrors to a cluster of a model.
    """

    head: bytes
    name: str
    per_filter: PerFilter
    governed: PerFilter | None = None
    reaches_model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostContext:
    """The virtual host of a route.

    requests: what the gate asks of them. reads_body: paths whose bodies name the model. openai: every
    governed route of the host speaks it, so the host's own refusals do. read, parameters: headers and
    query parameters that rules of the governed routes read. notes: some route makes notes. wild: a
    wildcard host, whose filters cannot be disabled. made: what routes of a kind have in common, so far.
    """

    matchers: IdentityMatchers
    access: Mapping[str, access.Access]
    max_body_bytes: int
    requests: Requests
    protocol: str
    port: int
    reads_body: frozenset[routes.PathMatch]
    openai: bool
    read: tuple[str, ...]
    parameters: tuple[str, ...]
    notes: bool
    wild: bool
    made: dict[object, PerFilter] = field(default_factory=dict)


def build_routes(
    context: HostContext, route: routes.Route, selection: Selection
) -> list[EncodedRoute]:
    """The Envoy routes of one route, in order, guards first."""
    governance, action = route.governance, route.action
    metadata = _metadata_of(route)
    encoded = []
    governed: PerFilter | None = None
    about = b""
    if governance is not None:
        governed = _governed(context, governance, selection)
        about = _about(governance.model, governance.operation)
        odd = matches.build_odd_path_match(route.match)
        if odd is not None:
            encoded.append(build_refusal(context, route.name, odd, "ambiguous-path", metadata))
    per_filter = _per_filter(context, route, governed)
    code = action.code if isinstance(action, routes.Refuse) else None
    rest = _write_action(route, context) + _write_metadata(metadata, code, about)
    reaches_model = False
    if isinstance(action, routes.Forward):
        # A credential ends at the gate.
        credentials = () if governance is None else _credential_headers(context.matchers)
        rest += _header_edits(action.request_headers, action.response_headers, credentials)
        reaches_model = _reaches_model(action)
    for match in matches.write_matches(context.matchers, route.match):
        head = wire.field(_MATCH, match) + rest
        encoded.append(EncodedRoute(head, route.name, per_filter, governed, reaches_model))
    return encoded


def build_refusal(
    context: HostContext,
    name: str,
    match: route_pb2.RouteMatch,
    code: str,
    metadata: RouteMetadata | None = None,
) -> EncodedRoute:
    """A refusal by the gate itself, without a filter that asks. metadata: for the record."""
    metadata = metadata or RouteMetadata(row=name)
    action = wire.field(_DIRECT_RESPONSE, _refusal(code)) + _write_metadata(metadata, code)
    return EncodedRoute(_write_match(match) + action, name, _ungoverned(context))


def build_tls_redirect(context: HostContext, port: int) -> EncodedRoute:
    """Every path of the host, over TLS."""
    redirect = wire.serialize(actions.build_tls_redirect(port))
    head = _write_match(matches.everything()) + wire.field(_REDIRECT, redirect)
    head += _write_metadata(RouteMetadata(row="tls-redirect"))
    return EncodedRoute(head, "tls-redirect", _ungoverned(context))


def write(route: EncodedRoute, overrides: bytes) -> bytes:
    """The serialised `Route`. overrides: where it differs from its host, of `overrides_of`."""
    return route.head + overrides + wire.text(_NAME, route.name)


def overrides_of(per_filter: PerFilter, inherited: PerFilter) -> bytes:
    """What the host does not say in the same bytes."""
    own = (entry for name, entry in sorted(per_filter.items()) if inherited.get(name) != entry)
    return b"".join(wire.field(_PER_FILTER, entry) for entry in own)


def makes_notes(route: routes.Route) -> bool:
    """Whether the record needs something of the request that the access log would not see."""
    return _sticky_header(route.action) is not None or _rewrites(route.action)


def _reaches_model(forward: routes.Forward) -> bool:
    prefix = names.MODEL_CLUSTER
    for share in forward.shares:
        if share.cluster.startswith(prefix):
            return True
    return any(mirror.cluster.startswith(prefix) for mirror in forward.mirrors)


def _write_match(match: route_pb2.RouteMatch) -> bytes:
    return wire.field(_MATCH, wire.serialize(match))


def _write_action(route: routes.Route, context: HostContext) -> bytes:
    action, path = route.action, route.match.path
    if isinstance(action, routes.Refuse):
        return wire.field(_DIRECT_RESPONSE, _refusal(action.code))
    if isinstance(action, routes.Forward):
        return wire.field(_ROUTE, actions.write_route_action(action, path))
    redirect = actions.build_redirect(action, path, protocol=context.protocol, port=context.port)
    return wire.field(_REDIRECT, wire.serialize(redirect))


@lru_cache(maxsize=256)
def _refusal(code: str) -> bytes:
    return wire.serialize(actions.build_refusal(code))


@lru_cache(maxsize=4096)
def _header_edits(
    request: routes.HeaderEdit, response: routes.HeaderEdit, credentials: tuple[str, ...]
) -> bytes:
    """Edits of headers; the credentials are always removed."""
    return wire.serialize(
        route_pb2.Route(
            request_headers_to_add=actions.build_header_options(request),
            request_headers_to_remove=[*request.remove, *credentials],
            response_headers_to_add=actions.build_header_options(response),
            response_headers_to_remove=response.remove,
        )
    )


@lru_cache(maxsize=16)
def _credential_headers(matchers: IdentityMatchers) -> tuple[str, ...]:
    bearer = ("authorization",) if matchers.identity.jwt else ()
    keys = matchers.identity.api_keys
    return bearer if keys is None else (*bearer, keys.header)


def _per_filter(context: HostContext, route: routes.Route, governed: PerFilter | None) -> PerFilter:
    action = route.action
    unknown_model = isinstance(action, routes.Refuse) and action.code == _UNKNOWN_MODEL
    forwards = isinstance(action, routes.Forward)
    reads = route.match.path in context.reads_body
    noted = (_sticky_header(action), _rewrites(action), () if governed is None else context.read)
    # Only OpenAI models have routes that refuse bodies; which route it is, the body decides.
    governance = route.governance
    openai = unknown_model or (governance is not None and governance.protocol == "openai")
    key = (id(governed), unknown_model, openai, reads, noted, forwards)
    per_filter = context.made.get(key)
    if per_filter is None:
        if governed is not None:
            base = governed
        elif unknown_model:
            base = _unknown_model(context)
        else:
            plain = context.requests.plain_ordinary_paths and forwards
            base = _ordinary(context, plain=plain)
            if forwards:
                base = {**base, names.REMOVAL: entry(names.REMOVAL, http_filter.disabled)}
        per_filter = _with_readers(context, base, noted, reads=reads, openai=openai)
        context.made[key] = per_filter
    return per_filter


def _ungoverned(context: HostContext) -> PerFilter:
    """For the gate's own routes."""
    per_filter = context.made.get(None)
    if per_filter is None:
        noted = (None, False, ())
        base = _ordinary(context, plain=False)
        per_filter = _with_readers(context, base, noted, reads=False, openai=False)
        context.made[None] = per_filter
    return per_filter


def _with_readers(
    context: HostContext,
    base: PerFilter,
    noted: tuple[str | None, bool, tuple[str, ...]],
    *,
    reads: bool,
    openai: bool,
) -> PerFilter:
    """Adds the filters that are disabled unless a route needs them; if some routes of a host need
    one, every route says whether it does.

    noted: sticky header, whether the path is rewritten, and headers that rules read.
    """
    per_filter = dict(base)
    if openai or context.openai:
        per_filter[names.PROTOCOL] = entry(names.PROTOCOL, protocol.speaking_openai)
    if context.reads_body:
        if reads:
            per_filter[names.BUFFER] = entry(names.BUFFER, buffer.holding, context.max_body_bytes)
            per_filter[names.BODY] = entry(names.BODY, body.reading)
        else:
            disable = http_filter.disabled
            per_filter[names.BUFFER] = entry(
                names.BUFFER, buffer.inert if context.wild else disable
            )
            per_filter[names.BODY] = entry(names.BODY, body.inert if context.wild else disable)
    if context.notes:
        per_filter[names.NOTES] = entry(names.NOTES, notes.noting, *noted)
    return per_filter


def _governed(
    context: HostContext, governance: routes.Governance, selection: Selection
) -> PerFilter:
    """What governs one model, made once per host for routes that are chosen alike."""
    key = (governance.model, governance.caller_headers, selection)
    per_filter = context.made.get(key)
    if per_filter is None:
        per_filter = context.made[key] = _write_governed(context, governance, selection)
    return per_filter


def _write_governed(
    context: HostContext, governance: routes.Governance, selection: Selection
) -> PerFilter:
    rules = context.access.get(governance.model)
    if rules is None:  # without rules no caller is admitted (P3)
        rules = access.Access(model=governance.model, deny=(), allow=())
    matchers = context.matchers
    stages = engines.write_stages(matchers, rules, selection, context.read, context.parameters)
    per_filter = {
        names.STAGES: _rbac(names.STAGES, stages),
        names.ALLOW: _rbac(names.ALLOW, engines.write_allowance(matchers, rules)),
        **_token_filters(matchers),
    }
    if context.wild or governance.caller_headers:
        requests = context.requests if context.wild else None
        per_filter[names.REMOVAL] = entry(
            names.REMOVAL, removal.handing_on, requests, matchers, governance.caller_headers
        )
    shadow = engines.write_shadow_denial(matchers, rules)
    if shadow is not None:
        per_filter[names.ENFORCE] = _rbac(names.ENFORCE, engines.write_enforcement(shadow))
    return per_filter


def _unknown_model(context: HostContext) -> PerFilter:
    """Stands for all models of its path until the body is read, so tokens are verified here too."""
    stages = engines.write_unknown_model_stages(context.matchers)
    return {
        names.STAGES: _rbac(names.STAGES, stages),
        names.ALLOW: _open_allowance(),
        **_token_filters(context.matchers),
    }


def _ordinary(context: HostContext, *, plain: bool) -> PerFilter:
    stages = engines.write_open_stages(plain_paths=plain)
    per_filter = {names.STAGES: _rbac(names.STAGES, stages), names.ALLOW: _open_allowance()}
    if context.matchers.identity.jwt:
        per_filter[names.AUTHORIZATION] = entry(
            names.AUTHORIZATION, authorization.requiring_nothing
        )
        per_filter[names.JWT] = entry(names.JWT, jwt.not_required)
    return per_filter


def _token_filters(matchers: IdentityMatchers) -> PerFilter:
    if not matchers.identity.jwt:
        return {}
    return {
        names.AUTHORIZATION: entry(names.AUTHORIZATION, authorization.requiring_one_token),
        names.JWT: entry(names.JWT, jwt.required),
    }


@lru_cache(maxsize=1)
def _open_allowance() -> bytes:
    return _rbac(names.ALLOW, engines.write_open_allowance())


def _rbac(name: str, config: bytes) -> bytes:
    return wire.entry(name, wire.serialize(rbac.per_route(config)))


@lru_cache(maxsize=512)
def entry(name: str, build: Callable[..., Message], *inputs: object) -> bytes:
    """The map entry of what `build` makes of the inputs: one of a few for all routes."""
    return wire.entry(name, wire.serialize(build(*inputs)))


def _rewrites(action: routes.Action) -> bool:
    if isinstance(action, routes.Forward):
        return action.rewrite is not None
    return isinstance(action, routes.Redirect) and action.path is not None


def _sticky_header(action: routes.Action) -> str | None:
    if not isinstance(action, routes.Forward) or len(action.shares) < 2:
        return None
    for key in action.sticky:
        if isinstance(key, routes.StickyHeader):
            return key.name
    return None


def _metadata_of(route: routes.Route) -> RouteMetadata:
    action, governance = route.action, route.governance
    sticky = None
    if isinstance(action, routes.Forward) and len(action.shares) > 1 and action.sticky:
        sticky = hashing.sticky_words(action.sticky)
    if governance is None:
        return RouteMetadata(row=route.name, sticky=sticky)
    return RouteMetadata(
        governance.audit,
        governance.model,
        governance.operation,
        governance.policy,
        governance.protocol,
        governance.requested,
        governance.route_rule,
        route.name,
        sticky,
    )


def _write_metadata(metadata: RouteMetadata, code: str | None = None, about: bytes = b"") -> bytes:
    """For the record, the rules (about) and the local reply (code); see `ir.record_fields`."""
    record = wire.struct_text("record", _ENCODE(metadata))
    reply = b"" if code is None else _reply(code)
    struct = wire.entry(record_fields.GATE_NAMESPACE, about + record + reply)
    return wire.field(_METADATA, wire.field(_FILTER_METADATA, struct))


@lru_cache(maxsize=16384)
def _about(model: str, operation: str) -> bytes:
    model_text = wire.struct_text("model", model.encode())
    return model_text + wire.struct_text(engines.OPERATION_KEY, operation.encode())


@lru_cache(maxsize=256)
def _reply(code: str) -> bytes:
    refusal = refusals.lookup(code)
    values = {"code": refusal.code, "openai_type": refusal.openai_type, "title": refusal.title}
    return b"".join(wire.struct_text(key, value.encode()) for key, value in values.items())
