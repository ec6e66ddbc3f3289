"""A filter in its place in the chain, however it is delivered. Not a filter itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envoy.config.core.v3 import config_source_pb2, extension_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)
from google.protobuf import any_pb2

from gatereeve.ir.gates import Gate
from gatereeve.proxy.envoy import packing
from gatereeve.proxy.envoy.identity_matchers import IdentityMatchers


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterContext:
    """What filters are built from. listener: the one whose chain it is."""

    gate: Gate
    matchers: IdentityMatchers
    listener: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFilter:
    """One filter. config: its message as `Any`.

    discovered: delivered by ECDS, because it changes (keys, tables) while connections live on.
    """

    name: str
    config: any_pb2.Any
    discovered: bool = False

    def in_chain(self) -> hcm_pb2.HttpFilter:
        """The `HttpFilter`."""
        if not self.discovered:
            return hcm_pb2.HttpFilter(name=self.name, typed_config=self.config)
        return hcm_pb2.HttpFilter(
            name=self.name,
            config_discovery=config_source_pb2.ExtensionConfigSource(
                config_source=packing.over_ads(),
                type_urls=[self.config.type_url.rpartition("/")[2]],
            ),
        )

    def as_resource(self) -> extension_pb2.TypedExtensionConfig:
        """The `TypedExtensionConfig` of a discovered filter."""
        return extension_pb2.TypedExtensionConfig(name=self.name, typed_config=self.config)


def enabled(config: Any) -> any_pb2.Any:
    """Per-route configuration that enables a filter which a level above disabled. config: as `Any`."""
    return packing.pack(route_components_pb2.FilterConfig(config=config))


def disabled() -> any_pb2.Any:
    """Per-route configuration that skips a filter."""
    return packing.pack(route_components_pb2.FilterConfig(disabled=True))
