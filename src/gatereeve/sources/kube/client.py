"""The only door to the API server: lists, watches, reads and writes, each bounded in time and size.

Speaks HTTP through the client that `connection` keeps. Every failure leaves as an `ApiError`
(`core.errors`) that says whether again can help; nothing of httpx2 or lightkube gets out. Retries
nothing: who asks decides. Kubernetes API concepts; server-side apply is KEP-555.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import httpx2
import msgspec
from lightkube.core.exceptions import ConfigError

from gatereeve.api import registry
from gatereeve.api.people import is_anonymous
from gatereeve.core import errors
from gatereeve.sources.kube import api_json, resources
from gatereeve.sources.kube.access import Access
from gatereeve.sources.kube.api_json import Json, Object
from gatereeve.sources.kube.connection import Connection
from gatereeve.sources.kube.resources import ApiResource

__all__ = [
    "FIELD_MANAGER",
    "ApiClient",
    "ClientLimits",
    "Json",
    "ListScope",
    "Object",
    "PageTooLargeError",
    "decode",
    "decode_as",
]

FIELD_MANAGER = "gatereeve"

T = TypeVar("T")
Body: TypeAlias = Object | msgspec.Struct
"""What is written: plain values, or a type of `typed_objects`."""

MAX_PAGE_BYTES = 64 * 1024 * 1024
"""Of one page of a list. A page beyond it is asked for again with fewer objects."""
MAX_LINE_BYTES = 16 * 1024 * 1024
"""Of one watch event; an object has 1.5 MB at most, and its managedFields."""
_MAX_ERROR_BYTES = 64 * 1024

_METADATA_ONLY = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1,application/json"


class PageTooLargeError(errors.ApiError):
    """A page of more than MAX_PAGE_BYTES; ask for fewer objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """request_s: one read or write. page_s: one page of a list. inactivity_s: between two bytes of a
    watch, above the minute between bookmarks."""

    request_s: float = 15.0
    page_s: float = 60.0
    inactivity_s: float = 75.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListScope:
    """What a list or watch covers. namespace: "" for all. metadata_only: objects without content."""

    resource: ApiResource
    namespace: str = ""
    metadata_only: bool = False

    def __str__(self) -> str:
        return f"{self.resource} of {self.namespace}" if self.namespace else str(self.resource)


class ApiClient:
    """Talks to one API server. Used from one event loop; any number of calls at a time."""

    def __init__(self, access: Access, *, limits: ClientLimits | None = None) -> None:
        """Raises SettingsError when the configuration cannot be used."""
        self._connection = Connection(access)
        self._limits = ClientLimits() if limits is None else limits

    @property
    def server(self) -> str:
        return self._connection.server

    async def aclose(self) -> None:
        await self._connection.aclose()

    async def page(
        self, scope: ListScope, *, limit: int, continue_token: str = ""
    ) -> api_json.Page:
        """One page of a list; a list from the start is consistent with all writes before it.

        limit: objects on the page, 0 for all there are. Raises PageTooLargeError, and
        ApiExpiredError when `continue_token` is forgotten.
        """
        params = {"limit": str(limit)} if limit else {}
        if continue_token:
            params["continue"] = continue_token
        body = await self._read(
            "GET", scope.resource.path(scope.namespace), f"list {scope}",
            params=params, accept=_accept(scope, "List"), within_s=self._limits.page_s,
        )  # fmt: skip
        return api_json.page(body)

    @asynccontextmanager
    async def watch(
        self, scope: ListScope, *, version: str, timeout_s: int, initial: bool = False
    ) -> AsyncIterator[AsyncIterator[list[api_json.Event]]]:
        """What happens after `version`, as lists of events that came together.

        timeout_s: after which the server ends the stream, which is no error. initial: begin with
        all objects there are, up to a bookmark with `initial_end` (KEP-3157); version is then "".
        Raises ApiExpiredError for a forgotten version, ApiUnavailableError when the stream breaks
        or no byte comes for `inactivity_s`.
        """
        params = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(timeout_s)}
        if initial:
            params |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        if version:
            params["resourceVersion"] = version
        what = f"watch {scope}"
        async with self._connection.http() as http:
            request = http.build_request(
                "GET",
                scope.resource.path(scope.namespace),
                params=params,
                headers={"accept": _accept(scope, "")},
                timeout=httpx2.Timeout(
                    self._limits.inactivity_s, connect=self._limits.request_s, pool=None
                ),
            )
            with _translated(what):
                async with asyncio.timeout(self._limits.inactivity_s):
                    response = await http.send(request, stream=True)
            try:
                if response.status_code != httpx2.codes.OK:
                    with _translated(what):
                        raise await _answer_error(response, what)
                async with contextlib.aclosing(_events(response, what)) as events:
                    yield events
            finally:
                with contextlib.suppress(httpx2.HTTPError, OSError):
                    await response.aclose()

    async def get(self, resource: ApiResource, namespace: str, name: str) -> bytes:
        """One object as it is now, as JSON. Raises ApiMissingError when there is none."""
        return await self._read(
            "GET", resource.path(namespace, name), _what("get", resource, namespace, name)
        )

    async def document(self, path: str) -> bytes:
        """What stands at a path that is no resource's: /version, what a group serves."""
        return await self._read("GET", path, f"get {path}")

    async def create(self, resource: ApiResource, namespace: str, body: Body) -> Object:
        """A new object. Raises ApiConflictError when one of that name is there."""
        return await self._write(
            "POST", resource.path(namespace), _what("create", resource, namespace, ""), body
        )

    async def update(self, resource: ApiResource, namespace: str, name: str, body: Body) -> Object:
        """The object as a whole. Raises ApiConflictError when its resourceVersion is not current."""
        return await self._write(
            "PUT",
            resource.path(namespace, name),
            _what("update", resource, namespace, name),
            body,
        )

    async def apply(
        self, resource: ApiResource, namespace: str, name: str, body: Body, *, sub: str = ""
    ) -> Object:
        """Server-side apply: what we say of the object becomes so and is ours (`FIELD_MANAGER`).

        sub: `status`, or "" for the object itself, which is made when it is not there. With
        `metadata.uid` in the body an object of another uid is left alone: ApiError with status 422,
        ApiConflictError when there is none. A status is written without a look at the uid.
        """
        return await self._write(
            "PATCH",
            resource.path(namespace, name, sub),
            _what("apply", resource, namespace, name),
            body,
            content_type="application/apply-patch+yaml",
            params={"fieldManager": FIELD_MANAGER, "force": "true"},
        )

    async def merge(
        self, resource: ApiResource, namespace: str, name: str, body: Body, *, sub: str = ""
    ) -> Object:
        """A JSON merge patch (RFC 7396). With `metadata.resourceVersion` in it, ApiConflictError
        when the object has changed meanwhile."""
        return await self._write(
            "PATCH",
            resource.path(namespace, name, sub),
            _what("patch", resource, namespace, name),
            body,
            content_type="application/merge-patch+json",
        )

    async def delete(
        self, resource: ApiResource, namespace: str, name: str, *, uid: str = ""
    ) -> None:
        """The object goes. uid: ApiConflictError when it is another one by now."""
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid:
            body["preconditions"] = {"uid": uid}
        await self._write(
            "DELETE",
            resource.path(namespace, name),
            _what("delete", resource, namespace, name),
            body,
        )

    async def is_allowed(
        self,
        verb: str,
        resource: ApiResource,
        *,
        namespace: str = "",
        name: str = "",
        sub: str = "",
    ) -> bool:
        """Whether we may do that. namespace: "" asks about all of them."""
        attributes: Object = {
            "verb": verb, "group": resource.group, "resource": resource.plural,
            "namespace": namespace, "name": name, "subresource": sub,
        }  # fmt: skip
        reviews = resources.ACCESS_REVIEWS
        body: Object = {
            "apiVersion": reviews.api_version, "kind": reviews.kind,
            "spec": {"resourceAttributes": attributes},
        }  # fmt: skip
        answer = await self.create(reviews, "", body)
        status = answer.get("status")
        return isinstance(status, dict) and status.get("allowed") is True

    async def username(self) -> str:
        """Who we are, as the API server authenticated us. Raises ApiError."""
        me = resources.SELF
        answer = await self.create(me, "", {"apiVersion": me.api_version, "kind": me.kind})
        status = answer.get("status")
        user = status.get("userInfo") if isinstance(status, dict) else None
        name = user.get("username") if isinstance(user, dict) else None
        if not isinstance(name, str) or not name:
            raise errors.ApiError("the API server does not say who we are")
        if is_anonymous(name):
            raise errors.ApiError(
                f"the API server does not know who we are (it says {name}); log in"
            )
        return name

    async def find(self, kind: registry.Kind) -> ApiResource | None:
        """The resource of a document kind as this server serves it; None when it surely has none.

        Asks for the CustomResourceDefinition itself, because a server that is just starting answers
        404 for kinds that it does have. Raises ApiError when that cannot be determined.
        """
        if resources.is_built_in(kind):
            return resources.of_kind(kind)
        name = f"{kind.plural}.{kind.group}"
        try:
            body = await self.get(resources.DEFINITIONS, "", name)
        except errors.ApiMissingError:
            return None
        served = _served(body)
        version = next((v for v in kind.versions if v in served), "")
        return resources.of_kind(kind, version) if version else None

    async def _read(
        self,
        method: str,
        path: str,
        what: str,
        *,
        params: Mapping[str, str] | None = None,
        accept: str = "application/json",
        content: bytes | None = None,
        content_type: str = "",
        within_s: float | None = None,
    ) -> bytes:
        """The body of a good answer."""
        headers = {"accept": accept}
        if content is not None:
            headers["content-type"] = content_type
        with _translated(what):
            async with (
                asyncio.timeout(within_s or self._limits.request_s),
                self._connection.http() as http,
            ):
                request = http.build_request(
                    method, path, params=params, headers=headers, content=content
                )
                response = await http.send(request, stream=True)
                try:
                    if not response.is_success:
                        raise await _answer_error(response, what)
                    body = await _bounded(response, MAX_PAGE_BYTES)
                finally:
                    await response.aclose()
        if body is None:
            raise PageTooLargeError(f"{what}: more than {MAX_PAGE_BYTES // 2**20} MiB")
        return body

    async def _write(
        self,
        method: str,
        path: str,
        what: str,
        body: Body,
        *,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> Object:
        answer = await self._read(
            method, path, what,
            params=params, content=msgspec.json.encode(body), content_type=content_type,
        )  # fmt: skip
        return decode(answer, what)


def decode(body: bytes, what: str) -> Object:
    """A JSON object, maybe without its managedFields. Raises ApiUnavailableError when it is none."""
    return decode_as(body, what, dict)


def decode_as(body: bytes, what: str, shape: type[T]) -> T:
    """An object as a type of `typed_objects`; otherwise as `decode`."""
    try:
        return api_json.decode(body, shape)
    except errors.ApiUnavailableError as error:
        raise errors.ApiUnavailableError(f"{what}: {error}", hint=error.hint) from error


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """What the transport raises, as one of our errors."""
    try:
        yield
    except (TimeoutError, httpx2.TimeoutException) as error:
        raise _unavailable(what, "no answer in time") from error
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
        raise _unavailable(what, str(error) or type(error).__name__) from error
    except (ConfigError, OSError, ssl.SSLError, KeyError, ValueError) as error:
        # The program that a kubeconfig names for credentials does not run or says nonsense.
        raise _unavailable(what, f"{type(error).__name__}: {error}") from error


def _unavailable(what: str, why: str) -> errors.ApiUnavailableError:
    return errors.ApiUnavailableError(
        f"{what}: {why[:300]}", hint="it is tried again; look at the API server and the network"
    )


async def _answer_error(response: httpx2.Response, what: str) -> errors.ApiError:
    body = await _bounded(response, _MAX_ERROR_BYTES)
    return api_json.answer_error(
        body or b"", response.status_code, what, response.headers.get("retry-after")
    )


async def _bounded(response: httpx2.Response, most: int) -> bytes | None:
    """The body; None when it is longer."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


async def _events(response: httpx2.Response, what: str) -> AsyncGenerator[list[api_json.Event]]:
    """The events of a watch, by what arrived together. A last line without its end is dropped."""
    rest = bytearray()
    with _translated(what):
        async for piece in response.aiter_bytes():
            rest += piece
            end = rest.rfind(b"\n")
            if end < 0:
                if len(rest) > MAX_LINE_BYTES:
                    raise _unavailable(what, "an event is too large")
                continue
            lines = bytes(rest[:end])
            del rest[: end + 1]
            yield [api_json.event(line) for line in lines.split(b"\n") if line]
    if rest:
        raise _unavailable(what, "the stream ended within an event")


def _accept(scope: ListScope, suffix: str) -> str:
    return _METADATA_ONLY.format(suffix) if scope.metadata_only else "application/json"


def _what(verb: str, resource: ApiResource, namespace: str, name: str) -> str:
    return f"{verb} {resource.kind} " + "/".join(part for part in (namespace, name) if part)


def _served(body: bytes) -> frozenset[str]:
    """The versions that a definition serves. Raises ApiUnavailableError before it is established."""
    definition = decode(body, "get CustomResourceDefinition")
    spec, status = definition.get("spec"), definition.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    if not any(
        isinstance(c, dict) and (c.get("type"), c.get("status")) == ("Established", "True")
        for c in (conditions if isinstance(conditions, list) else ())
    ):
        raise _unavailable("get CustomResourceDefinition", "it is not established yet")
    versions = spec.get("versions") if isinstance(spec, dict) else None
    return frozenset(
        str(v["name"])
        for v in (versions if isinstance(versions, list) else ())
        if isinstance(v, dict) and v.get("served") is True and isinstance(v.get("name"), str)
    )
