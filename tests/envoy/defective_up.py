"""`gatereeve up` with a defect: a cluster bound of 13 connections becomes a message Envoy rejects.

Run as a program by `test_up_rejected`, never imported by a test.
"""

from __future__ import annotations

from typing import Any

from gatereeve.cli import main
from gatereeve.proxy.envoy import clusters

_build = clusters.build_cluster


def defective(cluster: Any) -> Any:
    made = _build(cluster)
    if cluster.max_connections == 13:
        made.connect_timeout.seconds = -1
    return made


if __name__ == "__main__":
    clusters.build_cluster = defective
    main()
