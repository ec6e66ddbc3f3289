"""The store of certificates and keys: a Protocol, and its implementation by a directory.

A directory has the layout of a mounted Secret of type kubernetes.io/tls: `tls.crt`, `tls.key` and `ca.crt` are
links into `..data`, which is a link that is replaced atomically. A reader never sees a certificate with the
key of another.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

from gatereeve.core.errors import PublishError
from gatereeve.pki.certificate_plan import Bundle

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
TRUST: Final = "ca.crt"
_DATA: Final = "..data"


class KeyStore(Protocol):
    """Bundles by name, with one writer (the leader) and any number of readers.

    `save` replaces a bundle atomically, and later reads see it. Methods raise PublishError if the store
    cannot be used; the write then has happened completely or not at all.
    """

    async def load(self) -> Mapping[str, Bundle]:
        """Return all bundles."""
        ...

    async def save(self, name: str, bundle: Bundle) -> None: ...

    async def remove(self, name: str) -> None:
        """Delete a bundle if it exists."""
        ...


class DirectoryStore:
    """Bundles as subdirectories of one directory that only this user may read. See the module."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def load(self) -> Mapping[str, Bundle]:
        bundles: dict[str, Bundle] = {}
        with _translate_errors(self.directory):
            if not self.directory.exists():
                return bundles
            for entry in sorted(self.directory.iterdir()):
                if (entry / _DATA).exists():
                    bundles[entry.name] = read_bundle(entry)
        return bundles

    async def save(self, name: str, bundle: Bundle) -> None:
        with _translate_errors(self.directory):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_bundle(self.directory / name, bundle)

    async def remove(self, name: str) -> None:
        with _translate_errors(self.directory), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.directory / name)


def read_bundle(directory: Path) -> Bundle:
    """Return the bundle in a directory or mounted Secret. Raises OSError."""
    # The link is resolved once: its target is replaced, but never changed.
    data = directory / _DATA
    folder = data.resolve(strict=True) if data.is_symlink() else directory
    return Bundle(
        certificate=(folder / CERTIFICATE).read_bytes(),
        key=(folder / KEY).read_bytes(),
        trust=(folder / TRUST).read_bytes(),
    )


def write_bundle(directory: Path, bundle: Bundle) -> None:
    """Replace the bundle in a directory, as Kubernetes updates a mounted Secret. Raises OSError."""
    directory.mkdir(mode=0o700, exist_ok=True)
    fresh = directory / f"..{uuid.uuid4().hex}"
    fresh.mkdir(mode=0o700)
    texts = {CERTIFICATE: bundle.certificate, KEY: bundle.key, TRUST: bundle.trust}
    for name, text in texts.items():
        descriptor = os.open(fresh / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    link = directory / "..data.new"
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    link.replace(directory / _DATA)
    for name in texts:
        with contextlib.suppress(FileExistsError):
            (directory / name).symlink_to(f"{_DATA}/{name}")
    for old in directory.glob("..*"):
        if old.is_dir() and not old.is_symlink() and old != fresh:
            shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _translate_errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PublishError(
            f"certificates cannot be stored in {directory}: {error.strerror or error}",
            hint="issued certificates stay in use until they expire",
        ) from error
