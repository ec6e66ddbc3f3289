"""Code of others accepts our logs: Go's sumdb/note and sumdb/tlog, and Tessera's fsck; and refuses changed ones.

The program is `tests/cluster/go/tlog`, built once from pinned Go modules.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gatereeve.ledger import log_key
from gatereeve.ledger.store import open_store
from gatereeve.ledger.tlog import recovery
from tests.cluster import tools
from tests.recording import StillClock, request
from tests.support import tlogs

LACKING = tools.missing("tlog-check")
pytestmark = pytest.mark.skipif(LACKING is not None, reason=str(LACKING))
VKEY = tlogs.SIGNER.verifier.vkey


def check(directory: Path, vkey: str, *older: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tools.path("tlog-check"), directory, vkey, *older],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """66,000 entries in batches that end everywhere; opened anew in between; and every checkpoint."""
    folder = tmp_path_factory.mktemp("tlog")
    signed = tlogs.make_log(folder / "log", (1, 2, 255, 256, 257, 511, 700, 65_536))
    writer = recovery.open_log(folder / "log", tlogs.SIGNER)
    signed.append(writer.append(tlogs.entries(65_536, 66_000)).checkpoint)
    writer.close()
    older = []
    for number, checkpoint in enumerate(signed):
        older.append(folder / f"checkpoint-{number}")
        older[-1].write_bytes(checkpoint)
    return folder / "log", older


def test_others_accept_a_log_and_its_past(log: tuple[Path, list[Path]]) -> None:
    directory, older = log
    done = check(directory, VKEY, *older)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("intact: 66000 entries")


def test_others_accept_the_log_of_the_store_of_records(tmp_path: Path) -> None:
    for start in range(0, 600, 200):
        store = open_store(tmp_path, StillClock())
        for number in range(start, start + 200):
            store.append([request(number)])
            if number % 7 == 0:
                store.commit()
        store.close()
    key = (tmp_path / log_key.VKEY).read_text().strip()
    done = check(tmp_path / log_key.LOG, key)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("intact: 600 entries")


@pytest.mark.parametrize("size", [1, 3, 256, 300])
def test_others_accept_small_logs(size: int, tmp_path: Path) -> None:
    tlogs.make_log(tmp_path / "log", (size,))
    done = check(tmp_path / "log", VKEY)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "path",
    ["checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/0/001.p/44", "tile/entries/001.p/44"],
)
def test_others_refuse_a_changed_byte(path: str, tmp_path: Path) -> None:
    tlogs.make_log(tmp_path / "log", (300,))
    data = bytearray((tmp_path / "log" / path).read_bytes())
    data[20] ^= 1
    (tmp_path / "log" / path).write_bytes(data)
    assert check(tmp_path / "log", VKEY).returncode == 1


def test_others_refuse_another_key_and_another_past(
    log: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    directory, _ = log
    assert check(directory, tlogs.WITNESS.verifier.vkey).returncode == 1
    writer = recovery.create_log(tmp_path / "fork", tlogs.SIGNER)
    fork = writer.append([b"forged"]).checkpoint
    writer.close()
    (tmp_path / "checkpoint").write_bytes(fork)
    shutil.rmtree(tmp_path / "fork")
    done = check(directory, VKEY, tmp_path / "checkpoint")
    assert (done.returncode, "checkpoint of 1" in done.stderr) == (1, True)
