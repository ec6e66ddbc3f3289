"""What Envoys reject of their gates' configurations: who is taken out for it, and what people read.

One `Isolation` per Gate finds the documents; a rejection that cannot be traced to one leaves the
last good form of the resource in force. Both are findings that name a document.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Final

from gatereeve.core.findings import Finding
from gatereeve.core.report import describe
from gatereeve.ir.gates import Gate
from gatereeve.proxy import configuration
from gatereeve.proxy.isolation import Culprit, Isolation
from gatereeve.proxy.xds import events
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.proxy.xds.server import AdsServer

_DETAIL: Final = 300
"""Characters of Envoy's own words."""


class Rejections:
    """See the module. Used on the loop of the xDS server only."""

    def __init__(self, server: AdsServer) -> None:
        self._server = server
        self._isolations: defaultdict[str, Isolation] = defaultdict(Isolation)
        self._details: dict[str, dict[snap.Need, str]] = {}
        self._unsolved: dict[str, dict[snap.Need, Finding]] = {}

    def isolation(self, gate: str) -> Isolation:
        return self._isolations[gate]

    def forget(self, gate: str) -> None:
        """The Gate is gone."""
        self._isolations.pop(gate, None)
        self._unsolved.pop(gate, None)
        self._details.pop(gate, None)

    def note(self, gate: Gate, nack: events.Nacked) -> tuple[Finding, ...]:
        """What a rejection adds to the findings. gate: what was handed out."""
        known = self._details.setdefault(gate.name, {})
        known |= {(nack.type_url, name): nack.detail for name in nack.names}
        return self._judge(gate, [(nack.type_url, name) for name in nack.names])

    def published(self, gate: Gate) -> tuple[Finding, ...]:
        """The same for what was rejected before and is handed out again as it was."""
        return self._judge(gate, self._details.get(gate.name, {}))

    def findings(self, gate: Gate) -> tuple[Finding, ...]:
        """All that concern what is published now."""
        rejected = self._server.rejected(gate.name)
        culprits = self._isolations[gate.name].culprits
        unsolved = self._unsolved.get(gate.name, {})
        return (
            *(_taken_out(gate, culprit) for _, culprit in sorted(culprits.items())),
            *(finding for need, finding in unsolved.items() if need in rejected),
        )

    def _judge(self, gate: Gate, needs: Iterable[snap.Need]) -> tuple[Finding, ...]:
        isolation = self._isolations[gate.name]
        before = set(isolation.culprits)
        rejected = self._server.rejected(gate.name)
        details = self._details.get(gate.name, {})
        has_accepted = partial(self._server.has_accepted, gate.name)
        new = []
        for need in needs:
            if need not in rejected:
                continue  # it is about an earlier form
            if not isolation.rejected(*need, details[need], has_accepted):
                finding = _last_good_stays(gate, need, details[need])
                self._unsolved.setdefault(gate.name, {})[need] = finding
                new.append(finding)
        new += [
            _taken_out(gate, culprit)
            for unit, culprit in isolation.culprits.items()
            if unit not in before
        ]
        return tuple(new)


def _taken_out(gate: Gate, culprit: Culprit) -> Finding:
    whole = culprit.unit == gate.origin
    return describe(
        "gate-rejected.gate" if whole else "gate-rejected",
        culprit.unit,
        gate=gate.name,
        resource=f"{snap.short_name(culprit.type_url)} {culprit.name}",
        detail=culprit.detail[:_DETAIL],
    )


def _last_good_stays(gate: Gate, need: snap.Need, detail: str) -> Finding:
    type_url, name = need
    return describe(
        "gate-rejected.last-good",
        configuration.origin_of(gate, type_url, (name,)) or gate.origin,
        gate=gate.name,
        resource=f"{snap.short_name(type_url)} {name}",
        detail=detail[:_DETAIL],
    )
