"""Looking back: the record of every request, and why one of them was refused."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from examples.lending import processes
from examples.lending.stage import CHANGE_S, Stage
from gatereeve.core import records

REQUESTS = Path(__file__).parents[1] / "requests"


def read_the_record(stage: Stage) -> None:
    stage.telling.chapter(
        "The record",
        """The gate reports every request, served or refused: who, from where, for what, which rule
        decided, which version answered, under which policy. Never a credential, never a body. A rule that
        is being tried out (`mode: shadow`) refuses nobody, but the record says whom it would refuse.""",
    )
    partner = stage.office.partner("banco-sul", "127.0.2.20")
    answer = stage.ask(
        "A partner in the USA, where a shadow rule would say no", partner, status=200
    )
    record = record_of(stage, answer.record)
    caller = record.caller if record is not None else None
    stage.telling.check(
        "Its record, found by the id in the answer",
        expected="served; the shadow rule europe-only noted",
        came="no record"
        if record is None or caller is None
        else f"{record.outcome} {record.version} to {caller.provider}/{caller.id} from {record.region}, "
        f"by {record.rule}, shadow: {', '.join(record.shadow) or 'nothing'}",
        holds=record is not None
        and record.outcome == "served"
        and any("europe-only" in rule for rule in record.shadow),
    )
    done = stage.show_command("tail", "--state", str(stage.state), "-n", "12")
    stage.telling.check(
        "gatereeve tail",
        expected="the latest requests and changes",
        came=f"{len(done.stdout.splitlines())} lines",
        holds=done.returncode == 0 and bool(done.stdout.strip()),
    )
    _tell_losses(stage)


def _tell_losses(stage: Stage) -> None:
    counts = stage.status()
    stage.telling.check(
        "The gate counts its requests, so a lost record shows",
        expected="more than 200 requests, none lost",
        came=f"{counts.requests} requests, {counts.lost} lost",
        holds=counts.requests > 200 and counts.lost == 0,
    )


def record_of(stage: Stage, record_id: str | None) -> records.RequestRecord | None:
    """The record with this id; None when it does not come within CHANGE_S."""
    found: list[records.Record] = []

    def is_there() -> bool:
        lines = stage.command("tail", "--state", str(stage.state), "--json").stdout.splitlines()
        known = [records.decode(line.encode()) for line in lines]
        found[:] = [record for record in known if record.record_id == record_id]
        return bool(found)

    with contextlib.suppress(processes.NotReadyError):
        processes.wait_until(is_there, what="the record", timeout_s=CHANGE_S)
    first = next(iter(found), None)
    return first if isinstance(first, records.RequestRecord) else None


def explain_a_refusal(stage: Stage) -> None:
    stage.telling.chapter(
        "Why?",
        """The same documents answer questions without a gate: `explain` goes through one request step
        by step and names the document and line that decided each. The real Envoy and this explanation
        are tested to agree on every request.""",
    )
    request = os.path.relpath(REQUESTS / "underwriter-in-the-usa.yaml")
    done = stage.show_command("explain", str(stage.folder), request)
    stage.telling.check(
        "Why is Ursula refused in the USA?",
        expected="403 no-allow-rule: the rule for underwriters is for other regions",
        came="as above" if done.stdout else f"exit code {done.returncode}",
        holds="403 no-allow-rule" in done.stdout
        and "lending/credit/underwriters: region us is not one of" in done.stdout,
    )


CHAPTERS = (read_the_record, explain_a_refusal)


def leave(stage: Stage) -> None:
    """Not told with --keep."""
    stage.telling.chapter(
        "The end",
        """Ctrl-C lets open requests finish and stops control plane and Envoy. Here the story ends them
        as a service manager would, with SIGTERM.""",
    )
    code = stage.gate.stop()
    ports = (stage.ports.https, stage.ports.http)
    open_ports = [port for port in ports if processes.is_listening(port)]
    stage.telling.check(
        "The gate is stopped",
        expected="exit code 0, no port left open",
        came=f"exit code {code}, open: {open_ports or 'none'}",
        holds=code == 0 and not open_ports,
    )
