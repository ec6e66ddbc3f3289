"""Plain Envoy, to compare with: TLS, one route, one cluster, and nothing of ours.

The same binary, the same number of workers, the same certificate and the same upstream as the gate;
no filter but the router, no access log, no statistics beyond the defaults.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import processes
from bench.credentials import Credentials
from gatereeve.proxy.local import envoy_process

_TYPE = "type.googleapis.com/"
_HCM = f"{_TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_TYPE}envoy.extensions.filters.http.router.v3.Router"
_TLS = f"{_TYPE}envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"


def binary() -> Path:
    """The Envoy that `gatereeve up` starts."""
    return asyncio.run(envoy_process.find_envoy()).path


def bootstrap(*, port: int, upstream: int, certificate: str, key: str) -> dict[str, object]:
    """A whole static configuration. port, upstream: on 127.0.0.1. certificate, key: PEM."""
    everything = {
        "name": "all",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}],
    }
    manager = {
        "@type": _HCM,
        "stat_prefix": "plain",
        "route_config": {"virtual_hosts": [everything]},
        "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
    }
    pair = {
        "certificate_chain": {"inline_string": certificate},
        "private_key": {"inline_string": key},
    }
    tls = {
        "@type": _TLS,
        "common_tls_context": {"tls_certificates": [pair], "alpn_protocols": ["h2", "http/1.1"]},
    }
    chain = {
        "filters": [{"name": "http", "typed_config": manager}],
        "transport_socket": {"name": "tls", "typed_config": tls},
    }
    endpoint = {"endpoint": {"address": _address(upstream)}}
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    listener = {"name": "plain", "address": _address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


@contextlib.contextmanager
def serving(
    work: Path, credentials: Credentials, *, upstream: int, workers: int
) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Plain Envoy in front of `upstream`; yields its port and process. It may not be ready yet."""
    port = processes.free_port()
    file = work / "plain.json"
    config = bootstrap(
        port=port,
        upstream=upstream,
        certificate=credentials.server.certificate_pem,
        key=credentials.server.key_pem,
    )
    file.write_text(json.dumps(config), "utf-8")
    command: list[str | Path] = [
        binary(), "--config-path", file, "--concurrency", str(workers), "--disable-hot-restart",
        "--log-level", "error",
    ]  # fmt: skip
    with processes.running("plain Envoy", command, log=work / "plain.log") as child:
        yield port, child
