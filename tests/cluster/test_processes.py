"""Programs of the harness: seen to die, ended for sure, never mistaken for another with the same id."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path

import pytest

from tests.cluster import processes, waiting


def test_a_program_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    made = processes.start("sh", ["sh", "-c", "echo no such thing; exit 3"], log=tmp_path / "log")
    waiting.until(lambda: not made.is_alive(), "it ends")

    with pytest.raises(processes.DiedError, match="no such thing"):
        made.require()


def test_one_that_was_gone_at_once_is_dead(tmp_path: Path) -> None:
    made = processes.start("true", ["true"], log=tmp_path / "log")

    assert not dataclasses.replace(made, born=0).is_alive()


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = "trap '' TERM; echo ready; exec sleep 60"
    made = processes.start("sh", ["sh", "-c", deaf], log=tmp_path / "log")
    waiting.until(lambda: "ready" in made.tail(), "it is deaf")

    made.stop(grace_s=0.2)

    assert not made.is_alive()


def test_an_id_that_somebody_else_has_now_is_left_alone(tmp_path: Path) -> None:
    this = processes.Program(name="old", pid=os.getpid(), born=1, log=tmp_path / "log")
    this.save(tmp_path / "old.json")
    found = processes.load(tmp_path / "old.json")

    assert found is not None
    assert not found.is_alive()
    found.signal(signal.SIGKILL)
    assert dataclasses.replace(found, born=1) == this
