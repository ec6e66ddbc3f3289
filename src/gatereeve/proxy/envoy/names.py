"""Names that several builders share: filters, headers, metadata, route configurations.

Header names beginning with `x-gatereeve-` are ours alone: the gate removes them from every request
before anything reads them.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from gatereeve.proxy.xds.snapshot import SEAL

GATE: Final = SEAL
CONNECT: Final = "gatereeve.connect"
WILDCARD: Final = "gatereeve.wildcard"
RESCOPE: Final = "gatereeve.rescope"
PROTOCOL: Final = "gatereeve.protocol"
AUTHORIZATION: Final = "gatereeve.authorization"
JWT: Final = "envoy.filters.http.jwt_authn"
API_KEYS: Final = "gatereeve.apikey"
CERTIFICATE_URI: Final = "gatereeve.certificate_uri"
CERTIFICATE_DNS: Final = "gatereeve.certificate_dns"
BUFFER: Final = "gatereeve.buffer"
BODY: Final = "gatereeve.body"
NOTES: Final = "gatereeve.notes"
SELECTION: Final = "gatereeve.selection"
STAGES: Final = "gatereeve.stages"
ENFORCE: Final = "gatereeve.enforce"
ALLOW: Final = "gatereeve.allow"
LIMIT: Final = "gatereeve.limit"
REMOVAL: Final = "gatereeve.removal"
ROUTER: Final = "envoy.filters.http.router"

OWN_HEADERS: Final = "x-gatereeve-"
SCOPE_HEADER: Final = "x-gatereeve-scope"
SNI_HEADER: Final = "x-gatereeve-sni"

PRINCIPAL_KEY: Final = "gatereeve.principal"
REGION_KEY: Final = "gatereeve.region"
"""Filter state, for choosing among routes only."""

BODY_NAMESPACE: Final = "gatereeve.body"

HEADERS_NAMESPACE: Final = "gatereeve.headers"
"""Headers that rules read, by name: all values of one, joined by commas."""

NOWHERE: Final = "gatereeve-nowhere"
"""A cluster that never exists: shares of the traffic without a valid backend."""

MODEL_CLUSTER: Final = "model/"
"""What names of clusters of models begin with; nothing else may."""

ROUTE_CONFIGURATIONS: Final = 2048
"""At most, per listener; see docs/decisions/0003-route-sharding.md and 0081."""

WILD: Final = "wild"


def attribute_filter(attribute: str, source: int) -> str:
    """The filter that reads one source of `region` or `purpose`; also its metadata namespace."""
    return f"gatereeve.{attribute}.{source}"


@lru_cache(maxsize=1 << 17)
def route_configuration_of(listener: str, host: str) -> str:
    """The route configuration of an exact host: always the same, independent of other hosts."""
    number = int.from_bytes(hashlib.sha256(host.encode()).digest()[:4]) % ROUTE_CONFIGURATIONS
    return f"{listener}/{number:03x}"


def wildcard_configuration_of(listener: str) -> str:
    """The route configuration of all wildcard hosts, and of hosts that no route names."""
    return f"{listener}/{WILD}"


def scope_key(listener: str, host: str) -> str:
    """The value of SCOPE_HEADER for a host; `*` for everything without a scope of its own."""
    return f"{listener}|{host}"
