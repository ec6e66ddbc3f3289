"""A file of ours that nobody else may read, replaced whole or not at all. Knows no contents."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def replace(path: Path, content: Iterable[bytes]) -> int:
    """Mode 0600; on disk when this returns, and a kill leaves the old one. How many bytes it has.

    Raises OSError when it cannot be written; the old one then stays.
    """
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for part in content:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    draft.replace(path)
    return size
