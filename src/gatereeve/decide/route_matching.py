"""The virtual host and the route that match a request, as Envoy's router selects them.

Hosts: the exact name, else the longest `*.suffix`, else `*`. Routes: the first that matches. A condition
on a value that is not known yet (identity, region, body) does not match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gatereeve.decide.bodies import Body
from gatereeve.decide.canonical_request import CanonicalRequest
from gatereeve.decide.principals import Principal
from gatereeve.decide.rules import is_subject
from gatereeve.ir.routes import Match, PathMatch, Route, ValueMatch, VirtualHost


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownValues:
    """What the gate knows about a request besides its head. body: None if it was not read."""

    principal: Principal | None = None
    region: str | None = None
    body: Body | None = None


def find_host(hosts: Iterable[VirtualHost], name: str) -> VirtualHost | None:
    """Return the virtual host for `name` (canonical). If the best match is a `single_label` wildcard and
    `name` has several labels in its place, the result is None: a shorter wildcard is not used."""
    best: VirtualHost | None = None
    for host in hosts:
        if host.host == name:
            return host
        if _is_covered(host.host, name) and (best is None or len(host.host) > len(best.host)):
            best = host
    if best is not None and best.single_label and best.host != "*":
        labels = name[: -len(best.host) + 1]
        return None if "." in labels else best
    return best


def _is_covered(wildcard: str, name: str) -> bool:
    if wildcard == "*":
        return True
    return wildcard.startswith("*.") and name.endswith(wildcard[1:]) and len(name) >= len(wildcard)


def find_route(
    routes: Sequence[Route], entry: CanonicalRequest, known: KnownValues
) -> Route | None:
    """Return the first route that matches, or None."""
    return next((route for route in routes if is_match(route.match, entry, known)), None)


def is_match(match: Match, entry: CanonicalRequest, known: KnownValues) -> bool:
    """Whether every part of `match` holds."""
    return (
        _is_path_match(match.path, entry.path)
        and (not match.methods or entry.method in match.methods)
        and all(_has_value(header, entry.values(header.name)) for header in match.headers)
        and all(_has_value(wanted, _read_query(entry, wanted.name)) for wanted in match.query)
        and _is_body_match(match, known.body)
        and (not match.groups or any(is_subject(g, known.principal) for g in match.groups))
        and (not match.regions or known.region in match.regions)
    )


def _is_path_match(wanted: PathMatch, path: str) -> bool:
    if wanted.kind == "regex":
        return re.fullmatch(wanted.value, path, re.ASCII) is not None
    if wanted.kind == "prefix" and wanted.value != "/":
        return path == wanted.value or path.startswith(wanted.value + "/")
    return wanted.kind == "prefix" or path == wanted.value


def _has_value(wanted: ValueMatch, values: Iterable[str]) -> bool:
    """Whether one of the values matches; each value of a repeated header counts by itself."""
    if wanted.kind == "exact":
        return wanted.value in values
    return any(re.fullmatch(wanted.value, value, re.ASCII) is not None for value in values)


def _read_query(entry: CanonicalRequest, name: str) -> tuple[str, ...]:
    """Return the first value of a query parameter, not decoded, as in Envoy."""
    for part in (entry.query or "").split("&"):
        key, _, value = part.partition("=")
        if key == name and part:
            return (value,)
    return ()


def _is_body_match(match: Match, body: Body | None) -> bool:
    if match.body_model is None and match.body_stream is None:
        return True
    if body is None or (match.body_model is not None and body.model not in match.body_model):
        return False
    return match.body_stream is None or body.stream is match.body_stream
