"""What a gate's configuration must know of its surroundings: names, no addresses.

The clusters named here are static and stand in the gate's bootstrap, never in the snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatereeve.ir import record_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """access_log_cluster: the bootstrap's cluster of the access-log service.

    log_flush_s, log_buffer_bytes: records leave the gate when either is reached, per worker.
    """

    access_log_cluster: str = "gatereeve-records"
    log_name: str = record_fields.LOG_NAME
    log_flush_s: float = 0.1
    log_buffer_bytes: int = 128 * 1024
