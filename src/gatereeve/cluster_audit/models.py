"""Which Services hold a model, why that is thought, and how sure it is.

Judged once for each Service, from governed documents (certain) and from evidence on the Service and
on the workloads behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gatereeve.api import plain_objects
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
_TOLD = 3
"""Observations that a sentence names; the strongest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """What is known of one Service. version: the governed version behind it, if there is one."""

    confidence: Confidence
    evidence: tuple[Evidence, ...]
    version: str | None = None

    def told(self) -> str:
        """The evidence as part of a sentence."""
        whats = [one.what for one in self.evidence]
        more = len(whats) - _TOLD
        return "; ".join(whats[:_TOLD]) + (f"; and {more} more" if more > 0 else "")

    def with_path(self, path: str) -> Suspicion | None:
        """The same with what a routed path says."""
        return suspicion(self.version, (*self.evidence, *evidence.of_path(path)))


def suspicion(version: str | None, found: tuple[Evidence, ...]) -> Suspicion | None:
    """The strongest evidence decides; None without any."""
    if version is not None:
        found = (Evidence(Confidence.CERTAIN, f"{version} is served from it"), *found)
    if not found:
        return None
    ordered = tuple(sorted(set(found), key=lambda e: (-e.confidence, e.what)))
    return Suspicion(confidence=ordered[0].confidence, evidence=ordered, version=version)


class Models:
    """Suspicions by Service; each is worked out when it is first asked for."""

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
        """The Service, if it was among what was looked at."""
        return self._services.get(key)

    def of(self, key: ServiceKey) -> Suspicion | None:
        """What is thought of a Service; one that is not there still has a name."""
        if key not in self._known:
            self._known[key] = self._judge(key)
        return self._known[key]

    def is_model(self, key: ServiceKey) -> bool:
        """Whether a Service is a model's, at least likely."""
        found = self.of(key)
        return found is not None and found.confidence >= Confidence.LIKELY

    def workload(self, doc: RawDoc) -> tuple[Evidence, ...]:
        """Evidence in one workload."""
        if doc.ref not in self._of_workload:
            self._of_workload[doc.ref] = evidence.of_workload(doc)
        return self._of_workload[doc.ref]

    def version_of(self, doc: RawDoc) -> str | None:
        """The governed version that a workload runs, if its Service is known to select it."""
        return self._versions.get(doc.ref)

    def selected(self, key: ServiceKey) -> tuple[RawDoc, ...]:
        """The workloads behind a Service."""
        return tuple(self._workloads.selected(key[0], self.selector(key)))

    def selector(self, key: ServiceKey) -> Labels:
        """The Service's selector; empty when there is none or the Service is not there."""
        doc = self._services.get(key)
        return (
            plain_objects.texts(plain_objects.get(doc.spec, "spec", "selector"))
            if doc is not None
            else {}
        )

    def _judge(self, key: ServiceKey) -> Suspicion | None:
        doc = self._services.get(key)
        other = _other_name(doc)
        if other is not None and other != key and _other_name(self._services.get(other)) is None:
            # ExternalName carries a route across namespaces, whatever a ReferenceGrant says.
            behind = self.of(other)
            note = Evidence(Confidence.POSSIBLE, f"{key[0]}/{key[1]} is another name of it")
            return behind and suspicion(behind.version, (*behind.evidence, note))
        found = list(evidence.of_service(doc) if doc is not None else evidence.of_name(key[1]))
        # Many pods of one Deployment say the same; the first few are enough.
        workloads = self.selected(key)
        for workload in workloads[:5]:
            found += self.workload(workload)
        version = self._governed.version_behind(key, self.selector(key)) or next(
            (v for v in map(self.version_of, workloads) if v is not None), None
        )
        return suspicion(version, tuple(found))


def _other_name(doc: RawDoc | None) -> ServiceKey | None:
    """The Service of the cluster that an ExternalName leads to; None when it is no such name."""
    if doc is None or plain_objects.get(doc.spec, "spec", "type") != "ExternalName":
        return None
    match = _INTERNAL.fullmatch(
        plain_objects.text(plain_objects.get(doc.spec, "spec", "externalName"))
    )
    return (match["namespace"], match["name"]) if match else None
