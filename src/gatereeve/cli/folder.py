"""Reading and compiling a folder once, for the commands that look at documents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.runtime.folder_reader import read_folder
from gatereeve.runtime.governed_addresses import FileStore
from gatereeve.runtime.settings import state_paths


def load(folder: Path) -> tuple[World, compiler.Compiled]:
    """The World of a folder and what it compiles to.

    Remote key sets are not retrieved: the result of a check does not depend on the network. The
    Services and servers of models before are read where `up` keeps them, in the state directory of
    the environment.
    Raises SourceError when the folder cannot be read, SettingsError when that memory cannot.
    """
    memory = FileStore(state_paths(None).governed, used=False).read()
    world = replace(read_folder(folder), memory=memory)
    compiled, memory = compiler.Compiler().compile_remembering(world)
    return replace(world, memory=memory), compiled
