"""A snapshot for people: JSON values and YAML, with every secret redacted.

What is redacted: private keys, API keys (they are the keys of a matcher's map), and nothing else;
key sets of issuers and certificates are public.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import yaml
from google.protobuf import json_format

from gatereeve.ir.gates import Gate
from gatereeve.proxy.xds.snapshot import TYPES, Snapshot, TypeUrl, short_name

_REDACTED: Final = "[redacted]"
_MODULES: Final = {
    "envoy.config.cluster.v3.Cluster": "envoy.config.cluster.v3.cluster_pb2",
    "envoy.config.endpoint.v3.ClusterLoadAssignment": "envoy.config.endpoint.v3.endpoint_pb2",
    "envoy.config.listener.v3.Listener": "envoy.config.listener.v3.listener_pb2",
    "envoy.config.core.v3.TypedExtensionConfig": "envoy.config.core.v3.extension_pb2",
    "envoy.config.route.v3.RouteConfiguration": "envoy.config.route.v3.route_pb2",
    "envoy.config.route.v3.ScopedRouteConfiguration": "envoy.config.route.v3.scoped_route_pb2",
    "envoy.extensions.transport_sockets.tls.v3.Secret": (
        "envoy.extensions.transport_sockets.tls.v3.secret_pb2"
    ),
}


def to_dict(snapshot: Snapshot, gate: Gate) -> dict[str, Any]:
    """By short type name (`LDS`), then by resource name; field names as in Envoy's own YAML.

    gate: what the snapshot was built from; its secrets are what is redacted.
    """
    secrets = _secrets(gate)
    return {
        short_name(type_url): {
            name: _redact(_values(type_url, resource.body), secrets)
            for name, resource in sorted(snapshot.of(type_url).items())
        }
        for type_url in TYPES
        if snapshot.of(type_url)
    }


def to_yaml(snapshot: Snapshot, gate: Gate) -> str:
    """The same as YAML, keys sorted."""
    text: str = yaml.dump(
        to_dict(snapshot, gate),
        Dumper=_Dumper,
        sort_keys=True,
        width=120,
        allow_unicode=True,
    )
    return text


def parse(type_url: TypeUrl, body: bytes) -> Any:
    """The message of a resource's bytes."""
    name = type_url.rpartition("/")[2]
    module = importlib.import_module(_MODULES[name])
    message = getattr(module, name.rpartition(".")[2])()
    message.ParseFromString(body)
    return message


def _values(type_url: TypeUrl, body: bytes) -> Any:
    return json_format.MessageToDict(parse(type_url, body), preserving_proto_field_name=True)


def _secrets(gate: Gate) -> frozenset[str]:
    secret_names = {c.key for listener in gate.listeners for c in listener.certificates}
    if gate.identity.api_keys is not None:
        secret_names |= {key.secret for key in gate.identity.api_keys.keys}
    return frozenset(secret_names)


def _redact(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, str):
        return _REDACTED if value in secrets else value
    if isinstance(value, list):
        return [_redact(item, secrets) for item in value]
    if isinstance(value, dict):
        redacted: dict[str, Any] = {}
        for key, item in value.items():
            shown = key
            if key in secrets:
                shown = f"{_REDACTED} {sum(k.startswith(_REDACTED) for k in redacted) + 1}"
            redacted[shown] = _redact(item, secrets)
        return redacted
    return value


class _Dumper(yaml.SafeDumper):
    """Writes repeated values in full, without YAML anchors."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True
