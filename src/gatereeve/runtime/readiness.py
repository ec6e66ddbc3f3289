"""Whether a gate wants traffic: its Envoy runs a whole configuration, lives, and is not leaving.

Once it had a configuration it stays ready without controllers: it serves what it has. An Envoy that
began anew has nothing, and is not.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from gatereeve.core.errors import ProxyError
from gatereeve.proxy import activation
from gatereeve.proxy.admin import Admin

_FIRST_S: Final = 0.1
_THEN_S: Final = 1.0
_NOTHING: Final = "Envoy has no configuration yet; no controller gave it any"


class Readiness:
    """See the module. unready: why it wants no traffic, or ""."""

    def __init__(self, admin: Admin) -> None:
        self.is_leaving = False
        self._admin = admin
        self._configured = False
        self._lives = False

    @property
    def unready(self) -> str:
        if self.is_leaving:
            return "it is draining"
        if not self._configured:
            return _NOTHING
        return "" if self._lives else "Envoy does not answer"

    def leaving(self) -> None:
        """From now on clients are to go elsewhere."""
        self.is_leaving = True

    def began_anew(self) -> None:
        """Envoy's process ended."""
        self._configured = self._lives = False

    async def run(self) -> None:
        """Looks, often until there is a configuration, then now and then. Until cancelled."""
        while True:
            if not self._configured:
                with contextlib.suppress(ProxyError):
                    self._configured = await activation.is_configured(self._admin)
            self._lives = self._configured and await self._admin.is_ready()
            await asyncio.sleep(_THEN_S if self._lives else _FIRST_S)
