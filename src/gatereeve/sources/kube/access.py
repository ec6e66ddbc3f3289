"""Which API server is meant and as whom: values only, so that settings need no client library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class InCluster:
    """A pod's service account. host, port: KUBERNETES_SERVICE_HOST and _PORT."""

    host: str
    port: int
    directory: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """A kubeconfig file; context None means its current one."""

    path: Path
    context: str | None = None


Access = InCluster | Kubeconfig
