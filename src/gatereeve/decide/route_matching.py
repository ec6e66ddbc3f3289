"""Which virtual host and which of its rows a request falls to, as Envoy's router chooses.

Hosts: the exact name, else the longest `*.suffix`, else `*`. Rows: in order, the first match decides.
What is not known yet (identity, region, body) matches no row that asks for it.
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
class Known:
    """What the gate knows when it looks for a row. body None: not read."""

    principal: Principal | None = None
    region: str | None = None
    body: Body | None = None


def find_host(hosts: Iterable[VirtualHost], name: str) -> VirtualHost | None:
    """The virtual host for `name` (canonical). A `single_label` wildcard that is the best match but
    would have to stand for several labels serves nothing: a shorter wildcard does not step in."""
    best: VirtualHost | None = None
    for host in hosts:
        if host.host == name:
            return host
        if _covers(host.host, name) and (best is None or len(host.host) > len(best.host)):
            best = host
    if best is not None and best.single_label and best.host != "*":
        first = name[: -len(best.host) + 1]
        return None if "." in first else best
    return best


def _covers(wildcard: str, name: str) -> bool:
    if wildcard == "*":
        return True
    return wildcard.startswith("*.") and name.endswith(wildcard[1:]) and len(name) >= len(wildcard)


def find_route(routes: Sequence[Route], entry: CanonicalRequest, known: Known) -> Route | None:
    """The first row that matches."""
    return next((route for route in routes if is_match(route.match, entry, known)), None)


def is_match(match: Match, entry: CanonicalRequest, known: Known) -> bool:
    """Whether every part of `match` holds."""
    return (
        _is_path(match.path, entry.path)
        and (not match.methods or entry.method in match.methods)
        and all(_has_value(header, entry.values(header.name)) for header in match.headers)
        and all(_has_value(wanted, _query_values(entry, wanted.name)) for wanted in match.query)
        and _is_body(match, known.body)
        and (not match.groups or any(is_subject(g, known.principal) for g in match.groups))
        and (not match.regions or known.region in match.regions)
    )


def _is_path(wanted: PathMatch, path: str) -> bool:
    if wanted.kind == "regex":
        return re.fullmatch(wanted.value, path, re.ASCII) is not None
    if wanted.kind == "prefix" and wanted.value != "/":
        return path == wanted.value or path.startswith(wanted.value + "/")
    return wanted.kind == "prefix" or path == wanted.value


def _has_value(wanted: ValueMatch, values: Iterable[str]) -> bool:
    """Any value that fits is enough: of a header sent several times each stands for itself."""
    if wanted.kind == "exact":
        return wanted.value in values
    return any(re.fullmatch(wanted.value, value, re.ASCII) is not None for value in values)


def _query_values(entry: CanonicalRequest, name: str) -> tuple[str, ...]:
    """The first value of a query parameter, as sent: nothing is decoded, as in Envoy."""
    for part in (entry.query or "").split("&"):
        key, _, value = part.partition("=")
        if key == name and part:
            return (value,)
    return ()


def _is_body(match: Match, body: Body | None) -> bool:
    if match.body_model is None and match.body_stream is None:
        return True
    if body is None or (match.body_model is not None and body.model not in match.body_model):
        return False
    return match.body_stream is None or body.stream is match.body_stream
