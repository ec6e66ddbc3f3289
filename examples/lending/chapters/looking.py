"""Looking back: the record of every request, and why one of them was refused."""

from __future__ import annotations

from pathlib import Path

from examples.lending import processes
from examples.lending.stage import CHANGE_S, Stage

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
    record = _record(stage, answer.record)
    stage.telling.check(
        "Its record, by the id in its answer",
        expected="served, and europe-only in `shadow`",
        came=record or f"no record {answer.record}",
        holds='"served"' in record and "europe-only" in record,
    )
    done = stage.show_command("tail", "--state", str(stage.state), "-n", "12")
    stage.telling.check(
        "gatereeve tail",
        expected="the latest requests and changes",
        came=f"{len(done.stdout.splitlines())} lines",
        holds=done.returncode == 0 and bool(done.stdout.strip()),
    )


def _record(stage: Stage, record: str | None) -> str:
    """The line of JSON with this record id; "" when it does not come within CHANGE_S."""
    found: list[str] = []

    def is_there() -> bool:
        told = stage.command("tail", "--state", str(stage.state), "--json").stdout
        found.extend(line for line in told.splitlines() if record and record in line)
        return bool(found)

    try:
        processes.wait_until(is_there, what="the record", timeout_s=CHANGE_S)
    except processes.NotReadyError:
        return ""
    return found[0]


def explain_a_refusal(stage: Stage) -> None:
    stage.telling.chapter(
        "Why?",
        """The same documents answer questions without a gate: `explain` goes through one request step
        by step and names the document and line that decided each. The real Envoy and this explanation
        are tested to agree on every request.""",
    )
    request = REQUESTS / "underwriter-in-the-usa.yaml"
    done = stage.show_command("explain", str(stage.folder), str(request))
    stage.telling.check(
        "Why is Ursula refused in the USA?",
        expected="403 no-allow-rule: the rule for underwriters is for other regions",
        came="as above" if done.stdout else f"exit code {done.returncode}",
        holds="403 no-allow-rule" in done.stdout
        and "lending/credit/underwriters: region us is not one of" in done.stdout,
    )


CHAPTERS = (read_the_record, explain_a_refusal)
