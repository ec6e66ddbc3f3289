"""Whether Gatereeve can be installed in a cluster: facts in, one `Check` for each requirement. Pure.

A fact that could not be read gives the verdict `unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gatereeve.core.canonical import Json
from gatereeve.core.installation import Check, ClusterFacts, Verdict

MIN_KUBERNETES = (1, 30)
"""With stable ValidatingAdmissionPolicies and native sidecars. The same as kubeVersion of the chart."""

MIN_GATEWAY_API = (1, 5)
"""Older CRDs lack fields of the conformance tests of 1.6 and the policy for safe upgrades."""

Definitions = Mapping[str, Json]


def check_installation(facts: ClusterFacts, ours: Definitions) -> tuple[Check, ...]:
    """Return all checks in the order of an installation. ours: our CRDs by name."""
    checks: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("Kubernetes", lambda: _check_version(facts)),
        ("rights", lambda: _check_rights(facts)),
        ("kinds", lambda: _check_kinds(facts.definitions, ours)),
        ("admission policies", lambda: _check_policies(facts)),
        ("Gateway API", lambda: _check_gateways(facts)),
        ("metrics", lambda: _check_metrics(facts)),
    )
    return tuple(
        Check(about=about, verdict=Verdict.UNKNOWN, state=f"cannot be read: {facts.unknown[about]}",
              hint="run the check as a user who may read it")
        if about in facts.unknown
        else check()
        for about, check in checks
    )  # fmt: skip


def _check_version(facts: ClusterFacts) -> Check:
    version = _parse_version(facts.version)
    wanted = ".".join(map(str, MIN_KUBERNETES))
    if version is None:
        return Check(about="Kubernetes", verdict=Verdict.UNKNOWN, state=f"unknown version {facts.version!r}",
                     hint=f"{wanted} or newer is required")  # fmt: skip
    if version < MIN_KUBERNETES:
        return Check(about="Kubernetes", verdict=Verdict.MISSING, state=facts.version,
                     hint=f"upgrade to {wanted} or newer, for sidecars and admission policies")  # fmt: skip
    return Check(about="Kubernetes", verdict=Verdict.FINE, state=facts.version)


def _check_rights(facts: ClusterFacts) -> Check:
    if facts.refused:
        return Check(about="rights", verdict=Verdict.MISSING, state=f"you may not {'; '.join(facts.refused)}",
                     hint="install as a cluster administrator")  # fmt: skip
    return Check(
        about="rights", verdict=Verdict.FINE, state="you may create all objects of an installation"
    )


def _check_kinds(installed: Definitions, ours: Definitions) -> Check:
    absent = [name for name in ours if installed.get(name) is None]
    others = [
        name for name, definition in ours.items()
        if installed.get(name) is not None and not contains(installed[name], definition)
    ]  # fmt: skip
    if len(absent) == len(ours):
        return Check(about="kinds", verdict=Verdict.FINE, state="not installed yet; the installation creates them")  # fmt: skip
    if absent or others:
        problems = [f"missing: {', '.join(absent)}"] if absent else []
        problems += [f"of another version: {', '.join(others)}"] if others else []
        return Check(about="kinds", verdict=Verdict.MISSING, state="; ".join(problems),
                     hint="gatereeve install crds | kubectl apply --server-side --force-conflicts -f -"
                     " (kubectl replace -f - for definitions that were edited by hand)")  # fmt: skip
    return Check(about="kinds", verdict=Verdict.FINE, state=f"all {len(ours)} are of this version")


def contains(installed: Json, ours: Json, *, exactly: bool = False) -> bool:
    """Whether an installed object has all values of ours; the API server may add defaults.

    exactly: it has no further keys, as for the field names of a schema.
    """
    if isinstance(ours, dict):
        if not isinstance(installed, dict) or (exactly and installed.keys() != ours.keys()):
            return False
        return all(
            name in installed and contains(installed[name], value, exactly=name == "properties")
            for name, value in ours.items()
        )
    if isinstance(ours, list):
        return (
            isinstance(installed, list)
            and len(installed) == len(ours)
            and all(contains(a, b) for a, b in zip(installed, ours, strict=True))
        )
    return installed == ours


def _check_policies(facts: ClusterFacts) -> Check:
    about = "admission policies"
    if "validatingadmissionpolicies" not in facts.admission:
        return Check(about=about, verdict=Verdict.MISSING, state="ValidatingAdmissionPolicy is not served",
                     hint="it is part of Kubernetes 1.30; without it the API server refuses nothing")  # fmt: skip
    if "mutatingadmissionpolicies" not in facts.admission:
        return Check(about=about, verdict=Verdict.DEGRADED, state="MutatingAdmissionPolicy is not served (Kubernetes 1.36)",
                     hint="let the webhook write the author of a change: gatereeve guards --stamps webhook")  # fmt: skip
    return Check(
        about=about, verdict=Verdict.FINE, state="validating and mutating policies are served"
    )


def _check_gateways(facts: ClusterFacts) -> Check:
    about, gateways = "Gateway API", facts.gateways
    if gateways is None:
        return Check(about=about, verdict=Verdict.DEGRADED, state="not installed: Ingresses are served, HTTPRoutes are not",
                     hint="install its CRDs (standard channel), then upgrade the chart for its GatewayClass")  # fmt: skip
    state = f"version {gateways.bundle or 'unknown'}, channel {gateways.channel or 'unknown'}"
    version = _parse_version(gateways.bundle)
    if version is None or version < MIN_GATEWAY_API:
        wanted = ".".join(map(str, MIN_GATEWAY_API))
        return Check(about=about, verdict=Verdict.DEGRADED, state=state, hint=f"Gatereeve is tested with {wanted} or newer")  # fmt: skip
    return Check(about=about, verdict=Verdict.FINE, state=state)


def _check_metrics(facts: ClusterFacts) -> Check:
    if facts.metrics:
        return Check(about="metrics", verdict=Verdict.FINE, state="served: gates scale by CPU")
    return Check(about="metrics", verdict=Verdict.DEGRADED, state="metrics.k8s.io is not served: each Gate keeps its minimum number of replicas",
                 hint="install metrics-server, or disable gateDefaults.autoscaling")  # fmt: skip


def _parse_version(version: str) -> tuple[int, int] | None:
    """Return major and minor of a version such as `v1.36.3-gke.1`, or None if it is invalid."""
    match = re.match(r"v?(\d{1,6})\.(\d{1,6})(?!\d)", version)
    return (int(match[1]), int(match[2])) if match else None
