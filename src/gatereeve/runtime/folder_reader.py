"""A folder of documents: whether it can be read, and reading it once, without the network."""

from __future__ import annotations

import os
from pathlib import Path

from gatereeve.api.world import World
from gatereeve.core.errors import SourceError
from gatereeve.runtime.supervise import SystemClock
from gatereeve.sources.folder.folder_source import FolderSource


def read_folder(folder: Path) -> World:
    """The World of `folder` now. Raises SourceError when there is no such folder."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder", hint="name the folder with the documents")
    return FolderSource(folder, SystemClock()).read()


def check_readable(folder: Path) -> None:
    """Raises SourceError when the folder is not there or may not be read."""
    try:
        with os.scandir(folder):
            pass
    except OSError as error:
        raise SourceError(
            f"{folder} cannot be read: {error.strerror}",
            hint="name the folder with the documents",
        ) from error
