"""Label selectors of plain objects, and which workloads a Service or policy selects.

Semantics of meta/v1 LabelSelector; an expression that cannot be read selects nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from gatereeve.admission.audit.inventory import Inventory
from gatereeve.admission.audit.kinds import WORKLOADS
from gatereeve.api import raw
from gatereeve.api.raw import RawDoc
from gatereeve.api.yaml import Plain

Labels: TypeAlias = Mapping[str, str]


def selects(selector: Plain, labels: Labels) -> bool:
    """Whether a LabelSelector selects these labels; an empty one selects everything."""
    wanted = raw.texts(raw.get(selector, "matchLabels"))
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(one, labels) for one in raw.sequence(raw.get(selector, "matchExpressions")))


def _holds(expression: Plain, labels: Labels) -> bool:
    key, operator = raw.text(raw.get(expression, "key")), raw.get(expression, "operator")
    values = raw.words(raw.get(expression, "values"))
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
    return raw.mapping(raw.get(doc.spec, "spec", "template"))


def pod_labels(doc: RawDoc) -> Labels:
    return raw.texts(raw.get(pod_of(doc), "metadata", "labels"))


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
