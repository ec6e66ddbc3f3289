"""Looking back: the record of every request, and why one of them was refused."""

from __future__ import annotations

from examples.lending.stage import Stage


def read_the_record(stage: Stage) -> None:
    stage.telling.chapter(
        "The record",
        """The gate reports every request, served or refused: who, from where, for what, which rule
        decided, which version answered, under which policy. Never a credential, never a body. The rule that
        is being tried out (`mode: shadow`) has refused nobody, but the record says whom it would have.""",
    )
    done = stage.show_command("tail", "--state", str(stage.state), most=12)
    stage.telling.check(
        "gatereeve tail",
        expected="the requests of this walk",
        came=f"exit code {done.returncode}",
        holds=done.returncode == 0,
    )


CHAPTERS = (read_the_record,)
