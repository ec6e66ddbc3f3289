"""The walk of `make demo`: real models, a real gate, real requests, and what is expected of each.

Sets the stage, goes through the chapters in order, and ends with a table; the exit code is 0 when
every expectation held, 1 when one did not, 3 when something could not be started. Everything it
starts it also stops. Writes below `build/demo` (or `--dir`) only.

    python -m examples.lending.story [--keep] [--https-port 8443]
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from examples.lending.chapters import assistant, changing, looking, proving, refusing, serving
from examples.lending.processes import NotReadyError
from examples.lending.stage import Stage, open_stage
from examples.lending.telling import Telling

CHAPTERS: tuple[Callable[[Stage], None], ...] = (
    *serving.CHAPTERS,
    *refusing.CHAPTERS,
    *assistant.CHAPTERS,
    *changing.CHAPTERS,
    *looking.CHAPTERS,
    *proving.CHAPTERS,
)


def main() -> int:
    """Returns the exit code."""
    given = _arguments()
    signal.signal(signal.SIGTERM, _as_interrupt)
    telling = Telling()
    try:
        with open_stage(telling, given.dir, given.https_port) as stage:
            for chapter in CHAPTERS:
                chapter(stage)
            if not given.keep:
                looking.leave(stage)
            well = telling.summary()
            if given.keep:
                _keep(stage)
    except NotReadyError as error:
        telling.say("The walk cannot go on.")
        telling.console.print(str(error), markup=False)
        return 3
    except KeyboardInterrupt:
        telling.say("Stopped. Everything that was started has ended.")
        return 130
    return 0 if well else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C")
    parser.add_argument("--https-port", type=int, help="the gate's port; default: a free one")
    parser.add_argument("--dir", type=Path, default=Path("build/demo"), help="where to write")
    return parser.parse_args()


def _keep(stage: Stage) -> None:
    """Say how to use what runs, and wait for Ctrl-C, which ends it well."""
    ursula = stage.office.person("ursula", "underwriters")
    host = "credit.lending.example"
    stage.telling.say(
        f"It keeps running until Ctrl-C. Documents: {stage.folder} (edit them). "
        f"Records: gatereeve tail --state {stage.state}. Try, with a token that is valid for an hour:"
    )
    token = ursula.headers["authorization"]
    stage.telling.console.print(
        f"curl --cacert {stage.office.credentials.ca_file} "
        f"--resolve {host}:{stage.ports.https}:127.0.0.1 \\\n  -H 'authorization: {token}' \\\n"
        f"  https://{host}:{stage.ports.https}/v2/models/credit",
        markup=False,
        soft_wrap=True,
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        stage.telling.say("Stopping.")


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM ends the walk as Ctrl-C does, so that nothing is left behind."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
