"""Everything there is in a cluster, to compare before with after. Read-only.

Objects are named by kind, namespace and name. Left out are events, which tell of what was and go by
themselves.
"""

from __future__ import annotations

from collections.abc import Callable

Kubectl = Callable[..., str]
"""What kubectl prints, called with its arguments; it raises when kubectl says no."""

_EVENTS = ("events", "events.events.k8s.io")
_COLUMNS = "custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name"


def everything(kubectl: Kubectl) -> set[str]:
    """One line for each object of each kind that can be listed."""
    kinds = kubectl("api-resources", "--verbs=list", "--output=name", "--cached=false").split()
    asked = ",".join(kind for kind in kinds if kind not in _EVENTS)
    told = kubectl("get", asked, "--all-namespaces", "--no-headers", f"--output={_COLUMNS}")
    return {" ".join(line.split()) for line in told.splitlines()}
