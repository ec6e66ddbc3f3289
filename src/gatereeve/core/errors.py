"""The few exceptions of Gatereeve, for operators and programmers; users get findings.

    GatereeveError
    ├── SettingsError        a setting is missing or unusable          fix it; again does not help
    ├── SourceError          documents cannot be read                  again may help
    │   └── ApiError            the API server did not do what was asked: its `status` says why
    │       ├── ApiUnavailableError   no usable answer (also 429, 5xx)  again will help
    │       ├── ApiRefusedError       401 or 403                        grant the right
    │       ├── ApiMissingError       404: no such object or kind       create it, or wait
    │       ├── ApiConflictError      409: another writer was first      read again, then again
    │       └── ApiExpiredError       410: that version is forgotten    list again
    ├── PublishError         a configuration could not be handed out   again may help
    ├── ProxyError           the gate's process cannot do its work     see its log
    │   ├── ProxyMissingError   no usable Envoy on this machine        install it
    │   └── ProxyTimeoutError   the gate did not answer in time        again may help
    ├── RecordError          a record could not be stored              nothing more may be served strictly
    │   └── LedgerError         the ledger cannot go on: its `reason` says why
    │       ├── StorageError       a call on a file failed               open it again
    │       ├── ConflictError      another process writes there          end one of both
    │       └── TamperError        what is stored contradicts itself     verify, restore a copy
    └── RequestError         a request given to `explain` is unusable  fix the request

A library's errors are translated where they enter and chained. What a user wrote in a document is
never an exception.
"""

from __future__ import annotations


class GatereeveError(Exception):
    """Base of all. `hint` says what an operator should do; `retry` whether again can help."""

    retry = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SettingsError(GatereeveError):
    """A setting is missing or unusable."""


class SourceError(GatereeveError):
    """Documents cannot be read at all (a folder that does not exist, no permission)."""

    retry = True


class ApiError(SourceError):
    """The API server answered with an error, or not at all.

    status: of the HTTP answer, 0 when there was none. reason: its machine-readable word.
    retry_after_s: how long it asks to be left alone, if it says so.
    """

    retry = False

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int = 0,
        reason: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s


class ApiUnavailableError(ApiError):
    """No usable answer: no connection, no answer in time, 429, 5xx."""

    retry = True


class ApiRefusedError(ApiError):
    """401 or 403. Trying again helps once the right is granted."""

    retry = True


class ApiMissingError(ApiError):
    """404: there is no such object, or no such kind."""


class ApiConflictError(ApiError):
    """409: the object exists already, has changed meanwhile, or another manager owns the field."""


class ApiExpiredError(ApiError):
    """410: what was to be continued is forgotten; list again."""

    retry = True


class PublishError(GatereeveError):
    """A configuration could not be handed to a gate."""

    retry = True


class ProxyError(GatereeveError):
    """The gate's process cannot do its work."""


class ProxyMissingError(ProxyError):
    """No usable Envoy binary, or one below the version floor."""


class ProxyTimeoutError(ProxyError):
    """The gate did not become ready, or did not run a configuration, within its deadline."""

    retry = True


class RecordError(GatereeveError):
    """A record could not be stored."""


class LedgerError(RecordError):
    """The ledger cannot be opened or written. reason: a stable code, see `ledger/tlog/faults.toml`."""

    def __init__(self, message: str, *, hint: str = "", reason: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class StorageError(LedgerError):
    """A call on a file failed, so it is unknown what of the last batch is durable. Open the log again."""

    retry = True


class ConflictError(LedgerError):
    """Another process writes to the log, or a log is where a new one was to be created."""


class TamperError(LedgerError):
    """What is stored contradicts itself: files are missing, changed, or of different times."""


class RequestError(GatereeveError):
    """A request handed to `explain` cannot be understood."""
