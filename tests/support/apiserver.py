"""A small API server over real HTTP: lists, watches, server-side apply, and every fault we know of.

What it answers follows the real one (paging, bookmarks, 410, conflicts, status as a subresource);
what the real one checks (schemas, admission) it does not. Faults are set as data, per request or
for the server as a whole; a test then waits until they were met (`requests`, `wait_for`).
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import fnmatch
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from gatereeve.api import registry
from gatereeve.sources.kube import resources

Obj = dict[str, Any]
Key = tuple[str, str]

TOKEN = "s3cret-token"
_MAP_KEYS = {"conditions": "type", "listeners": "name", "webhooks": "name"}
"""Lists of which server-side apply merges the entries, by the key that tells them apart."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. params: the last value of each."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: Any = None

    @property
    def is_watch(self) -> bool:
        return self.params.get("watch") == "true"


@dataclass(slots=True, kw_only=True)
class Fault:
    """Answers `times` requests that fit, instead of the server. method, path: shell patterns.

    watch: only watches, or only others; None: both. status, body, headers: of the answer; status 0:
    the server's own. delay: a condition to wait for first. cut: the connection just ends.
    page: only requests that continue a list.
    """

    path: str = "*"
    method: str = "*"
    watch: bool | None = None
    page: bool = False
    status: int = 500
    reason: str = "InternalError"
    message: str = "a fault"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    delay: asyncio.Event | None = None
    cut: bool = False
    times: int = 1

    def fits(self, request: Request) -> bool:
        return (
            self.times > 0
            and fnmatch.fnmatch(request.path, self.path)
            and fnmatch.fnmatch(request.method, self.method)
            and (self.watch is None or self.watch == request.is_watch)
            and (not self.page or "continue" in request.params)
        )


class _Answer(Exception):  # noqa: N818 - carries an answer, not only errors
    def __init__(self, status: int, reason: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "code": status, "reason": reason, "message": message, **extra,
        }  # fmt: skip
        self.headers: dict[str, str] = {}


@dataclass(slots=True, kw_only=True)
class _Kind:
    """One resource as it is served: its objects, and what happened to them."""

    resource: resources.ApiResource
    served: bool = True
    objects: dict[Key, Obj] = field(default_factory=dict)
    log: list[tuple[int, str, Obj]] = field(default_factory=list)
    forgotten: int = 0
    applied: dict[tuple[Key, str, str], Obj] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Stream:
    """An open watch. silent: nothing is sent any more, though the connection stands."""

    request: Request
    writer: asyncio.StreamWriter
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    injected: list[bytes] = field(default_factory=list)
    silent: bool = False
    ended: bool = False
    broken: bool = False


class ApiServer:
    """tokens: that are accepted. denied: (verb, plural) that are forbidden. requests: all so far."""

    def __init__(self) -> None:
        self.tokens = {TOKEN}
        self.denied: set[tuple[str, str]] = set()
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.streams: list[Stream] = []
        self.bookmark_s: float | None = None
        self.bookmarks = 0
        self.streams_lists = False
        self.version = 1000
        self.now = "2026-11-01T10:00:00Z"
        self.stale: dict[str, tuple[int, dict[Key, Obj]]] = {}
        self._kinds: dict[tuple[str, str, str], _Kind] = {}
        self._uids = 0
        self._pages: dict[str, tuple[list[Obj], int]] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._happened = asyncio.Condition()
        self.port = 0
        for kind in registry.KINDS:
            for version in kind.versions:
                self.serve(resources.of_kind(kind, version))
        for resource in (resources.LEASES, resources.EVENTS, resources.DEFINITIONS):
            self.serve(resource)
        for kind in registry.KINDS:
            if not resources.is_built_in(kind):
                self.put(_definition(kind))

    # what a test does

    def serve(self, resource: resources.ApiResource) -> None:
        """Versions of one resource share their objects."""
        same = next(
            (
                k
                for (g, _, p), k in self._kinds.items()
                if (g, p) == (resource.group, resource.plural)
            ),
            None,
        )
        self._kinds[resource.group, resource.version, resource.plural] = (
            same if same is not None else _Kind(resource=resource)
        )

    def unserve(self, plural: str) -> None:
        """A CustomResourceDefinition goes, with all objects of it."""
        for kind in self._of(plural):
            kind.served = False
            kind.objects.clear()
            name = f"{plural}.{kind.resource.group}"
            if self.find("CustomResourceDefinition", "", name):
                self.delete("CustomResourceDefinition", "", name)

    def reserve(self, plural: str) -> None:
        """It comes (back)."""
        for kind in self._of(plural):
            kind.served = True
        kinds = [k for k in registry.KINDS if k.plural == plural and not resources.is_built_in(k)]
        for one in kinds:
            self.put(_definition(one))

    def put(self, obj: Obj) -> Obj:
        """Creates or replaces, as somebody with all rights does."""
        kind, key = self._place(obj)
        before = kind.objects.get(key)
        new = copy.deepcopy(obj)
        meta = new.setdefault("metadata", {})
        if before is None:
            self._uids += 1
            meta.setdefault("uid", f"uid-{self._uids}")
            meta.setdefault("creationTimestamp", self.now)
            meta["generation"] = 1
        else:
            for name in ("uid", "creationTimestamp"):
                meta.setdefault(name, before["metadata"][name])
            meta["generation"] = before["metadata"]["generation"]
            if before.get("spec") != new.get("spec"):
                meta["generation"] += 1
            if "status" not in new and "status" in before:
                new["status"] = before["status"]
        return self._store(kind, key, new, "ADDED" if before is None else "MODIFIED")

    def delete(self, kind: str, namespace: str, name: str) -> None:
        found = self._by_kind(kind)
        self._remove(found, (namespace, name))

    def find(self, kind: str, namespace: str, name: str) -> Obj | None:
        return self._by_kind(kind).objects.get((namespace, name))

    def all(self, kind: str) -> list[Obj]:
        return list(self._by_kind(kind).objects.values())

    def forget(self, plural: str = "*") -> None:
        """Compaction: a watch from any version so far, and every page token, is answered with 410."""
        for kind in self._of(plural):
            kind.log.clear()
            kind.forgotten = self.version
        self._pages.clear()

    def vanish(self, kind: str, namespace: str, name: str) -> None:
        """Deleted while nobody watches: no event of it is ever sent."""
        found = self._by_kind(kind)
        del found.objects[namespace, name]
        self.version += 1

    def renumber(self, version: int) -> None:
        """A server restored from a backup: other resourceVersions, and no memory of the old ones."""
        self.version = version
        for kind in set(map(id, self._kinds.values())):
            found = next(k for k in self._kinds.values() if id(k) == kind)
            found.log.clear()
            found.forgotten = 0
            for obj in found.objects.values():
                self.version += 1
                obj["metadata"]["resourceVersion"] = str(self.version)

    def cut(self, plural: str = "*", *, mid_line: bool = False) -> None:
        """Watches break off; mid_line: within an event."""
        for stream in self._streams(plural):
            if mid_line:
                stream.injected.append(b'{"type":"ADDED","object":{"metadata":{"na')
            stream.broken = True
            stream.wake.set()

    def end(self, plural: str = "*") -> None:
        """Watches end as after their timeoutSeconds."""
        for stream in self._streams(plural):
            stream.ended = True
            stream.wake.set()

    def silence(self, plural: str = "*") -> None:
        """Half open: the connection stands, and nothing comes."""
        for stream in self._streams(plural):
            stream.silent = True

    def inject(self, plural: str, line: bytes) -> None:
        for stream in self._streams(plural):
            stream.injected.append(line + b"\n")
            stream.wake.set()

    def expire(self, plural: str) -> None:
        """410 as an event in the middle of a watch."""
        status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
        self.inject(plural, json.dumps({"type": "ERROR", "object": status}).encode())

    def bookmark(self, plural: str = "*") -> None:
        for stream in self._streams(plural):
            stream.injected.append(_bookmark(self.version))
            stream.wake.set()

    def watches(self, plural: str = "*") -> int:
        return len(self._streams(plural))

    def asked(self, method: str, path: str, *, watch: bool | None = None) -> list[Request]:
        return [
            r for r in self.requests
            if r.method == method and fnmatch.fnmatch(r.path, path)
            and (watch is None or watch == r.is_watch)
        ]  # fmt: skip

    async def wait_for(self, true: Callable[[], bool], within_s: float = 10.0) -> None:
        """Returns when it is true; looked at after every request and every end of a watch."""
        async with asyncio.timeout(within_s), self._happened:
            await self._happened.wait_for(true)

    # its life

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Gone: every connection breaks, and none is taken."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        self.streams.clear()

    def kubeconfig(self, path: Path, *, token: str = TOKEN, token_file: Path | None = None) -> Path:
        user = {"tokenFile": str(token_file)} if token_file else {"token": token}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1", "kind": "Config", "current-context": "test",
                    "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
                    "users": [{"name": "u", "user": user}],
                    "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
                }
            )
        )  # fmt: skip
        return path

    # HTTP

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                await self._told()
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # its end, or the server's
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()
            await self._told()

    async def _told(self) -> None:
        async with self._happened:
            self._happened.notify_all()

    async def _answer(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the connection may be used again."""
        fault = next((f for f in self.faults if f.fits(request)), None)
        if fault is not None:
            fault.times -= 1
            if fault.delay is not None:
                await fault.delay.wait()
            if fault.cut:
                writer.transport.abort()
                return False
            if fault.status:
                refused = _Answer(fault.status, fault.reason, fault.message)
                body = json.dumps(refused.body).encode() if fault.body is None else fault.body
                await _send(writer, fault.status, body, fault.headers)
                return True
        try:
            self._authorize(request)
            kind, namespace, name, sub = self._route(request)
            if request.is_watch and kind is not None:
                await self._watch(request, kind, namespace, reader, writer)
                return False
            answer = self._do(request, kind, namespace, name, sub)
        except _Answer as refused:
            await _send(writer, refused.status, json.dumps(refused.body).encode(), refused.headers)
            return True
        await _send(
            writer, 201 if request.method == "POST" else 200, json.dumps(answer).encode(), {}
        )
        return True

    def _authorize(self, request: Request) -> None:
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise _Answer(401, "Unauthorized", "Unauthorized")

    def _route(self, request: Request) -> tuple[_Kind | None, str, str, str]:
        parts = [unquote(p) for p in request.path.strip("/").split("/")]
        group, parts = ("", parts[1:]) if parts[0] == "api" else (parts[1], parts[2:])
        version, parts = parts[0], parts[1:]
        namespace = ""
        if len(parts) > 2 and parts[0] == "namespaces":
            namespace, parts = parts[1], parts[2:]
        plural, name, sub = (*parts, "", "")[:3]
        if group == "authorization.k8s.io":
            return None, "", "", ""
        kind = self._kinds.get((group, version, plural))
        if kind is None or not kind.served:
            raise _Answer(404, "NotFound", "the server could not find the requested resource")
        verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(
            request.method, "watch" if request.is_watch else "get" if name else "list"
        )
        if (verb, plural) in self.denied:
            raise _Answer(403, "Forbidden", f'cannot {verb} resource "{plural}"')
        return kind, namespace, name, sub

    # reading

    def _do(self, request: Request, kind: _Kind | None, namespace: str, name: str, sub: str) -> Obj:
        if kind is None:
            asked = request.body["spec"]["resourceAttributes"]
            allowed = (asked["verb"], asked["resource"]) not in self.denied
            return {**request.body, "status": {"allowed": allowed}}
        match request.method:
            case "GET" if name:
                return _shown(self._existing(kind, (namespace, name)), request)
            case "GET":
                return self._list(request, kind, namespace)
            case "POST":
                return self._create(kind, namespace, request.body)
            case "PUT":
                return self._update(kind, (namespace, name), request.body)
            case "DELETE":
                wanted = (request.body or {}).get("preconditions", {}).get("uid")
                found = self._existing(kind, (namespace, name))
                if wanted and wanted != found["metadata"]["uid"]:
                    raise _Answer(409, "Conflict", "another uid")
                self._remove(kind, (namespace, name))
                return {"kind": "Status", "status": "Success"}
            case "PATCH" if "apply" in request.headers["content-type"]:
                manager = request.params["fieldManager"]
                force = request.params.get("force") == "true"
                return self._apply(kind, (namespace, name), sub, request.body, manager, force=force)
            case "PATCH":
                return self._merge(kind, (namespace, name), sub, request.body)
        raise _Answer(405, "MethodNotAllowed", request.method)

    def _list(self, request: Request, kind: _Kind, namespace: str) -> Obj:
        token = request.params.get("continue", "")
        if token:
            if token not in self._pages:
                raise _Answer(410, "Expired", "the continue parameter is too old")
            items, version = self._pages.pop(token)
        elif request.params.get("resourceVersion") == "0" and kind.resource.plural in self.stale:
            version, objects = self.stale[kind.resource.plural]
            items = list(objects.values())
        else:
            items = [o for (ns, _), o in sorted(kind.objects.items()) if namespace in ("", ns)]
            version = self.version
        limit = int(request.params.get("limit", "0")) or len(items)
        meta: Obj = {"resourceVersion": str(version)}
        if len(items) > limit:
            meta["continue"] = f"token-{len(self.requests)}"
            self._pages[meta["continue"]] = (items[limit:], version)
        shown = [_shown(o, request) for o in items[:limit]]
        if not kind.resource.group.endswith(("gatereeve.dev", "gateway.networking.k8s.io")):
            shown = [{k: v for k, v in o.items() if k not in ("apiVersion", "kind")} for o in shown]
        return {"kind": kind.resource.kind + "List", "metadata": meta, "items": shown or None}

    async def _watch(
        self,
        request: Request,
        kind: _Kind,
        namespace: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        initial = request.params.get("sendInitialEvents") == "true"
        if initial and not self.streams_lists:
            raise _Answer(422, "Invalid", "sendInitialEvents is forbidden")
        since = self.version if initial else int(request.params.get("resourceVersion") or 0)
        if since < kind.forgotten:
            raise _Answer(410, "Expired", "too old resource version")
        stream = Stream(request, writer)
        self.streams.append(stream)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        if initial:
            for obj in kind.objects.values():
                if namespace in ("", obj["metadata"].get("namespace", "")):
                    _chunk(writer, _event("ADDED", _shown(obj, request)))
            _chunk(writer, _bookmark(self.version, end=True))
        left = asyncio.create_task(_until_left(reader, stream))
        try:
            await self._follow(stream, kind, namespace, since)
            if stream.broken:
                writer.transport.abort()
            else:
                writer.write(b"0\r\n\r\n")
        finally:
            left.cancel()
            self.streams.remove(stream)

    async def _follow(self, stream: Stream, kind: _Kind, namespace: str, since: int) -> None:
        await self._told()
        while True:
            if not stream.silent:
                for version, what, obj in list(kind.log):
                    if version > since:
                        since = version
                        if namespace in ("", obj["metadata"].get("namespace", "")):
                            _chunk(stream.writer, _event(what, _shown(obj, stream.request)))
                for line in stream.injected:
                    _chunk(stream.writer, line)
                stream.injected.clear()
                await stream.writer.drain()
            if stream.ended or stream.broken:
                return
            stream.wake.clear()
            try:
                async with asyncio.timeout(self.bookmark_s):
                    await stream.wake.wait()
            except TimeoutError:
                stream.injected.append(_bookmark(self.version))
                self.bookmarks += 1
                await self._told()

    # writing

    def _create(self, kind: _Kind, namespace: str, body: Obj) -> Obj:
        meta = body["metadata"]
        key = (namespace, meta["name"])
        if key in kind.objects:
            raise _Answer(409, "AlreadyExists", f'"{key[1]}" already exists')
        new = copy.deepcopy(body)
        if namespace:
            new["metadata"]["namespace"] = namespace
        return self.put(
            {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind, **new}
        )

    def _update(self, kind: _Kind, key: Key, body: Obj) -> Obj:
        before = self._existing(kind, key)
        version = body["metadata"].get("resourceVersion")
        if version and version != before["metadata"]["resourceVersion"]:
            raise _Answer(409, "Conflict", "the object has been modified")
        return self.put({**body, **({"status": before["status"]} if "status" in before else {})})

    def _merge(self, kind: _Kind, key: Key, sub: str, body: Obj) -> Obj:
        before = self._existing(kind, key)
        version = body.get("metadata", {}).get("resourceVersion")
        if version and version != before["metadata"]["resourceVersion"]:
            raise _Answer(409, "Conflict", "the object has been modified")
        new = copy.deepcopy(before)
        if sub == "status":
            new["status"] = _merged(new.get("status", {}), body.get("status", {}))
        else:
            new = _merged(new, {k: v for k, v in body.items() if k != "status"})
        return self._store_if_new(kind, key, before, new)

    def _apply(
        self, kind: _Kind, key: Key, sub: str, body: Obj, manager: str, *, force: bool
    ) -> Obj:
        before = kind.objects.get(key)
        wanted = body.get("metadata", {}).get("uid")
        if before is None and (sub or wanted):
            if wanted and not sub:
                raise _Answer(409, "Conflict", "uid mismatch")
            raise _Answer(404, "NotFound", f'"{key[1]}" not found')
        # As the real one: a status is applied to whatever has the name.
        if before is not None and not sub and wanted and wanted != before["metadata"]["uid"]:
            raise _Answer(422, "Invalid", "metadata.uid: field is immutable")
        said = {"status": body.get("status", {})} if sub == "status" else {
            k: v for k, v in body.items() if k not in ("status", "metadata")
        } | {"metadata": {k: v for k, v in body["metadata"].items() if k in ("labels", "annotations")}}  # fmt: skip
        last = kind.applied.get((key, manager, sub), {})
        if before is not None and not force:
            for (other, name, _), theirs in kind.applied.items():
                if other == key and name != manager and _clash(theirs, said):
                    raise _Answer(409, "Conflict", f"conflict with {name}")
        kind.applied[key, manager, sub] = copy.deepcopy(said)
        if before is None:
            meta = {"name": key[1], **({"namespace": key[0]} if key[0] else {}), **said["metadata"]}
            return self.put({**copy.deepcopy(body), "metadata": meta})
        new = _apply(_without(before, last, said), said)
        return self._store_if_new(kind, key, before, new)

    def _store_if_new(self, kind: _Kind, key: Key, before: Obj, new: Obj) -> Obj:
        if new == before:
            return before
        new = copy.deepcopy(new)
        if new.get("spec") != before.get("spec"):
            new["metadata"]["generation"] += 1
        return self._store(kind, key, new, "MODIFIED")

    def _store(self, kind: _Kind, key: Key, new: Obj, what: str) -> Obj:
        self.version += 1
        new["metadata"]["resourceVersion"] = str(self.version)
        kind.objects[key] = new
        self._log(kind, what, new)
        return new

    def _remove(self, kind: _Kind, key: Key) -> None:
        gone = copy.deepcopy(kind.objects.pop(key))
        self.version += 1
        gone["metadata"]["resourceVersion"] = str(self.version)
        for place in [p for p in kind.applied if p[0] == key]:
            del kind.applied[place]
        self._log(kind, "DELETED", gone)

    def _log(self, kind: _Kind, what: str, obj: Obj) -> None:
        kind.log.append((self.version, what, copy.deepcopy(obj)))
        for stream in self.streams:
            stream.wake.set()

    # finding

    def _existing(self, kind: _Kind, key: Key) -> Obj:
        if key not in kind.objects:
            raise _Answer(404, "NotFound", f'{kind.resource.plural} "{key[1]}" not found')
        return kind.objects[key]

    def _place(self, obj: Obj) -> tuple[_Kind, Key]:
        kind = self._by_kind(obj["kind"], obj["apiVersion"].rpartition("/")[0])
        meta = obj["metadata"]
        if kind.resource.namespaced:
            meta.setdefault("namespace", "default")
        return kind, (meta.get("namespace", ""), meta["name"])

    def _by_kind(self, name: str, group: str | None = None) -> _Kind:
        return next(
            k for k in self._kinds.values()
            if k.resource.kind == name and group in (None, k.resource.group)
        )  # fmt: skip

    def _of(self, plural: str) -> list[_Kind]:
        found = {id(k): k for (_, _, p), k in self._kinds.items() if fnmatch.fnmatch(p, plural)}
        return list(found.values())

    def _streams(self, plural: str) -> list[Stream]:
        return [
            s for s in self.streams if fnmatch.fnmatch(s.request.path.rpartition("/")[2], plural)
        ]


@asynccontextmanager
async def serving() -> AsyncIterator[ApiServer]:
    server = ApiServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def _definition(kind: registry.Kind) -> Obj:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {"versions": [{"name": v, "served": True} for v in kind.versions]},
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *rows = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {k.lower(): v.strip() for k, _, v in (row.partition(":") for row in rows if row)}
    data = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    params = {k: v[-1] for k, v in parse_qs(url.query).items()}
    return Request(method, url.path, params, headers, json.loads(data) if data else None)


async def _until_left(reader: asyncio.StreamReader, stream: Stream) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read(1)
    stream.broken = True
    stream.wake.set()


async def _send(
    writer: asyncio.StreamWriter, status: int, body: bytes, headers: dict[str, str]
) -> None:
    rows = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{k}: {v}\r\n" for k, v in rows.items())
    writer.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body)
    await writer.drain()


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def _event(what: str, obj: Obj) -> bytes:
    return json.dumps({"type": what, "object": obj}).encode() + b"\n"


def _bookmark(version: int, *, end: bool = False) -> bytes:
    meta: Obj = {"resourceVersion": str(version)}
    if end:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    return _event("BOOKMARK", {"metadata": meta})


def _shown(obj: Obj, request: Request) -> Obj:
    if "PartialObjectMetadata" not in request.headers.get("accept", ""):
        return obj
    return {
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": obj["metadata"],
    }  # fmt: skip


def _merged(old: Any, new: Any) -> Any:
    """RFC 7396."""
    if not isinstance(new, dict):
        return copy.deepcopy(new)
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in new.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _apply(old: Any, said: Any, name: str = "") -> Any:
    if isinstance(said, dict):
        result = dict(old) if isinstance(old, dict) else {}
        for key, value in said.items():
            result[key] = _apply(result.get(key), value, key)
        return result
    if isinstance(said, list) and name in _MAP_KEYS:
        by = _MAP_KEYS[name]
        rows = {row[by]: row for row in (old or [])}
        for row in said:
            rows[row[by]] = _apply(rows.get(row[by]), row)
        return list(rows.values())
    return copy.deepcopy(said)


def _without(old: Any, last: Any, said: Any, name: str = "") -> Any:
    """What we said before and do not say any more goes."""
    if isinstance(last, dict) and isinstance(old, dict):
        result = {}
        for key, value in old.items():
            if key not in last:
                result[key] = value
            elif isinstance(said, dict) and key in said:
                result[key] = _without(value, last[key], said[key], key)
        return result
    if isinstance(last, list) and name in _MAP_KEYS:
        by = _MAP_KEYS[name]
        gone = {row[by] for row in last} - {row[by] for row in said}
        return [row for row in old if row[by] not in gone]
    return old


def _clash(theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return any(_clash(theirs[key], ours[key]) for key in theirs.keys() & ours.keys())
    return bool(theirs != ours)
