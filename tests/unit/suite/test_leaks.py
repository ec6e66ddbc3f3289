"""A leak fails the test that made it, and nothing else does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT

BEGINNING = """
import asyncio, socket, subprocess, sys
import pytest, pytest_asyncio

async def connected(server):
    return await asyncio.open_connection(*server.sockets[0].getsockname())

class Cycle:
    def __init__(self, held):
        self.held, self.me = held, self

@pytest_asyncio.fixture
async def server():
    async def handle(reader, writer):
        await reader.read()
        writer.close()
    async with await asyncio.start_server(handle, "127.0.0.1", 0) as made:
        yield made
"""
LEAKS = {
    "transport": """
async def test_leaks(server):
    Cycle(await connected(server))
""",
    "transport that is held": """
HELD = []
async def test_leaks(server):
    HELD.append(await connected(server))
""",
    "socket": """
def test_leaks():
    Cycle(socket.socket())
""",
    "accepted socket": """
def test_leaks():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()):
            Cycle(listener.accept()[0])
""",
    "process": """
def test_leaks():
    Cycle(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.DEVNULL))
""",
    "process of asyncio": """
async def test_leaks():
    Cycle(await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; time.sleep(5)", stdout=subprocess.PIPE))
""",
}
CLEAN = """
@pytest.fixture(scope="module")
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(listener):
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    yield writer
    writer.close()
    await writer.wait_closed()

@pytest.mark.asyncio(loop_scope="module")
async def test_the_first_opens_what_the_module_shares(kept):
    Cycle(None)

@pytest.mark.asyncio(loop_scope="module")
async def test_the_second_uses_it(kept):
    assert not kept.is_closing()

async def test_what_is_closed_is_no_leak(server):
    _, writer = await connected(server)
    writer.close()
    await writer.wait_closed()

def test_a_process_that_ended_is_no_leak():
    Cycle(subprocess.run([sys.executable, "-c", ""], check=True))
"""
INNOCENT = """
def test_innocent():
    import gc
    gc.collect()
"""


def run(folder: Path, text: str) -> str:
    (folder / "test_it.py").write_text(BEGINNING + text)
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-p", "tests.support.leaks", "-p", "no:cacheprovider",
            "-c", ROOT / "pyproject.toml", "--rootdir", folder, "-v", folder / "test_it.py",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_fails_the_test_that_made_it(tmp_path: Path, leak: str) -> None:
    output = run(tmp_path, LEAKS[leak] + INNOCENT)
    assert "::test_leaks ERROR" in output, output
    assert "::test_innocent PASSED" in output, output
    assert "::test_innocent ERROR" not in output, output
    assert "test_it.py:" in output.partition("left open:")[2], "where it was made is named"


def test_what_is_closed_or_shared_is_no_leak(tmp_path: Path) -> None:
    output = run(tmp_path, CLEAN)
    assert "4 passed" in output, output
    assert "error" not in output, output
