"""Leadership of controllers without a cluster: the process that holds a lock file writes, the others read.

In a cluster a Lease does this (`sources.kube`). The kernel lets go of the lock when its holder ends,
however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class LockFile:
    """See the module; fits `issuer.Leadership`. `close` gives the leadership away."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def is_leading(self) -> bool:
        """Whether the lock is ours; takes it when it is free. False when it cannot be had."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
