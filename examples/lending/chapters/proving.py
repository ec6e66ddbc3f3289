"""Proof: the log of records is complete and unchanged, and a changed copy is found out."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from examples.lending.chapters.looking import record_of
from examples.lending.stage import Stage

CHANGED = (b'"region":"us"', b'"region":"de"')
"""As long as each other, so that only the content of the record changes."""


def verify_the_log(stage: Stage) -> None:
    stage.telling.chapter(
        "The proof",
        """Records are entries of a transparency log (C2SP tlog-tiles), signed by a key of this gate. A copy of
        the log and the public key are all that an auditor needs, and no Gatereeve has to run. Then somebody
        changes one record of the copy: the partner of the chapter before last now called from Germany.""",
    )
    answer = stage.ask(
        "The partner in the USA, once more",
        stage.office.partner("banco-sul", "127.0.2.20"),
        status=200,
    )
    record = record_of(stage, answer.record)
    copy, key = stage.state.parent / "copy-of-the-log", stage.state / "log.vkey"
    if record is not None:
        _prove(stage, record.record_id, key)
    _copy(stage.state / "ledger", copy)
    done = stage.show_command("ledger", "verify", str(copy), "--key", str(key))
    stage.telling.check(
        "A copy of the log is verified with the public key alone",
        expected="intact, exit code 0",
        came=f"{done.stdout.partition(':')[0]}, exit code {done.returncode}",
        holds=done.returncode == 0 and done.stdout.startswith("intact: "),
    )
    index = _tamper(copy, (answer.record or "").encode())
    done = stage.show_command("ledger", "verify", str(copy), "--key", str(key))
    stage.telling.check(
        "One record of the copy was changed: the country of the partner",
        expected=f"entry {index} named, exit code 1",
        came=", ".join(
            [*re.findall(r"entry \d+", done.stdout)[:1], f"exit code {done.returncode}"]
        ),
        holds=done.returncode == 1 and f"entry-differs: entry {index} " in done.stdout,
    )


def _prove(stage: Stage, record_id: str, key: Path) -> None:
    receipt = stage.state.parent / "partner.tlog-proof"
    stage.show_command(
        "ledger", "prove", record_id, "-o", str(receipt), "--state", str(stage.state)
    )
    entry = str(receipt.with_suffix(".json"))
    done = stage.show_command("ledger", "verify", str(receipt), "--entry", entry, "--key", str(key))
    stage.telling.check(
        "A receipt proves that one record is in the log",
        expected="proved, exit code 0",
        came=f"{done.stdout.partition(':')[0]}, exit code {done.returncode}",
        holds=done.returncode == 0 and done.stdout.startswith("proved: "),
    )


def _copy(log: Path, copy: Path) -> None:
    """As an auditor does while records are written: the checkpoint first."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    shutil.copy(log / "checkpoint", copy)
    shutil.copytree(log / "tile", copy / "tile")


def _tamper(copy: Path, record_id: bytes) -> int | None:
    """Change the region of a record in the copy. Returns its index; None where it is not found."""
    bundles = [path for path in (copy / "tile" / "entries").rglob("*") if path.is_file()]
    for path in sorted(bundles, key=lambda found: found.stat().st_size, reverse=True):
        data = path.read_bytes()
        place = data.find(record_id)
        if place < 0:
            continue
        change = data.find(CHANGED[0], place)
        path.write_bytes(data[:change] + CHANGED[1] + data[change + len(CHANGED[1]) :])
        first = int(re.sub(r"\D", "", path.parent.name if ".p" in str(path) else path.name)) * 256
        return first + _entries_before(data, place)
    return None


def _entries_before(bundle: bytes, place: int) -> int:
    """How many entries of a bundle end before the byte `place`."""
    number = start = 0
    while (start := start + 2 + int.from_bytes(bundle[start : start + 2], "big")) <= place:
        number += 1
    return number


CHAPTERS = (verify_the_log,)
