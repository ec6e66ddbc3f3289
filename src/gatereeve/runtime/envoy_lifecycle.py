"""When a gate's Envoy starts and ends, from the process that starts it to the recorder beside it.

Counters begin anew with each life, and a record belongs to the life in which its request began. The
file is replaced before Envoy is started, so everything that a new Envoy reports comes after it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec


class EnvoyLifecycle(msgspec.Struct, frozen=True):
    """began_us: microseconds since 1970, just before Envoy was started. Identifies one run of Envoy."""

    began_us: int


def note(path: Path, now: datetime) -> None:
    """Another life begins. Raises OSError."""
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(EnvoyLifecycle(int(now.timestamp() * 1_000_000))))
    draft.replace(path)


def read(path: Path) -> EnvoyLifecycle | None:
    """The life of now; None when there is none, or it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=EnvoyLifecycle)
    except (OSError, msgspec.MsgspecError):
        return None
