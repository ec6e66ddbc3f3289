"""Types for callers: the principal and its claims. `callers` identifies them, `rules` applies rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

Method: TypeAlias = Literal["jwt", "apikey", "mtls"]

Claims: TypeAlias = Mapping[str, object]
"""The payload of a verified token, as JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated caller. issuer: `iss` of the token, None for other methods."""

    provider: str
    id: str
    method: Method
    issuer: str | None = None
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return `provider/id`, as in access rules."""
        return f"{self.provider}/{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumedIdentity:
    """An identity for `explain`, used instead of credentials."""

    provider: str
    id: str
    groups: tuple[str, ...] = ()
    claims: Claims = field(default_factory=lambda: MappingProxyType({}))
