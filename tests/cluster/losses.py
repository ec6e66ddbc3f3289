"""A steady load of requests that are allowed, refused and slow, and the report of what losses did to it.

Every answer is held against what its policy says: an allowed request that is not served failed, one that
must be refused and is served is unprotected. Nothing is asked twice, and nothing is left out.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from tests.cluster import waiting
from tests.cluster.governed import KEY, Installed
from tests.features import documents as docs

SERVED, REFUSED = 200, 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One way of asking. status: what its policy says. fresh: a connection for each request."""

    name: str
    status: int = SERVED
    key: str | None = KEY
    path: str = "/"
    fresh: bool = False
    pause_s: float = 0.02


CLIENTS = (
    *(Client(name=f"kept connection {number}", pause_s=0.01) for number in (1, 2, 3)),
    Client(name="new connections", fresh=True),
    Client(name="slow answers", path="/?delay=2s", pause_s=0.0),
    Client(name="slow answers, too", path="/?delay=3s", pause_s=0.0),
    Client(name="without a key", status=REFUSED, key=None),
    Client(name="wrong key, new connections", status=REFUSED, key="wrong-0123456789abcdef", fresh=True),
)  # fmt: skip
TIMEOUT_S = 30.0


class Load:
    """Clients that ask until the context ends. answers: by client and by status, or by the error."""

    def __init__(self, installed: Installed, clients: tuple[Client, ...] = CLIENTS) -> None:
        self.answers: Counter[tuple[str, int | str]] = Counter()
        self.clients = clients
        self._installed = installed
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in clients]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.more()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def more(self, rounds: int = 2) -> None:
        """Until every client has had so many more answers of any kind."""
        before = self.each()
        waiting.until(
            lambda: all(self.each()[name] >= number + rounds for name, number in before.items()),
            "every client has more answers",
            seen=lambda: dict(self.answers),
        )

    def each(self) -> Mapping[str, int]:
        with self._lock:
            return {
                one.name: sum(n for (name, _), n in self.answers.items() if name == one.name)
                for one in self.clients
            }

    def now(self) -> Counter[tuple[str, int | str]]:
        with self._lock:
            return Counter(self.answers)

    def _note(self, client: Client, answer: int | str) -> None:
        with self._lock:
            self.answers[client.name, answer] += 1

    def _run(self, client: Client) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._stop.is_set():
            try:
                if connection is None:
                    connection = self._installed.connect(timeout=TIMEOUT_S)
                headers = {"host": docs.HOST} | ({"x-api-key": client.key} if client.key else {})
                connection.request("POST", client.path, b"{}", headers)
                answer = connection.getresponse()
                answer.read()
                self._note(client, answer.status)
                if client.fresh or answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self._note(client, f"{type(error).__name__}: {error}")
                if connection is not None:
                    connection.close()
                connection = None
            self._stop.wait(client.pause_s)
        if connection is not None:
            connection.close()


@dataclass(slots=True, kw_only=True)
class Step:
    """What was done, and what came of the load meanwhile. allowed: failures that the bar admits."""

    name: str
    did: str
    allowed: int = 0
    seconds: float = 0.0
    requests: int = 0
    answers: dict[str, dict[str, int]] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    unprotected: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        return sum(self.failed.values()) <= self.allowed and not self.unprotected

    def as_object(self) -> dict[str, object]:
        return {
            "name": self.name, "did": self.did, "seconds": round(self.seconds, 1),
            "requests": self.requests, "answers": self.answers, "failed": self.failed,
            "failedAllowed": self.allowed, "unprotected": self.unprotected, "held": self.held,
            **({"notes": self.notes} if self.notes else {}),
        }  # fmt: skip


class Report:
    """The steps of one run, on disk after each: a run that ends early has told what it saw."""

    def __init__(self, path: Path, load: Load, environment: Mapping[str, object]) -> None:
        self.steps: list[Step] = []
        self._path = path
        self._load = load
        self._environment = {
            **environment, "cores": os.cpu_count(), "at": datetime.now(UTC).isoformat("T", "seconds"),
        }  # fmt: skip

    @contextlib.contextmanager
    def step(self, name: str, did: str, *, allowed: int = 0) -> Iterator[Step]:
        """Requests that are answered from the beginning to the end, and one more round after it."""
        made = Step(name=name, did=did, allowed=allowed)
        before, began = self._load.now(), time.monotonic()
        yield made
        self._load.more()
        made.seconds = time.monotonic() - began
        self._count(made, self._load.now() - before)
        self.steps.append(made)
        self.write()
        print(f"{name}: {made.seconds:.0f} s, {made.requests} requests, failed {made.failed or 0},"
              f" unprotected {made.unprotected}", flush=True)  # fmt: skip

    def _count(self, step: Step, answers: Counter[tuple[str, int | str]]) -> None:
        meant = {client.name: client.status for client in self._load.clients}
        for (client, answer), number in sorted(answers.items(), key=str):
            step.requests += number
            step.answers.setdefault(client, {})[str(answer)] = number
            if answer == meant[client]:
                continue
            if meant[client] == REFUSED and answer == SERVED:
                step.unprotected += number
            else:
                told = f"{client}: {answer}"
                step.failed[told] = step.failed.get(told, 0) + number

    def write(self) -> None:
        self._path.parent.mkdir(exist_ok=True)
        document = {
            "environment": self._environment,
            "requests": sum(step.requests for step in self.steps),
            "failed": sum(sum(step.failed.values()) for step in self.steps),
            "unprotected": sum(step.unprotected for step in self.steps),
            "held": all(step.held for step in self.steps),
            "steps": [step.as_object() for step in self.steps],
        }
        self._path.write_text(json.dumps(document, indent=2) + "\n")
