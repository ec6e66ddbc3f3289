"""`envoy --mode validate` over many candidates at once: what Envoy says of patterns and certificates."""

from __future__ import annotations

import asyncio
import json
import pathlib
import re
from collections.abc import Mapping, Sequence

from gatereeve.proxy.local import envoy_process

_SIZE = re.compile(r"RE2 program size of (\d+) >")
_HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


async def validate(config: object, directory: pathlib.Path, *, level: str = "warn") -> str | None:
    """What Envoy printed when it accepted the bootstrap; raises AssertionError with it otherwise."""
    status, printed = await judge(config, directory, level=level)
    assert status == 0, printed[-3000:]
    return printed


async def judge(
    config: object, directory: pathlib.Path, *, level: str = "error"
) -> tuple[int | None, str]:
    """Exit status and output of `envoy --mode validate` for a bootstrap."""
    binary = await envoy_process.find_envoy()
    path = directory / "judged.json"
    path.write_text(json.dumps(config))
    process = await asyncio.create_subprocess_exec(
        str(binary.path), "--mode", "validate", "-c", str(path), "-l", level,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    return process.returncode, printed.decode()


async def program_sizes(patterns: Sequence[str], directory: pathlib.Path) -> list[int]:
    """The size of RE2's program for each pattern, as Envoy counts it. All must be accepted."""
    printed = await validate(_matching(patterns, warn_level=0), directory)
    sizes = [int(found) for found in _SIZE.findall(printed or "")]
    assert len(sizes) == len(patterns)
    return sizes


async def is_accepted(pattern: str, directory: pathlib.Path) -> bool:
    status, _ = await judge(_matching([pattern]), directory)
    return status == 0


def _matching(patterns: Sequence[str], *, warn_level: int | None = None) -> object:
    """A bootstrap with one route per pattern, and the limits of ours."""
    layer = {"re2.max_program_size.error_level": 1_000_000}
    if warn_level is not None:
        layer["re2.max_program_size.warn_level"] = warn_level
    found = [
        {"match": {"safe_regex": {"regex": one}}, "direct_response": {"status": 200}}
        for one in patterns
    ]
    hosts = [{"name": "all", "domains": ["*"], "routes": found}]
    manager = {
        "@type": _HTTP,
        "stat_prefix": "http",
        "route_config": {"name": "routes", "virtual_hosts": hosts},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    listener = {
        "name": "one",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {
        "node": {"id": "judge", "cluster": "judge"},
        "layered_runtime": {"layers": [{"name": "static", "static_layer": layer}]},
        "static_resources": {"listeners": [listener]},
    }


def serving_with(pairs: Mapping[str, tuple[str, str]]) -> object:
    """A bootstrap with a TLS listener for each certificate chain and key, PEM, by name."""
    proxy = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "tcp",
        "cluster": "none",
    }

    def listener(name: str, chain: str, key: str) -> object:
        pair = {
            "certificate_chain": {"inline_string": chain},
            "private_key": {"inline_string": key},
        }
        context = {"@type": _TLS, "common_tls_context": {"tls_certificates": [pair]}}
        socket = {"name": "envoy.transport_sockets.tls", "typed_config": context}
        filters = [{"name": "tcp", "typed_config": proxy}]
        return {
            "name": name,
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters": filters, "transport_socket": socket}],
        }

    return {
        "node": {"id": "judge", "cluster": "judge"},
        "static_resources": {"listeners": [listener(name, *pair) for name, pair in pairs.items()]},
    }
