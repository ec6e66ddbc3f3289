"""Atomic replacement of a file that only its owner may read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def replace(path: Path, content: Iterable[bytes]) -> int:
    """Replace a file with mode 0600 and sync it to disk. Returns its size in bytes.

    Raises OSError if it cannot be written; the old file then stays.
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
