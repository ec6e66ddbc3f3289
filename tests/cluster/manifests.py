"""The documents that tests put into an API server first, from where they are kept."""

from __future__ import annotations

from pathlib import Path

from tests.cluster import tools

ROOT = Path(__file__).parent.parent.parent
GATEWAY_API = "sigs.k8s.io/gateway-api"


def gatereeve_crds() -> list[Path]:
    return sorted((ROOT / "deploy" / "crds").glob("*.yaml"))


def gateway_crds() -> list[Path]:
    """The standard channel of the Gateway API version that the conformance suite pins."""
    folder = tools.module_folder("suite", GATEWAY_API) / "config" / "crd" / "standard"
    return sorted(folder.glob("*.k8s.io_*.yaml"))
