"""Certificates in a directory that another program writes: a mounted Secret or a bundle of `stores`.

They are read at each handshake, because a rotation can replace them at any time. If they cannot be read,
the last ones stay in use.
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


def make_tls(bundle: Bundle) -> MutualTls:
    """Return the bundle in the form of the xDS server."""
    return MutualTls(
        certificate_chain=bundle.certificate, private_key=bundle.key, client_authority=bundle.trust
    )


class MountedCertificates:
    """A directory with `tls.crt`, `tls.key` and `ca.crt`. Safe to use from any thread."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._last: Bundle | None = None

    def tls(self) -> MutualTls:
        """Return the current certificates. Raises SettingsError before there are any."""
        bundle = self._read()
        if bundle is None:
            raise SettingsError(f"there are no certificates in {self.directory}")
        return make_tls(bundle)

    async def wait_ready(self) -> None:
        """Return once the certificates exist."""
        while self._read() is None:  # noqa: ASYNC110  # a missing directory cannot be watched
            await asyncio.sleep(_LOOK_S)

    def expiries(self) -> Mapping[str, datetime]:
        """Return the expiry of the certificate; empty without one."""
        bundle = self._read()
        end = signing.read_expiry(bundle.certificate) if bundle else None
        return {} if end is None else {self.directory.name: end}

    def _read(self) -> Bundle | None:
        with self._lock:
            try:
                bundle = read_bundle(self.directory)
            except OSError:
                return self._last
            if signing.is_whole(bundle):
                self._last = bundle
            return self._last
