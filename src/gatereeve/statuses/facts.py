"""What only the running system knows, as plain values: which gates run what, and where they are met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gatereeve.api.world import Key
from gatereeve.core.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """The gates (Envoys) that serve one Gate document.

    active: the hash that all of them were proved to run; "" while they run different ones, or none.
    running: how many were proved to run some configuration. ready: how many run the hash that the
    documents compile to now. gates: how many there are. addresses: where the Gate's own addresses
    are met: IP addresses or host names. rejections: what gates refused of their configuration.
    """

    active: str = ""
    running: int = 0
    ready: int = 0
    gates: int = 0
    addresses: tuple[str, ...] = ()
    rejections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeFacts:
    """gates: by name. gateways: the addresses of a Gateway with addresses of its own. rejected: the
    findings `gate-rejected` about documents whose configuration an Envoy rejected."""

    gates: Mapping[str, GateFacts] = field(default_factory=dict)
    gateways: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    rejected: tuple[Finding, ...] = ()

    def gate(self, name: str) -> GateFacts:
        """What is known of a gate; nothing, when nothing is."""
        return self.gates.get(name, GateFacts())
