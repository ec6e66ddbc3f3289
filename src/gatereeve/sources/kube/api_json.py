"""The API server's JSON: pages, watch events, errors. Bytes in, small typed values or our errors out.

Objects stay bytes here (`msgspec.Raw`): who reads them is `objects`. Bounded in nothing by itself;
the client bounds what it hands over. Kubernetes API concepts, "Receiving resources" and "Watches".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import msgspec

from gatereeve.core import errors

T = TypeVar("T")

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
Object: TypeAlias = dict[str, Json]

_GONE = 410
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]', re.DOTALL)


class ObjectMeta(msgspec.Struct, frozen=True, gc=False):
    """As much of an object's metadata as a reflector needs."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _Head(msgspec.Struct, frozen=True, gc=False):
    metadata: ObjectMeta
    status: msgspec.Raw = msgspec.Raw(b"{}")


class _ListMeta(msgspec.Struct, frozen=True, gc=False):
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    continue_: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, frozen=True):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Details(msgspec.Struct, frozen=True):
    retry_after: int | None = msgspec.field(name="retryAfterSeconds", default=None)


class _Status(msgspec.Struct, frozen=True):
    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = None


class _BookmarkMeta(msgspec.Struct, frozen=True):
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    annotations: dict[str, str] | None = None


class _Bookmark(msgspec.Struct, frozen=True):
    metadata: _BookmarkMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object as it came. status: a part of raw."""

    meta: ObjectMeta
    raw: msgspec.Raw
    status: msgspec.Raw

    @property
    def key(self) -> tuple[str, str]:
        return (self.meta.namespace, self.meta.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list. continue_token: "" on the last one."""

    items: tuple[Item, ...]
    resource_version: str
    continue_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """type: ADDED, MODIFIED, DELETED, BOOKMARK. item: None for a bookmark.

    initial_end: the bookmark that ends the initial events of a streamed list.
    """

    type: str
    resource_version: str
    item: Item | None = None
    initial_end: bool = False


def page(data: bytes) -> Page:
    """One page of a list. Raises ApiError when it is none."""
    found = decode(data, _List)
    return Page(
        items=tuple(item(raw) for raw in found.items or ()),
        resource_version=found.metadata.resource_version,
        continue_token=found.metadata.continue_,
    )


def event(line: bytes) -> Event:
    """One line of a watch. Raises the error that an ERROR event reports, ApiError for no event."""
    found = decode(line, _Event)
    if found.type == "ERROR":
        raise error_of(_status(bytes(found.object)), 0, "the watch ended", None)
    if found.type == "BOOKMARK":
        meta = decode(found.object, _Bookmark).metadata
        ends = (meta.annotations or {}).get("k8s.io/initial-events-end") == "true"
        return Event(type=found.type, resource_version=meta.resource_version, initial_end=ends)
    if found.type not in ("ADDED", "MODIFIED", "DELETED"):
        raise _unreadable(f"a watch event of type {found.type[:40]!r}")
    one = item(found.object)
    return Event(type=found.type, resource_version=one.meta.resource_version, item=one)


def plain(data: bytes) -> Object:
    """An object as plain values. Raises ApiUnavailableError when it is none."""
    return decode(data, dict)


def error_of(status: _Status, code: int, what: str, retry_after_s: float | None) -> errors.ApiError:
    """The error of an answer. code: of HTTP, 0 when only the body says it. what: was asked."""
    code = code or status.code
    if retry_after_s is None and status.details is not None:
        retry_after_s = status.details.retry_after
    kind, hint = _kind(code)
    text = status.message or f"status {code}"
    return kind(
        f"{what}: {text[:500]}",
        hint=hint,
        status=code,
        reason=status.reason,
        retry_after_s=retry_after_s,
    )


def answer_error(data: bytes, code: int, what: str, retry_after: str | None) -> errors.ApiError:
    """The error of an HTTP answer whose status is not 2xx. retry_after: the header, if any."""
    seconds = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None  # fmt: skip
    return error_of(_status(data), code, what, seconds)


def _kind(code: int) -> tuple[type[errors.ApiError], str]:
    if code == _GONE:
        return errors.ApiExpiredError, "nothing to do; everything is listed again"
    if code == 401:
        return errors.ApiRefusedError, "the API server does not know our token or certificate"
    if code == 403:
        return errors.ApiRefusedError, "grant this right to the controller's service account"
    if code == 404:
        return errors.ApiMissingError, ""
    if code == 409:
        return errors.ApiConflictError, ""
    if code == 429 or code >= 500 or code == 0:
        return errors.ApiUnavailableError, "it is tried again"
    return errors.ApiError, ""


def _status(data: bytes) -> _Status:
    """A `Status` object, or what a proxy in between wrote instead."""
    try:
        return msgspec.json.decode(data, type=_Status)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Status()


def item(raw: msgspec.Raw) -> Item:
    """An object with as much of its metadata as a reflector needs. Raises ApiError for no object."""
    head = decode(raw, _Head)
    return Item(meta=head.metadata, raw=raw, status=head.status)


def decode(data: bytes | msgspec.Raw, shape: type[T]) -> T:
    """The JSON as `shape`. Raises ApiUnavailableError when it is none."""
    try:
        return msgspec.json.decode(data, type=shape)
    except RecursionError:
        return _decode_light(bytes(data), shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable(str(error)) from error


def _decode_light(data: bytes, shape: type[T]) -> T:
    """`managedFields` is the one part of an object that its author can nest as deep as JSON goes.

    One such object must not hide all others of its kind, so that part is cut out unread.
    """
    try:
        return msgspec.json.decode(without_managed_fields(data), type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(f"{type(error).__name__}: {error}") from error


def without_managed_fields(data: bytes) -> bytes:
    """`data` with every value of a key `managedFields` replaced by null."""
    kept: list[bytes] = []
    start = 0
    for begin, end in _managed_fields(data):
        kept += [data[start:begin], b"null"]
        start = end
    kept.append(data[start:])
    return b"".join(kept)


def _managed_fields(data: bytes) -> Iterator[tuple[int, int]]:
    """Where those values stand. A string is a key when a colon follows."""
    last = b""
    named = False
    depth = begin = 0
    for token in _TOKEN.finditer(data):
        text = token.group()
        if depth:
            depth += (text in b"{[") - (text in b"}]")
            if depth == 0:
                yield begin, token.end()
        elif named and text == b"[":
            depth, begin = 1, token.start()
        named = text == b":" and last == b'"managedFields"'
        last = text


def _unreadable(why: str) -> errors.ApiUnavailableError:
    return errors.ApiUnavailableError(
        f"the API server's answer cannot be read: {why[:300]}", hint="it is tried again"
    )
