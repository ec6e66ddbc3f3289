"""What every benchmark is given, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """quick: short runs that prove the benchmark works and measure nothing worth keeping.

    work: a directory of the run's own. tools: what is kept between runs (the load tool, virtual
    environments). load: the load tool, None without Go.
    """

    quick: bool
    work: Path
    tools: Path
    load: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """names: what it measures, so that a failure can be told for each. run: yields figures."""

    name: str
    about: str
    names: tuple[str, ...]
    run: Callable[[Context], Iterator[Figure]]
