"""Where certificates and keys are kept between processes: a Protocol, and a directory.

In a cluster a bundle is a Secret (kubernetes.io/tls: `tls.crt`, `tls.key`, `ca.crt`). A directory
holds the same, laid out as a mounted Secret is: the files are links into `..data`, itself a link
that is swapped whole. So a reader never sees a certificate with another's key, and a gate cannot
tell the two apart.
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
    """Bundles by name. One writer at a time (the leader), any number of readers.

    `save` replaces a bundle whole: a reader sees the old or the new one, never parts of both. When
    it returns, later reads see it. All raise PublishError when the store cannot be used, and the
    store is then as it was, or as it was to be.
    """

    async def load(self) -> Mapping[str, Bundle]:
        """Everything that is kept."""
        ...

    async def save(self, name: str, bundle: Bundle) -> None: ...

    async def remove(self, name: str) -> None:
        """Also when there is none."""
        ...


class DirectoryStore:
    """Bundles as directories of one directory, private to this user. See the module."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def load(self) -> Mapping[str, Bundle]:
        found: dict[str, Bundle] = {}
        with _translated(self.directory):
            if not self.directory.exists():
                return found
            for entry in sorted(self.directory.iterdir()):
                if (entry / _DATA).exists():
                    found[entry.name] = read_bundle(entry)
        return found

    async def save(self, name: str, bundle: Bundle) -> None:
        with _translated(self.directory):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_bundle(self.directory / name, bundle)

    async def remove(self, name: str) -> None:
        with _translated(self.directory), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.directory / name)


def read_bundle(directory: Path) -> Bundle:
    """The bundle in a directory or mounted Secret, of one moment. Raises OSError."""
    # Through one link, followed once: what it leads to is never changed, only replaced.
    data = directory / _DATA
    at = data.resolve(strict=True) if data.is_symlink() else directory
    return Bundle(
        certificate=(at / CERTIFICATE).read_bytes(),
        key=(at / KEY).read_bytes(),
        trust=(at / TRUST).read_bytes(),
    )


def write_bundle(directory: Path, bundle: Bundle) -> None:
    """Replace the bundle in a directory, as a Secret's volume is replaced. Raises OSError."""
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
def _translated(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PublishError(
            f"certificates cannot be kept in {directory}: {error.strerror or error}",
            hint="what was issued stays in use until it expires",
        ) from error
