"""The few exceptions of Gatereeve, for operators and programmers; users get findings.

    GatereeveError
    ├── SettingsError        a setting is missing or unusable          fix it; again does not help
    ├── SourceError          documents cannot be read                  again may help
    ├── PublishError         a configuration could not be handed out   again may help
    ├── ProxyError           the gate's process cannot do its work     see its log
    │   ├── ProxyMissingError   no usable Envoy on this machine        install it
    │   └── ProxyTimeoutError   the gate did not answer in time        again may help
    ├── RecordError          a record could not be stored              nothing more may be served strictly
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


class RequestError(GatereeveError):
    """A request handed to `explain` cannot be understood."""
