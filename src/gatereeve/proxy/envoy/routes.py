"""One row of a virtual host as Envoy routes, with everything that holds for it.

A row without governance answers at once and asks nobody; a governed row carries its model's stages
and allow rules, whether it forwards or refuses. What all rows of a host share is moved to the host
afterwards (`virtual_hosts`), so the dictionaries here are complete: nothing is left to inheritance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec
from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as route_pb2

from gatereeve.core import refusals
from gatereeve.ir import access, record_fields, routes
from gatereeve.ir.gates import Requests
from gatereeve.proxy.envoy import actions, engines, hashing, matches, names, packing, rbac, wire
from gatereeve.proxy.envoy.engines import Selection
from gatereeve.proxy.envoy.filters import (
    authorization,
    body,
    buffer,
    jwt,
    notes,
    protocol,
    removal,
)
from gatereeve.proxy.envoy.filters.placed import asleep
from gatereeve.proxy.envoy.proofs import Proofs

PerFilter: TypeAlias = Mapping[str, bytes]
"""`typed_per_filter_config`: name of the filter to its serialised map entry."""

Told: TypeAlias = Mapping[str, str | Sequence[str]]
"""What `record_fields.ROUTE_TAG` holds."""


@dataclass(frozen=True, slots=True)
class Row:
    """One Envoy route but for what its host takes over: head is everything but `per_filter`."""

    head: bytes
    name: str
    per_filter: PerFilter


_MATCH: Final = wire.number(route_pb2.Route, "match")
_ROUTE: Final = wire.number(route_pb2.Route, "route")
_REDIRECT: Final = wire.number(route_pb2.Route, "redirect")
_METADATA: Final = wire.number(route_pb2.Route, "metadata")
_FILTER_METADATA: Final = wire.number(base_pb2.Metadata, "filter_metadata")
_DIRECT_RESPONSE: Final = wire.number(route_pb2.Route, "direct_response")
_PER_FILTER: Final = wire.number(route_pb2.Route, "typed_per_filter_config")
_NAME: Final = wire.number(route_pb2.Route, "name")
_JSON: Final = msgspec.json.Encoder(order="sorted")
_UNKNOWN_MODEL: Final = "unknown-model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a row is built in: one virtual host. reads_body: paths whose bodies name the model.

    requests: what the gate asks of them. openai: every governed row of this host speaks it, so its refusals do. read, parameters: headers
    and query parameters that rules of the governed rows read. notes: some row notes something. wild: a wildcard host, whose filters never sleep. made: what rows of a kind
    have in common, made so far.
    """

    proofs: Proofs
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


def build_routes(place: Place, row: routes.Route, selection: Selection) -> list[Row]:
    """The Envoy routes of one row, in order, guards first."""
    found = []
    if row.governance is not None:
        odd = matches.build_odd_path_match(row.match)
        if odd is not None:
            told = _told_of(row)
            found.append(build_refusing(place, row.name, odd, "ambiguous-path", told))
    per_filter = _per_filter(place, row, selection)
    rest = _action(row, place)
    found += [
        Row(wire.field(_MATCH, match) + rest, row.name, per_filter)
        for match in matches.write_matches(place.proofs, row.match)
    ]
    return found


def build_refusing(place: Place, name: str, match: Any, code: str, told: Told | None = None) -> Row:
    """A refusal of the gate's own, which asks nobody. told: for the record."""
    action = wire.field(_DIRECT_RESPONSE, _refusal(code)) + _told(told or {"row": name}, code)
    head = wire.field(_MATCH, match.SerializeToString(deterministic=True)) + action
    return Row(head, name, _own(place))


def refuses_bodies(row: routes.Route) -> bool:
    """Whether the row refuses bodies that name no model."""
    return isinstance(row.action, routes.Refuse) and row.action.code == _UNKNOWN_MODEL


def build_tls_redirect(place: Place, port: int) -> Row:
    """Every path of the host, over TLS."""
    redirect = actions.build_tls_redirect(port).SerializeToString(deterministic=True)
    match = matches.everything().SerializeToString(deterministic=True)
    head = wire.field(_MATCH, match) + wire.field(_REDIRECT, redirect)
    return Row(head + _told({"row": "tls-redirect"}, None), "tls-redirect", _own(place))


def write(row: Row, overrides: bytes) -> bytes:
    """The serialised `Route`. overrides: what it says otherwise than its host, of `overrides_of`."""
    return row.head + overrides + wire.text(_NAME, row.name)


def overrides_of(per_filter: PerFilter, inherited: PerFilter) -> bytes:
    """What the host already says in the same words is left out."""
    own = (said for name, said in sorted(per_filter.items()) if inherited.get(name) != said)
    return b"".join(wire.field(_PER_FILTER, said) for said in own)


def _own(place: Place) -> PerFilter:
    """For rows of the gate's own."""
    found = place.made.get("own")
    if found is None:
        found = _awake(place, _ordinary(place), reads=False, openai=False)
        place.made["own"] = found
    return found


def _action(row: routes.Route, place: Place) -> bytes:
    """Action, metadata and header edits of one row."""
    action = row.action
    if isinstance(action, routes.Refuse):
        return wire.field(_DIRECT_RESPONSE, _refusal(action.code)) + _metadata(row)
    if isinstance(action, routes.Redirect):
        redirect = actions.build_redirect(
            action, row.match.path, protocol=place.protocol, port=place.port
        )
        made = wire.field(_REDIRECT, redirect.SerializeToString(deterministic=True))
        return made + _metadata(row)
    credentials = () if row.governance is None else _credential_headers(place.proofs)
    forward = wire.field(_ROUTE, actions.write_route_action(action, row.match.path))
    edits = _edits(action.request_headers, action.response_headers, credentials)
    return forward + _metadata(row) + edits


@lru_cache(maxsize=256)
def _refusal(code: str) -> bytes:
    refusal: bytes = actions.build_refusal(code).SerializeToString(deterministic=True)
    return refusal


@lru_cache(maxsize=4096)
def _edits(
    request: routes.HeaderEdit, response: routes.HeaderEdit, credentials: tuple[str, ...]
) -> bytes:
    """Edits of headers; credentials are taken off whatever the row says."""
    made = route_pb2.Route(
        request_headers_to_add=actions.build_header_options(request),
        request_headers_to_remove=[*request.remove, *credentials],
        response_headers_to_add=actions.build_header_options(response),
        response_headers_to_remove=response.remove,
    )
    edits: bytes = made.SerializeToString(deterministic=True)
    return edits


def _credential_headers(proofs: Proofs) -> tuple[str, ...]:
    """A credential ends at the gate."""
    found = ("authorization",) if proofs.identity.jwt else ()
    keys = proofs.identity.api_keys
    return found if keys is None else (*found, keys.header)


def _per_filter(place: Place, row: routes.Route, selection: Selection) -> PerFilter:
    governance, action = row.governance, row.action
    refuses_model = refuses_bodies(row)
    reads = row.match.path in place.reads_body
    read = () if governance is None else place.read
    noted = (_sticky_header(action), _rewrites(action), read)
    model = None if governance is None else (governance.model, governance.protocol)
    forwards = isinstance(action, routes.Forward)
    key = (model, selection, refuses_model, reads, noted, forwards)
    found = place.made.get(key)
    if found is None:
        # Only OpenAI models have rows that refuse bodies; which row it is at last, the body says.
        speaks = refuses_model or (governance is not None and governance.protocol == "openai")
        base = _base(place, row, selection)
        found = place.made[key] = _awake(place, base, reads=reads, openai=speaks, noted=noted)
    return found


def _awake(
    place: Place,
    base: PerFilter,
    *,
    reads: bool,
    openai: bool,
    noted: tuple[str | None, bool, tuple[str, ...]] = (None, False, ()),
) -> PerFilter:
    """Filters that sleep until a row wants them; where a host has rows of both kinds, both say so.

    noted: sticky header, whether the path is rewritten, and headers that rules read.
    """
    found = dict(base)
    if openai or place.openai:
        found[names.PROTOCOL] = _speaking_openai()
    if place.reads_body:
        resting = _resting if place.wild else _asleep
        found[names.BUFFER] = _holding(place.max_body_bytes) if reads else resting(names.BUFFER)
        found[names.BODY] = _reading() if reads else resting(names.BODY)
    if place.notes:
        found[names.NOTES] = _noting(*noted)
    return found


def _base(place: Place, row: routes.Route, selection: Selection) -> dict[str, bytes]:
    if row.governance is not None:
        return _governed(place, row.governance, selection)
    if isinstance(row.action, routes.Refuse) and row.action.code == _UNKNOWN_MODEL:
        return _unknown_model(place)
    forwards = isinstance(row.action, routes.Forward)
    found = _ordinary(place, plain=place.requests.plain_ordinary_paths and forwards)
    return found | {names.REMOVAL: _asleep(names.REMOVAL)} if forwards else found


def _governed(
    place: Place, governance: routes.Governance, selection: Selection
) -> dict[str, bytes]:
    rules = place.access.get(governance.model)
    if rules is None:  # no rules at all: nobody (P3)
        rules = access.Access(model=governance.model, deny=(), allow=())
    proofs = place.proofs
    found = {
        names.STAGES: _packed(
            names.STAGES,
            engines.build_stages(proofs, rules, selection, place.read, place.parameters),
        ),
        names.ALLOW: _packed(names.ALLOW, engines.build_allowance(proofs, rules)),
    }
    said = governance.caller_headers
    if place.wild or said:
        requests = place.requests if place.wild else None
        found[names.REMOVAL] = _handing_on(requests, proofs, said)
    shadow = engines.build_shadow_denial(proofs, rules)
    if shadow is not None:
        found[names.ENFORCE] = _packed(names.ENFORCE, engines.build_enforcement(shadow))
    if proofs.identity.jwt:
        found[names.AUTHORIZATION] = _one_token()
        found[names.JWT] = _required()
    return found


def _unknown_model(place: Place) -> dict[str, bytes]:
    """Stands for all models of its path until the body is read, so tokens are verified here too."""
    found = {
        names.STAGES: _packed(names.STAGES, engines.build_unknown_model_stages(place.proofs)),
        names.ALLOW: _open_allowance(),
    }
    if place.proofs.identity.jwt:
        found[names.AUTHORIZATION] = _one_token()
        found[names.JWT] = _required()
    return found


def _ordinary(place: Place, *, plain: bool = False) -> dict[str, bytes]:
    found = {names.STAGES: _open_stages(plain=plain), names.ALLOW: _open_allowance()}
    if place.proofs.identity.jwt:
        found[names.AUTHORIZATION] = _any_authorization()
        found[names.JWT] = _not_required()
    return found


def _packed(name: str, config: Any) -> bytes:
    return _entry(name, packing.pack(rbac.per_route(config)))


def _entry(name: str, packed: Any) -> bytes:
    return wire.entry(name, packed.SerializeToString(deterministic=True))


@lru_cache(maxsize=8)
def _asleep(name: str) -> bytes:
    return _entry(name, asleep())


@lru_cache(maxsize=8)
def _resting(name: str) -> bytes:
    return _entry(name, buffer.resting() if name == names.BUFFER else body.resting())


@lru_cache(maxsize=64)
def _handing_on(
    requests: Requests | None, proofs: Proofs, said: tuple[routes.CallerHeader, ...]
) -> bytes:
    return _entry(names.REMOVAL, removal.handing_on(requests, proofs, said))


@lru_cache(maxsize=2)
def _open_stages(*, plain: bool) -> bytes:
    return _packed(names.STAGES, engines.build_open_stages(plain_paths=plain))


@lru_cache(maxsize=1)
def _open_allowance() -> bytes:
    return _packed(names.ALLOW, engines.build_open_allowance())


@lru_cache(maxsize=1)
def _required() -> bytes:
    return _entry(names.JWT, jwt.required())


@lru_cache(maxsize=1)
def _one_token() -> bytes:
    return _entry(names.AUTHORIZATION, authorization.requiring_one_token())


@lru_cache(maxsize=1)
def _any_authorization() -> bytes:
    return _entry(names.AUTHORIZATION, authorization.requiring_nothing())


@lru_cache(maxsize=1)
def _not_required() -> bytes:
    return _entry(names.JWT, jwt.not_required())


@lru_cache(maxsize=16)
def _holding(max_body_bytes: int) -> bytes:
    return _entry(names.BUFFER, buffer.holding(max_body_bytes))


@lru_cache(maxsize=1)
def _reading() -> bytes:
    return _entry(names.BODY, body.reading())


@lru_cache(maxsize=1)
def _speaking_openai() -> bytes:
    return _entry(names.PROTOCOL, protocol.speaking_openai())


@lru_cache(maxsize=256)
def _noting(header: str | None, rewrites: bool, read: tuple[str, ...]) -> bytes:  # noqa: FBT001  # parts of a memo key
    return _entry(names.NOTES, notes.noting(header, path=rewrites, read=read))


def is_noted(row: routes.Route) -> bool:
    """Whether the row notes for the record what the access log would not see."""
    return _sticky_header(row.action) is not None or _rewrites(row.action)


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


def _metadata(row: routes.Route) -> bytes:
    """What the record, the rules and the local reply read; see `ir.record_fields`."""
    code = row.action.code if isinstance(row.action, routes.Refuse) else None
    governance = row.governance
    about = b"" if governance is None else _about(governance.model, governance.operation)
    return _told(_told_of(row), code, about)


def _told_of(row: routes.Route) -> Told:
    told: dict[str, str | Sequence[str]] = {"row": row.name}
    governance = row.governance
    if governance is not None:
        told["model"] = governance.model
        told["protocol"] = governance.protocol
        told["operation"] = governance.operation
        told["audit"] = governance.audit
        told["policy"] = governance.policy
        told["route_rule"] = governance.route_rule
        if governance.requested is not None:
            told["requested"] = governance.requested
    action = row.action
    if isinstance(action, routes.Forward) and len(action.shares) > 1 and action.sticky:
        told["sticky"] = hashing.sticky_words(action.sticky)
    return told


def _told(told: Told, code: str | None, about: bytes = b"") -> bytes:
    """Metadata for the record, the rules and the local reply."""
    record = wire.struct_text("record", _JSON.encode(told))
    reply = b"" if code is None else _reply(code)
    struct = wire.entry(record_fields.GATE_NAMESPACE, about + record + reply)
    return wire.field(_METADATA, wire.field(_FILTER_METADATA, struct))


@lru_cache(maxsize=16384)
def _about(model: str, operation: str) -> bytes:
    """For limits and rules."""
    says = wire.struct_text("model", model.encode())
    return says + wire.struct_text(engines.OPERATION_KEY, operation.encode())


@lru_cache(maxsize=256)
def _reply(code: str) -> bytes:
    """For the local reply."""
    refusal = refusals.lookup(code)
    values = {
        "code": refusal.code,
        "openai_type": refusal.openai_type,
        "title": refusal.title,
    }
    return b"".join(wire.struct_text(key, value.encode()) for key, value in values.items())
