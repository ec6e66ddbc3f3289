"""One row of a virtual host as Envoy routes, with everything that holds for it.

A row without governance answers at once and asks nobody; a governed row carries its model's stages
and allow rules, whether it forwards or refuses. What all rows of a host share is moved to the host
afterwards (`virtual_hosts`), so the dictionaries here are complete: nothing is left to inheritance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as route_pb2

from gatereeve.core import canonical, refusals
from gatereeve.ir import access, recording, routes
from gatereeve.proxy.envoy import actions, engines, hashing, matches, names, packing, rbac
from gatereeve.proxy.envoy.engines import Selection
from gatereeve.proxy.envoy.filters import body, buffer, jwt, protocol, sticky
from gatereeve.proxy.envoy.proofs import Proofs

PerFilter = Mapping[str, Any]
"""`typed_per_filter_config`: name of the filter to `Any`."""

_UNKNOWN_MODEL: Final = "unknown-model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a row is built in: one virtual host. reads_body: paths whose bodies name the model.

    openai: every governed row of this host speaks it, so its refusals do. made: engines made so
    far, by model, operation and selection; rows share them.
    """

    proofs: Proofs
    access: Mapping[str, access.Access]
    max_body_bytes: int
    port: int
    reads_body: frozenset[routes.PathMatch]
    openai: bool
    made: dict[object, PerFilter] = field(default_factory=dict)


def build_routes(place: Place, row: routes.Route, selection: Selection) -> list[Any]:
    """The Envoy routes of one row, in order, guards first."""
    found = []
    if row.governance is not None:
        parameters = matches.build_parameter_match(row.match)
        if parameters is not None:
            found.append(build_refusing(place, f"{row.name};", parameters, "malformed-request"))
    per_filter = _per_filter(place, row, selection)
    for match in matches.build_matches(place.proofs, row.match):
        made = route_pb2.Route(
            name=row.name, match=match, metadata=_metadata(row), typed_per_filter_config=per_filter
        )
        _set_action(made, row, place)
        found.append(made)
    return found


def build_refusing(place: Place, name: str, match: Any, code: str) -> Any:
    """A refusal of the gate's own, which asks nobody."""
    return route_pb2.Route(
        name=name,
        match=match,
        direct_response=actions.build_refusal(code),
        metadata=_own_metadata(name, code),
        typed_per_filter_config=_ordinary(place),
    )


def build_tls_redirect(place: Place, port: int) -> Any:
    """Every path of the host, over TLS."""
    return route_pb2.Route(
        name="tls-redirect",
        match=matches.everything(),
        redirect=actions.build_tls_redirect(port),
        metadata=_own_metadata("tls-redirect", None),
        typed_per_filter_config=_ordinary(place),
    )


def _set_action(made: Any, row: routes.Route, place: Place) -> None:
    action = row.action
    if isinstance(action, routes.Refuse):
        made.direct_response.CopyFrom(actions.build_refusal(action.code))
        return
    if isinstance(action, routes.Redirect):
        made.redirect.CopyFrom(actions.build_redirect(action, row.match.path, port=place.port))
        return
    made.route.CopyFrom(actions.build_route_action(action, row.match.path))
    made.request_headers_to_add.extend(actions.build_header_options(action.request_headers))
    made.request_headers_to_remove.extend(action.request_headers.remove)
    made.response_headers_to_add.extend(actions.build_header_options(action.response_headers))
    made.response_headers_to_remove.extend(action.response_headers.remove)
    if row.governance is not None:
        made.request_headers_to_remove.extend(_credential_headers(place.proofs))


def _credential_headers(proofs: Proofs) -> list[str]:
    """A credential ends at the gate."""
    found = ["authorization"] if proofs.identity.jwt else []
    keys = proofs.identity.api_keys
    return found if keys is None else [*found, keys.header]


def _per_filter(place: Place, row: routes.Route, selection: Selection) -> PerFilter:
    governance = row.governance
    key = (
        None if governance is None else (governance.model, governance.operation, selection),
        isinstance(row.action, routes.Refuse) and row.action.code == _UNKNOWN_MODEL,
    )
    base = place.made.get(key)
    if base is None:
        base = place.made[key] = _base(place, row, selection)
    extra: dict[str, Any] = {}
    if row.match.path in place.reads_body:
        extra[names.BUFFER] = buffer.holding(place.max_body_bytes)
        extra[names.BODY] = body.reading()
    if place.openai or (governance is not None and governance.protocol == "openai"):
        extra[names.PROTOCOL] = protocol.speaking_openai()
    header = _sticky_header(row.action)
    if header is not None:
        extra[names.STICKY] = sticky.noting(header)
    return {**base, **extra} if extra else base


def _base(place: Place, row: routes.Route, selection: Selection) -> PerFilter:
    if row.governance is not None:
        return _governed(place, row.governance, selection)
    if isinstance(row.action, routes.Refuse) and row.action.code == _UNKNOWN_MODEL:
        return _unknown_model(place)
    return _ordinary(place)


def _governed(place: Place, governance: routes.Governance, selection: Selection) -> PerFilter:
    rules = place.access.get(governance.model)
    if rules is None:  # no rules at all: nobody (P3)
        rules = access.Access(model=governance.model, deny=(), allow=())
    proofs, operation = place.proofs, governance.operation
    found = {
        names.STAGES: _packed(engines.build_stages(proofs, rules, operation, selection)),
        names.ALLOW: _packed(engines.build_allowance(proofs, rules, operation)),
    }
    shadow = engines.build_shadow_denial(proofs, rules, operation)
    if shadow is not None:
        found[names.ENFORCE] = _packed(engines.build_enforcement(shadow))
    if proofs.identity.jwt:
        found[names.JWT] = jwt.required()
    return found


def _unknown_model(place: Place) -> PerFilter:
    """Stands for all models of its path until the body is read, so tokens are verified here too."""
    found = {
        names.STAGES: _packed(engines.build_unknown_model_stages(place.proofs)),
        names.ALLOW: _packed(engines.build_open_allowance()),
    }
    if place.proofs.identity.jwt:
        found[names.JWT] = jwt.required()
    return found


def _ordinary(place: Place) -> PerFilter:
    found = place.made.get("ordinary")
    if found is None:
        made = {
            names.STAGES: _packed(engines.build_open_stages()),
            names.ALLOW: _packed(engines.build_open_allowance()),
        }
        if place.proofs.identity.jwt:
            made[names.JWT] = jwt.not_required()
        found = place.made["ordinary"] = made
    return found


def _packed(config: Any) -> Any:
    return packing.pack(rbac.per_route(config))


def _sticky_header(action: routes.Action) -> str | None:
    if not isinstance(action, routes.Forward) or len(action.shares) < 2:
        return None
    for key in action.sticky:
        if isinstance(key, routes.StickyHeader):
            return key.name
    return None


def _metadata(row: routes.Route) -> Any:
    """What the record and the local reply read; see `ir.recording`."""
    told: dict[str, canonical.Json] = {"row": row.name}
    values: dict[str, canonical.Json] = {}
    governance = row.governance
    if governance is not None:
        values["model"] = governance.model
        told |= {
            "model": governance.model,
            "protocol": governance.protocol,
            "operation": governance.operation,
            "audit": governance.audit,
            "policy": governance.policy,
            "route_rule": governance.route_rule,
        }
        if governance.requested is not None:
            told["requested"] = governance.requested
    action = row.action
    if isinstance(action, routes.Forward) and len(action.shares) > 1 and action.sticky:
        told["sticky"] = hashing.sticky_words(action.sticky)
    code = action.code if isinstance(action, routes.Refuse) else None
    return _struct(told, code, values)


def _own_metadata(name: str, code: str | None) -> Any:
    return _struct({"row": name}, code, {})


def _struct(
    told: dict[str, canonical.Json], code: str | None, values: dict[str, canonical.Json]
) -> Any:
    values["record"] = canonical.canonical_bytes(told).decode()
    if code is not None:
        refusal = refusals.lookup(code)
        values |= {
            "code": refusal.code,
            "title": refusal.title,
            "openai_type": refusal.openai_type,
        }
    return base_pb2.Metadata(filter_metadata={recording.GATE_NAMESPACE: packing.struct(values)})
