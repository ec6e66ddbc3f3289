"""Reading a folder once, without watching it and without the network."""

from __future__ import annotations

from pathlib import Path

from gatereeve.api.world import World
from gatereeve.core.errors import SourceError
from gatereeve.runtime.supervise import SystemClock
from gatereeve.sources.files import FolderSource


def read_folder(folder: Path) -> World:
    """The World of `folder` now. Raises SourceError when there is no such folder."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder", hint="name the folder with the documents")
    return FolderSource(folder, SystemClock()).read()
