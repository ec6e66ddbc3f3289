"""Certificates that somebody else keeps in a directory: a mounted Secret, or a bundle of `key_store`.

Read anew at each handshake, because a rotation swaps them at any time. What cannot be read for a
moment changes nothing: the last that could stay in use.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from gatereeve.core.errors import SettingsError
from gatereeve.pki import signing
from gatereeve.pki.certificate_plan import Bundle
from gatereeve.pki.stores import read_bundle
from gatereeve.proxy.xds.server import MutualTls

_LOOK_S: Final = 0.5


class MountedCertificates:
    """One directory with `tls.crt`, `tls.key` and `ca.crt`. May be asked from any thread."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._last: Bundle | None = None

    def tls(self) -> MutualTls:
        """Certificate, key and whom to trust, now. Raises SettingsError before there were any."""
        bundle = self._read()
        if bundle is None:
            raise SettingsError(f"there are no certificates in {self.directory}")
        return MutualTls(
            certificate_chain=bundle.certificate,
            private_key=bundle.key,
            client_authority=bundle.trust,
        )

    async def wait_ready(self) -> None:
        """Return once there are certificates."""
        while self._read() is None:  # noqa: ASYNC110  # a directory that is not there cannot tell us
            await asyncio.sleep(_LOOK_S)

    def expiries(self) -> Mapping[str, datetime]:
        """When our certificate ends; empty while there is none."""
        bundle = self._read()
        end = signing.expiry_of(bundle.certificate) if bundle else None
        return {} if end is None else {self.directory.name: end}

    def _read(self) -> Bundle | None:
        with self._lock:
            try:
                found = read_bundle(self.directory)
            except OSError:
                return self._last
            if signing.is_whole(found):
                self._last = found
            return self._last
