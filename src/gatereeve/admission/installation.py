"""Whether a cluster can carry an installation: facts in, one `Check` for each thing that matters.

Pure. What could not be asked is `unknown`, never fine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gatereeve.core.canonical import Json
from gatereeve.core.installation import Check, ClusterFacts, Verdict

LEAST = (1, 30)
"""ValidatingAdmissionPolicies are stable, native sidecars are on. The chart's kubeVersion says the same."""

GATEWAY_API = (1, 5)
"""Older CRDs lack what conformance of 1.6 asks for, and the policy that keeps upgrades safe."""

Definitions = Mapping[str, Json]


def judge(facts: ClusterFacts, ours: Definitions) -> tuple[Check, ...]:
    """Every check, in the order of an installation. ours: our definitions, by name."""
    table: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("Kubernetes", lambda: _version(facts)),
        ("rights", lambda: _rights(facts)),
        ("kinds", lambda: _kinds(facts.definitions, ours)),
        ("admission policies", lambda: _policies(facts)),
        ("Gateway API", lambda: _gateways(facts)),
        ("metrics", lambda: _metrics(facts)),
    )
    return tuple(
        Check(about=about, verdict=Verdict.UNKNOWN, said=f"it cannot be told: {facts.unknown[about]}",
              hint="ask again as somebody who may read it")
        if about in facts.unknown
        else check()
        for about, check in table
    )  # fmt: skip


def _version(facts: ClusterFacts) -> Check:
    found = _numbers(facts.version)
    wanted = ".".join(map(str, LEAST))
    if found is None:
        return Check(about="Kubernetes", verdict=Verdict.UNKNOWN, said=f"it calls itself {facts.version!r}",
                     hint=f"{wanted} or newer is needed")  # fmt: skip
    if found < LEAST:
        return Check(about="Kubernetes", verdict=Verdict.MISSING, said=facts.version,
                     hint=f"upgrade to {wanted} or newer: sidecars and admission policies are needed")  # fmt: skip
    return Check(about="Kubernetes", verdict=Verdict.FINE, said=facts.version)


def _rights(facts: ClusterFacts) -> Check:
    if facts.refused:
        return Check(about="rights", verdict=Verdict.MISSING, said=f"you may not {'; '.join(facts.refused)}",
                     hint="install as an administrator of the cluster")  # fmt: skip
    return Check(
        about="rights", verdict=Verdict.FINE, said="you may make what an installation makes"
    )


def _kinds(there: Definitions, ours: Definitions) -> Check:
    absent = [name for name in ours if there.get(name) is None]
    others = [
        name for name, one in ours.items()
        if there.get(name) is not None and not carries(there[name], one)
    ]  # fmt: skip
    if len(absent) == len(ours):
        return Check(about="kinds", verdict=Verdict.FINE, said="none of ours yet: they come with the installation")  # fmt: skip
    if absent or others:
        said = [f"not there: {', '.join(absent)}"] if absent else []
        said += [f"not those of this version: {', '.join(others)}"] if others else []
        return Check(about="kinds", verdict=Verdict.MISSING, said="; ".join(said),
                     hint="gatereeve install crds | kubectl apply --server-side --force-conflicts -f -"
                     " (kubectl replace -f - for what was edited by hand)")  # fmt: skip
    return Check(
        about="kinds", verdict=Verdict.FINE, said=f"all {len(ours)}, as this version has them"
    )


def carries(there: Json, ours: Json, *, exactly: bool = False) -> bool:
    """Whether an object of the API server says all that ours says, its own defaults aside.

    exactly: names of fields, which nobody adds by default: one more is another schema.
    """
    if isinstance(ours, dict):
        if not isinstance(there, dict) or (exactly and there.keys() != ours.keys()):
            return False
        return all(
            name in there and carries(there[name], value, exactly=name == "properties")
            for name, value in ours.items()
        )
    if isinstance(ours, list):
        return (
            isinstance(there, list)
            and len(there) == len(ours)
            and all(carries(a, b) for a, b in zip(there, ours, strict=True))
        )
    return there == ours


def _policies(facts: ClusterFacts) -> Check:
    about = "admission policies"
    if "validatingadmissionpolicies" not in facts.admission:
        return Check(about=about, verdict=Verdict.MISSING, said="ValidatingAdmissionPolicy is not served",
                     hint="it is part of Kubernetes 1.30; without it nothing is refused at the door")  # fmt: skip
    if "mutatingadmissionpolicies" not in facts.admission:
        return Check(about=about, verdict=Verdict.LESS, said="MutatingAdmissionPolicy is not served (Kubernetes 1.36)",
                     hint="let the webhook stamp who changed a document: gatereeve guards --stamps webhook")  # fmt: skip
    return Check(about=about, verdict=Verdict.FINE, said="validating and mutating ones are served")


def _gateways(facts: ClusterFacts) -> Check:
    about, found = "Gateway API", facts.gateways
    if found is None:
        return Check(about=about, verdict=Verdict.LESS, said="not installed: Ingresses are served, HTTPRoutes are not",
                     hint="install its CRDs (standard channel), then upgrade the chart for its GatewayClass")  # fmt: skip
    said = f"{found.bundle or 'of an unknown version'}, channel {found.channel or 'unknown'}"
    numbers = _numbers(found.bundle)
    if numbers is None or numbers < GATEWAY_API:
        wanted = ".".join(map(str, GATEWAY_API))
        return Check(about=about, verdict=Verdict.LESS, said=said, hint=f"{wanted} or newer is what we are tested with")  # fmt: skip
    return Check(about=about, verdict=Verdict.FINE, said=said)


def _metrics(facts: ClusterFacts) -> Check:
    if facts.metrics:
        return Check(about="metrics", verdict=Verdict.FINE, said="served: gates scale by CPU")
    return Check(about="metrics", verdict=Verdict.LESS, said="metrics.k8s.io is not served: gates stay at their minimum",
                 hint="install metrics-server, or turn gateDefaults.autoscaling off")  # fmt: skip


def _numbers(version: str) -> tuple[int, int] | None:
    """Major and minor of `v1.36.3-gke.1`; None for what is no version."""
    match = re.match(r"v?(\d{1,6})\.(\d{1,6})(?!\d)", version)
    return (int(match[1]), int(match[2])) if match else None
