"""Reading and compiling a folder once, for the commands that look at documents."""

from __future__ import annotations

from pathlib import Path

from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.runtime.folders import read_folder


def load(folder: Path) -> tuple[World, compiler.Compiled]:
    """The World of a folder and what it compiles to.

    Remote key sets are not retrieved: the network has no say in what a check finds.
    Raises SourceError when the folder cannot be read.
    """
    world = read_folder(folder)
    return world, compiler.compile(world)
