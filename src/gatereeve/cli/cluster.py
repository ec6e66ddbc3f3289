"""The flags by which a command is pointed at a cluster: `--cluster`, `--kubeconfig`, `--context`."""

from __future__ import annotations

from pathlib import Path

from gatereeve.runtime.settings import kubeconfig_access
from gatereeve.sources.kube.access import Access


def chosen(kubeconfig: Path | None, context: str | None, *, cluster: bool) -> Access | None:
    """The way to the cluster that was named, by any of the flags; None where none was.

    Raises SettingsError when there is no way.
    """
    if cluster or kubeconfig is not None or context is not None:
        return kubeconfig_access(kubeconfig, context)
    return None
