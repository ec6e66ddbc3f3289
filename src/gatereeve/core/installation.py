"""Facts of a cluster that an installation depends on, and the checks of them.

Values only. `sources.kube.installation_facts` reads the facts, `admission.installation` checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gatereeve.core.canonical import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateways:
    """The installed Gateway API. bundle: its version, such as `v1.6.1`; "" if unknown."""

    bundle: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """Facts as read.

    version: of the API server, such as `v1.36.3`. definitions: our CustomResourceDefinitions by name; None
    if absent. gateways: None if Gateway API is not installed. admission: the resources of
    admissionregistration.k8s.io/v1. metrics: whether resource metrics are served.
    refused: actions of an installation that the caller may not do.
    unknown: facts that could not be read, with the reason; their fields above are empty.
    """

    version: str = ""
    definitions: Mapping[str, Json] = field(default_factory=dict)
    gateways: Gateways | None = None
    admission: frozenset[str] = frozenset()
    metrics: bool = False
    refused: tuple[str, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)


class Verdict(Enum):
    """degraded: works with restrictions · missing: an installation would not work."""

    FINE = "fine"
    DEGRADED = "degraded"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. state: what was found. hint: what to do, "" if nothing."""

    about: str
    verdict: Verdict
    state: str
    hint: str = ""
