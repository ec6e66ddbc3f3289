"""What happens when something changes: a server dies, a document is edited, a document breaks."""

from __future__ import annotations

import time

from examples.lending import processes
from examples.lending.callers import Ask, Caller
from examples.lending.chapters import assistant
from examples.lending.stage import CHANGE_S, Stage


def lose_a_server(stage: Stage) -> None:
    stage.telling.chapter(
        "A server dies",
        """The server of v2 is killed, as a crash would. The Rollout names v1 as the fallback, so the
        beta group is served by v1 until v2 is back.""",
    )
    bruno = stage.office.person("bruno", "underwriters", "beta")
    stage.ask("Before", bruno, status=200, version="v2")
    stage.servers["credit-v2"].kill()
    moved, failed = _watch(stage, bruno, "v1")
    stage.telling.check(
        "v2 is killed, and Bruno asks again",
        expected=f"v1 answers, within {CHANGE_S:.0f} s",
        came=_moved(moved, "v1", failed),
        holds=moved is not None,
    )
    stage.servers["credit-v2"].start()
    back, failed = _watch(stage, bruno, "v2")
    stage.telling.check(
        "v2 is started again",
        expected="v2 answers again, and nobody is refused meanwhile",
        came=_moved(back, "v2", failed),
        holds=back is not None and failed == 0,
    )


def _watch(stage: Stage, caller: Caller, version: str) -> tuple[float | None, int]:
    """Seconds until `version` answers (None: not within CHANGE_S), and how many requests failed."""
    began, failed = time.monotonic(), 0
    while time.monotonic() - began < CHANGE_S:
        answer = stage.office.send(caller, Ask())
        failed += answer.status != 200
        if answer.version == version:
            return time.monotonic() - began, failed
        time.sleep(processes.POLL_S)
    return None, failed


def _moved(seconds: float | None, version: str, failed: int) -> str:
    if seconds is None:
        return f"not {version}; {failed} requests failed"
    return f"{version} after {seconds * 1000:.0f} ms; {failed} requests failed meanwhile"


def edit_a_document(stage: Stage) -> None:
    stage.telling.chapter(
        "A document is edited",
        """Underwriters may use the model from the EU. Somebody adds the USA to that line of
        `credit-access.yaml` and saves; the change is compiled, sent to Envoy and in force at once, and no
        other request notices.""",
    )
    traveller = stage.office.person("ursula", "underwriters", country="us")
    stage.ask("Ursula in the USA, before", traveller, status=403, code="no-allow-rule")
    with stage.edited("credit-access.yaml", "regions: [eu]", "regions: [eu, us]"):
        _live(stage, traveller, 200, "regions: [eu, us] is saved; Ursula in the USA is served")
    _live(stage, traveller, 403, "regions: [eu] again; she is refused again")


def _live(stage: Stage, caller: Caller, status: int, what: str) -> None:
    seconds = stage.wait_for(caller, Ask(), status=status)
    stage.telling.check(
        what,
        expected=f"{status}, within a second",
        came="not in time" if seconds is None else f"{status} after {seconds * 1000:.0f} ms",
        holds=seconds is not None and seconds < 1,
    )


def break_a_document(stage: Stage) -> None:
    stage.telling.chapter(
        "A document breaks",
        """Somebody mistypes a word in the assistant's policy: `alow` for `allow`. What it was meant to
        say is nobody's to guess. The document is reported, with file and line, its last good form stays
        in force, and nobody else's routes notice. (`check` knows no last good form: it tells what a gate
        that starts today would do, and that is to refuse.)""",
    )
    sven = stage.office.person("sven", "staff")
    chat = Ask(host=assistant.HOST, path=assistant.CHAT, body=assistant.BODY)
    with stage.edited("assistant-access.yaml", "  allow:", "  alow:"):
        seconds = _reported(stage)
        stage.telling.check(
            "The running gate reports it",
            expected="an error in `gatereeve status`",
            came="no" if seconds is None else f"after {seconds:.1f} s",
            holds=seconds is not None,
        )
        done = stage.show_command("check", str(stage.folder))
        stage.telling.check(
            "`gatereeve check` says where",
            expected="assistant-access.yaml with its line, unknown-field, exit code 1",
            came=f"exit code {done.returncode}",
            holds=done.returncode == 1
            and "assistant-access.yaml:9" in done.stdout
            and "unknown-field" in done.stdout,
        )
        stage.ask("The assistant answers as before", sven, chat, status=200)
        stage.ask(
            "A stranger is refused as before",
            Caller(name="nobody"),
            chat,
            status=401,
            code="credential-required",
        )
        ursula = stage.office.person("ursula", "underwriters")
        stage.ask("The credit model does not notice", ursula, status=200)
    stage.ask("The document is mended", sven, chat, status=200)


def _reported(stage: Stage) -> float | None:
    """Seconds until `gatereeve status` counts an error; None when it does not within CHANGE_S."""
    began = time.monotonic()
    while time.monotonic() - began < CHANGE_S:
        if stage.status().errors:
            return time.monotonic() - began
    return None


CHAPTERS = (lose_a_server, edit_a_document, break_a_document)
