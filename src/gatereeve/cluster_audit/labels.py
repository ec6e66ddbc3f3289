"""Label selectors of plain objects, and which workloads a Service or policy selects.

Semantics of meta/v1 LabelSelector; an expression that cannot be read selects nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from gatereeve.api import plain_objects
from gatereeve.api.plain_objects import RawDoc
from gatereeve.api.yaml import Plain
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.kinds import WORKLOADS

Labels: TypeAlias = Mapping[str, str]


def selects(selector: Plain, labels: Labels) -> bool:
    """Whether a LabelSelector selects these labels; an empty one selects everything."""
    wanted = plain_objects.texts(plain_objects.get(selector, "matchLabels"))
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(
        _holds(one, labels)
        for one in plain_objects.sequence(plain_objects.get(selector, "matchExpressions"))
    )


def _holds(expression: Plain, labels: Labels) -> bool:
    key, operator = (
        plain_objects.text(plain_objects.get(expression, "key")),
        plain_objects.get(expression, "operator"),
    )
    values = plain_objects.words(plain_objects.get(expression, "values"))
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return key in labels
    return operator == "DoesNotExist" and key not in labels


def pod_of(doc: RawDoc) -> Mapping[str, Plain]:
    """The pod (template) of a workload: metadata and spec."""
    if doc.ref.kind == "Pod":
        return doc.spec
    return plain_objects.mapping(plain_objects.get(doc.spec, "spec", "template"))


def pod_labels(doc: RawDoc) -> Labels:
    return plain_objects.texts(plain_objects.get(pod_of(doc), "metadata", "labels"))


class Workloads:
    """Workloads by one of their pods' labels, so that thousands of Services find theirs quickly."""

    def __init__(self, inventory: Inventory) -> None:
        self._by_label: defaultdict[tuple[str, str, str], list[tuple[RawDoc, Labels]]] = (
            defaultdict(list)
        )
        for doc in inventory.of(*WORKLOADS):
            labels = pod_labels(doc)
            for key, value in labels.items():
                self._by_label[doc.ref.namespace, key, value].append((doc, labels))

    def selected(self, namespace: str, selector: Labels) -> Iterable[RawDoc]:
        """Workloads whose pods a Service with this selector sends to; none for an empty one."""
        if not selector:
            return ()
        places = (self._by_label.get((namespace, k, v), []) for k, v in selector.items())
        fewest = min(places, key=len)
        return tuple(doc for doc, labels in fewest if selector.items() <= labels.items())
