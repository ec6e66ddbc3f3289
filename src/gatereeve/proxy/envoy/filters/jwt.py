"""Bearer tokens: verified once, payload into metadata under the provider's name.

An absent token passes, an invalid one is 401 here, also beside another credential. The header's form was
judged before (`authorization`); its JOSE header goes into metadata, where the stages look for `crit`. Governed routes ask for
the requirement by name; other routes verify nothing. Keys are inline and vetted; a provider without
usable keys stays, so that its tokens are refused and not ignored. Envoy rejects a key set without
any key, and with it the filter that verifies everybody else's tokens: such a provider gets a key
whose private half does not exist.
"""

from __future__ import annotations

import json
from typing import Final

from envoy.config.core.v3 import base_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2
from google.protobuf import any_pb2, empty_pb2

from gatereeve.ir.identity import JwtProvider
from gatereeve.proxy.envoy import identity_matchers, names, packing
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter

REQUIREMENT: Final = "any-provider"
_CACHED_TOKENS: Final = 2000

NOBODYS_KEYS: Final = json.dumps(
    {
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "alg": "ES256",
                "kid": "nobody",
                "x": "_6EFbzyq0wZE513n2dpFTfvjVXK8TuA1MSXcP7x3NGo",
                "y": "Qd1PS3Vey7JaIAeaP35LW9dv4ceRJ2FCIiYPNBrE2zw",
            }
        ]
    }
)
"""A public key made from a sentence, so that its private half is not known: x is the SHA-256 of
`gatereeve.dev: nobody holds this key 1` (the first number from 0 that gives a point), y the smaller."""


def build(context: FilterContext) -> tuple[HttpFilter, ...]:
    providers = context.gate.identity.jwt
    if not providers:
        return ()
    known = [config_pb2.JwtRequirement(provider_name=p.name) for p in providers]
    known.append(config_pb2.JwtRequirement(allow_missing=empty_pb2.Empty()))
    config = config_pb2.JwtAuthentication(
        providers={p.name: build_provider(p) for p in providers},
        strip_failure_response=True,
        requirement_map={
            REQUIREMENT: config_pb2.JwtRequirement(
                requires_any=config_pb2.JwtRequirementOrList(requirements=known)
            )
        },
    )
    return (HttpFilter(name=names.JWT, config=packing.pack(config), discovered=True),)


def build_provider(provider: JwtProvider) -> config_pb2.JwtProvider:
    return config_pb2.JwtProvider(
        issuer=provider.issuer,
        audiences=provider.audiences,
        require_expiration=True,
        clock_skew_seconds=provider.leeway_s,  # at least 1: Envoy reads 0 as its default of 60
        # The rules must see that a token was presented, or rights of two credentials would add up;
        # governed routes take the header off before the model sees it (`routes`).
        forward=True,
        # What stands before the space is `Bearer` in some case: `authorization` saw to it.
        from_headers=[config_pb2.JwtHeader(name="Authorization", value_prefix=" ")],
        payload_in_metadata=provider.name,
        header_in_metadata=identity_matchers.token_header(provider.name),
        jwt_cache_config=config_pb2.JwtCacheConfig(jwt_cache_size=_CACHED_TOKENS),
        local_jwks=base_pb2.DataSource(inline_string=_keys(provider)),
    )


def _keys(provider: JwtProvider) -> str:
    return provider.jwks if json.loads(provider.jwks)["keys"] else NOBODYS_KEYS


def required() -> any_pb2.Any:
    """For governed routes."""
    return packing.pack(config_pb2.PerRouteConfig(requirement_name=REQUIREMENT))


def not_required() -> any_pb2.Any:
    """For ordinary routes: the Authorization header is the application's."""
    return packing.pack(config_pb2.PerRouteConfig(disabled=True))
