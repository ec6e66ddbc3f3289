"""`gatereeve up` with defects, so that documents become messages that Envoy rejects.

A cluster bound of 13 connections becomes a negative time-out; a path that begins with `/defect`
becomes a pattern that RE2 does not compile. Run as a program by `test_up_rejected`, never
imported by a test.
"""

from __future__ import annotations

from typing import Any

from gatereeve.cli import main
from gatereeve.proxy.envoy import clusters, matches

_build_cluster = clusters.build_cluster
_set_path = matches._set_path


def defective_cluster(cluster: Any) -> Any:
    made = _build_cluster(cluster)
    if cluster.max_connections == 13:
        made.connect_timeout.seconds = -1
    return made


def defective_path(made: Any, path: Any) -> None:
    _set_path(made, path)
    if path.value.startswith("/defect"):
        made.safe_regex.regex = "/x/(a{100}){11}"


if __name__ == "__main__":
    clusters.build_cluster = defective_cluster
    matches._set_path = defective_path
    main()
