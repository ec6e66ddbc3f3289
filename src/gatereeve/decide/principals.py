"""Who calls, as far as proved: the principal, and the claims that came with it.

Values only. How a request proves it stands in `callers`; what it may do, in `rules`.
"""

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
    """A caller with a proved name. issuer: the token's `iss`, None for the other methods."""

    provider: str
    id: str
    method: Method
    issuer: str | None = None
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`provider/id`, the way rules name it."""
        return f"{self.provider}/{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """An identity taken for granted, to ask what somebody could do without holding their token."""

    provider: str
    id: str
    groups: tuple[str, ...] = ()
    claims: Claims = field(default_factory=lambda: MappingProxyType({}))
