"""What a cluster has of what an installation needs: facts that were read, and what they mean.

Values only. `sources.kube.installation_facts` reads the facts, `admission.installation` judges them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gatereeve.core.canonical import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateways:
    """Gateway API as it is installed. bundle: such as `v1.6.1`, "" when it does not say."""

    bundle: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What was seen, and nothing about what it is good for.

    version: as the server calls itself, `v1.36.3`. definitions: of the names asked for, each
    CustomResourceDefinition as it is, or None. gateways: None when Gateway API is not there.
    admission: resources of admissionregistration.k8s.io/v1. metrics: resource metrics are served.
    refused: what the caller may not do of what an installation does, in words.
    unknown: what could not be asked, with the reason; its facts above are empty and mean nothing.
    """

    version: str = ""
    definitions: Mapping[str, Json] = field(default_factory=dict)
    gateways: Gateways | None = None
    admission: frozenset[str] = frozenset()
    metrics: bool = False
    refused: tuple[str, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)


class Verdict(Enum):
    """fine · works, with less: look at it · missing: an installation would not work · unknown."""

    FINE = "fine"
    LESS = "less"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. said: how it is; hint: what helps, "" when nothing has to."""

    about: str
    verdict: Verdict
    said: str
    hint: str = ""
