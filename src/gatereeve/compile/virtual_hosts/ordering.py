"""Claims on one host to a virtual host: who wins identical matches, and the order of the rows.

Rows of one route request that ask for the same (a `_Block`: path, methods, headers, query, model in the
body) stand or fall together and keep their order, because a rollout's rules are tried in order.
Identical matches have one winner, the oldest; the losers get a finding that names it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from gatereeve.compile.routes import route_order
from gatereeve.compile.routes.requests import RouteRequest
from gatereeve.compile.virtual_hosts.route_requests import CompiledRoutes
from gatereeve.core.findings import Finding
from gatereeve.core.refs import Ref
from gatereeve.core.report import finding
from gatereeve.ir.routes import Match, PathMatch, Route, ValueMatch, VirtualHost

Tls: TypeAlias = Literal["any", "redirect", "refuse"]

_Slot: TypeAlias = tuple[
    str,
    str,
    tuple[str, ...],
    tuple[ValueMatch, ...],
    tuple[ValueMatch, ...],
    tuple[str, ...] | None,
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrderedRoutes:
    """A virtual host and what was found while route requests for it were weighed.

    served: documents that own some row of it.
    """

    vhost: VirtualHost
    served: frozenset[Ref]
    findings: tuple[Finding, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class _Block:
    """Rows of one route request in one slot, in order. shared: gives way to another model's rows."""

    rows: CompiledRoutes
    position: int
    shared: bool
    path: PathMatch
    routes: list[Route]


def order_routes(
    host: str, rows: tuple[CompiledRoutes, ...], *, single_label: bool, tls: Tls
) -> OrderedRoutes:
    """The virtual host of all route requests for `host`, at least one, in any order.

    Findings: route-conflict.
    """
    ordered = sorted(rows, key=lambda r: r.route_request.place)
    slots: defaultdict[_Slot, list[_Block]] = defaultdict(list)
    for position, claimed in enumerate(ordered):
        _add_blocks(slots, claimed, position, claimed.routes, shared=False)
        _add_blocks(slots, claimed, position, claimed.shared, shared=True)
    winners = []
    conflicts: dict[tuple[int, int], Finding] = {}
    for slot, blocks in slots.items():
        winner = _winner(blocks)
        winners.append((_key(slot, winner), winner))
        for loser in blocks:
            if loser is not winner and not loser.shared:
                pair = (loser.position, winner.position)
                if pair not in conflicts:
                    conflicts[pair] = _conflict(host, loser, winner)
    winners.sort(key=lambda item: item[0])
    routes = _named(route for _, block in winners for route in block.routes)
    return OrderedRoutes(
        vhost=VirtualHost(
            host=host,
            single_label=single_label,
            tls=tls,
            inspects_body=any(
                r.match.body_model is not None or r.match.body_stream is not None for r in routes
            ),
            routes=routes,
            origin=ordered[0].route_request.doc.origin(),
        ),
        served=frozenset(block.rows.route_request.doc.ref for _, block in winners),
        findings=tuple(conflicts.values()),
    )


def _add_blocks(
    slots: defaultdict[_Slot, list[_Block]],
    claimed: CompiledRoutes,
    position: int,
    routes: tuple[Route, ...],
    *,
    shared: bool,
) -> None:
    route_request = claimed.route_request
    matches: set[Match] = set()
    for route in routes:
        match = route.match
        if shared:  # models of one catalogue refuse the same things
            if match in matches:
                continue
            matches.add(match)
        slot = (
            match.path.kind,
            match.path.value,
            match.methods,
            route_request.headers,
            route_request.query,
            match.body_model,
        )
        blocks = slots[slot]
        if blocks and blocks[-1].position == position and blocks[-1].shared == shared:
            blocks[-1].routes.append(route)
        else:
            blocks.append(
                _Block(rows=claimed, position=position, shared=shared, path=match.path,
                       routes=[route])
            )  # fmt: skip


def _winner(blocks: list[_Block]) -> _Block:
    """The oldest; but what a model merely refuses gives way to what another model serves."""
    first = blocks[0]
    if first.shared:
        return next((b for b in blocks if not b.shared and b.rows.models), first)
    return first


def _key(
    slot: _Slot, block: _Block
) -> tuple[route_order.Precedence, route_order.DocumentOrder, bool, str]:
    route_request = block.rows.route_request
    precedence = route_order.precedence(
        block.path,
        methods=slot[2],
        headers=len(route_request.headers),
        query=len(route_request.query),
        by_body=slot[5] is not None,
    )
    return precedence, route_request.place, block.shared, block.routes[0].name


def _conflict(host: str, loser: _Block, winner: _Block) -> Finding:
    return lost_to(
        loser.rows.route_request, winner.rows.route_request, f"{host} {loser.path.value}"
    )


def lost_to(loser: RouteRequest, winner: RouteRequest, what: str) -> Finding:
    """route-conflict: `winner` owns `what`, so `loser` is not served there."""
    lost = finding(
        loser.doc, "route-conflict", loser.where,
        what=what, winner=winner.doc.ref, place=winner.where,
    )  # fmt: skip
    return replace(lost, cause=winner.doc.ref)


def _named(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Routes with unique names: the second of a name becomes `name~2`."""
    seen: dict[str, int] = {}
    found = []
    for route in routes:
        count = seen.get(route.name, 0) + 1
        seen[route.name] = count
        found.append(route if count == 1 else replace(route, name=f"{route.name}~{count}"))
    return tuple(found)
