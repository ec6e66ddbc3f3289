"""Label selectors (meta/v1 LabelSelector), and the workloads that a Service or policy selects.

An invalid expression selects nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from gatereeve.api import plain_objects as plain
from gatereeve.api.plain_objects import RawDoc
from gatereeve.api.yaml import Plain
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.kinds import WORKLOADS

Labels: TypeAlias = Mapping[str, str]


def selects(selector: Plain, labels: Labels) -> bool:
    """Whether a LabelSelector selects these labels; an empty one selects everything."""
    wanted = plain.texts(plain.get(selector, "matchLabels"))
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(
        _holds(expression, labels)
        for expression in plain.sequence(plain.get(selector, "matchExpressions"))
    )


def _holds(expression: Plain, labels: Labels) -> bool:
    key, operator = (plain.text(plain.get(expression, "key")), plain.get(expression, "operator"))
    values = plain.words(plain.get(expression, "values"))
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return key in labels
    return operator == "DoesNotExist" and key not in labels


def pod_of(doc: RawDoc) -> Mapping[str, Plain]:
    """Return the pod template of a workload."""
    if doc.ref.kind == "Pod":
        return doc.spec
    return plain.mapping(plain.get(doc.spec, "spec", "template"))


def pod_labels(doc: RawDoc) -> Labels:
    return plain.texts(plain.get(pod_of(doc), "metadata", "labels"))


class Workloads:
    """Workloads indexed by the labels of their pods."""

    def __init__(self, inventory: Inventory) -> None:
        self._by_label: defaultdict[tuple[str, str, str], list[tuple[RawDoc, Labels]]] = (
            defaultdict(list)
        )
        for doc in inventory.of(*WORKLOADS):
            labels = pod_labels(doc)
            for key, value in labels.items():
                self._by_label[doc.ref.namespace, key, value].append((doc, labels))

    def selected(self, namespace: str, selector: Labels) -> Iterable[RawDoc]:
        """Return the workloads that the selector of a Service selects; none for an empty one."""
        if not selector:
            return ()
        candidates = (self._by_label.get((namespace, k, v), []) for k, v in selector.items())
        fewest = min(candidates, key=len)
        return tuple(doc for doc, labels in fewest if selector.items() <= labels.items())
