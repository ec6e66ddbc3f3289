"""Which Services are models, with the evidence and the confidence.

The evidence is from governed documents (certain), from the Service and from its workloads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gatereeve.api import plain_objects as plain
from gatereeve.api.plain_objects import RawDoc
from gatereeve.cluster_audit import evidence
from gatereeve.cluster_audit.evidence import Confidence, Evidence
from gatereeve.cluster_audit.governance import GovernedObjects, ServiceKey
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.labels import Labels, Workloads
from gatereeve.core.refs import Ref

_INTERNAL = re.compile(
    r"(?P<name>[a-z0-9-]{1,63})\.(?P<namespace>[a-z0-9-]{1,63})\.svc(\.[a-z0-9.-]{1,200})?"
)
_SHOWN = 3
"""The number of observations in a message, the strongest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """The evidence about one Service. version: its governed version, if it has one."""

    confidence: Confidence
    evidence: tuple[Evidence, ...]
    version: str | None = None

    def describe(self) -> str:
        """Return the evidence as a part of a sentence."""
        texts = [observation.what for observation in self.evidence]
        more = len(texts) - _SHOWN
        return "; ".join(texts[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")

    def with_path(self, path: str) -> Suspicion | None:
        """Return the suspicion with the evidence of a routed path."""
        return make_suspicion(self.version, (*self.evidence, *evidence.check_path(path)))


def make_suspicion(version: str | None, observations: tuple[Evidence, ...]) -> Suspicion | None:
    """Return the suspicion with the confidence of the strongest evidence; None without evidence."""
    if version is not None:
        observations = (Evidence(Confidence.CERTAIN, f"{version} is served from it"), *observations)
    if not observations:
        return None
    ordered = tuple(sorted(set(observations), key=lambda e: (-e.confidence, e.what)))
    return Suspicion(confidence=ordered[0].confidence, evidence=ordered, version=version)


class Models:
    """Suspicions by Service, computed on first use."""

    def __init__(self, inventory: Inventory, governed: GovernedObjects) -> None:
        self._governed = governed
        self._services = {
            (doc.ref.namespace, doc.ref.name): doc for doc in inventory.of(("", "Service"))
        }
        self._pools = {
            (doc.ref.namespace, doc.ref.name): doc
            for doc in inventory.of(("inference.networking.k8s.io", "InferencePool"))
        }
        self._workloads = Workloads(inventory)
        self._of_workload: dict[Ref, tuple[Evidence, ...]] = {}
        self._known: dict[ServiceKey, Suspicion | None] = {}
        self._versions: dict[Ref, str] = {}
        for key, version in sorted(governed.versions.items()):
            for workload in self.selected(key):
                self._versions.setdefault(workload.ref, version)

    def service(self, key: ServiceKey) -> RawDoc | None:
        """Return the Service if it was examined."""
        return self._services.get(key)

    def of(self, key: ServiceKey) -> Suspicion | None:
        """Return the suspicion about a Service; for an unknown one, by its name."""
        if key not in self._known:
            self._known[key] = self._judge(key)
        return self._known[key]

    def is_model(self, key: ServiceKey) -> bool:
        """Whether a Service is at least likely a model."""
        suspicion = self.of(key)
        return suspicion is not None and suspicion.confidence >= Confidence.LIKELY

    def workload(self, doc: RawDoc) -> tuple[Evidence, ...]:
        """Return the evidence in one workload."""
        if doc.ref not in self._of_workload:
            self._of_workload[doc.ref] = evidence.collect_from_workload(doc)
        return self._of_workload[doc.ref]

    def version_of(self, doc: RawDoc) -> str | None:
        """Return the governed version that a workload runs, if a known Service selects it."""
        return self._versions.get(doc.ref)

    def selected(self, key: ServiceKey) -> tuple[RawDoc, ...]:
        """Return the workloads of a Service."""
        return tuple(self._workloads.selected(key[0], self.selector(key)))

    def selector(self, key: ServiceKey) -> Labels:
        """Return the selector of a Service; empty if it has none or is unknown."""
        doc = self._services.get(key)
        return plain.texts(plain.get(doc.spec, "spec", "selector")) if doc is not None else {}

    def _judge(self, key: ServiceKey) -> Suspicion | None:
        doc = self._services.get(key)
        other = _resolve_external_name(doc)
        if (
            other is not None
            and other != key
            and _resolve_external_name(self._services.get(other)) is None
        ):
            # An ExternalName crosses namespaces without a ReferenceGrant.
            target = self.of(other)
            note = Evidence(Confidence.POSSIBLE, f"{key[0]}/{key[1]} is another name of it")
            return target and make_suspicion(target.version, (*target.evidence, note))
        observations = list(
            evidence.collect_from_service(doc) if doc is not None else evidence.check_name(key[1])
        )
        # The pods of one Deployment are alike; the first few are enough.
        workloads = self.selected(key)
        for workload in workloads[:5]:
            observations += self.workload(workload)
        version = self._governed.version_behind(key, self.selector(key)) or next(
            (v for v in map(self.version_of, workloads) if v is not None), None
        )
        return make_suspicion(version, tuple(observations))


def _resolve_external_name(doc: RawDoc | None) -> ServiceKey | None:
    """Return the Service that an ExternalName names, or None."""
    if doc is None or plain.get(doc.spec, "spec", "type") != "ExternalName":
        return None
    match = _INTERNAL.fullmatch(plain.text(plain.get(doc.spec, "spec", "externalName")))
    return (match["namespace"], match["name"]) if match else None
