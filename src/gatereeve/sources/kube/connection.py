"""How to reach the API server: where it is, whom it trusts, who we are.

Configuration is read by lightkube (kubeconfig) or from the files of a service account. Tokens
rotate about hourly and authorities now and then: the files are looked at before every request, and
a changed one is read again. Nothing here reads the environment; `runtime.settings` hands it in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import msgspec
import yaml
from lightkube.config import client_adapter
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.config.models import Cluster, User
from lightkube.core.exceptions import ConfigError

from gatereeve.core import errors
from gatereeve.sources import tls_handshake
from gatereeve.sources.kube.access import Access, Kubeconfig

_CONNECT_S = 5.0
_READ_S = 30.0

Stamp = tuple[int, int, int]


class Connection:
    """One HTTP client at a time, made anew when a file it was made from changes.

    What is under way on an older one ends there. Used from one event loop.
    """

    def __init__(self, access: Access) -> None:
        """Raises SettingsError when the configuration cannot be used."""
        self._access = access
        self._stamps: dict[Path, Stamp | None] = {}
        self._current = self._open()

    @property
    def server(self) -> str:
        return str(self._current.http.base_url)

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx2.AsyncClient]:
        """The client to use for one request, open for as long as that takes."""
        await self._refresh()
        generation = self._current
        generation.users += 1
        try:
            yield generation.http
        finally:
            generation.users -= 1
            if generation.retired and generation.users == 0:
                await generation.http.aclose()

    async def aclose(self) -> None:
        await self._current.http.aclose()

    async def _refresh(self) -> None:
        """A changed file that cannot be used, perhaps half written, leaves things as they are."""
        if {path: _stamp(path) for path in self._stamps} == self._stamps:
            return
        before = self._current
        try:
            self._current = self._open()
        except errors.SettingsError:
            return
        before.retired = True
        if before.users == 0:
            await before.http.aclose()

    def _open(self) -> _Generation:
        files = {self._access.path} if isinstance(self._access, Kubeconfig) else set()
        stamps = {path: _stamp(path) for path in files}
        try:
            config = _config(self._access)
            stamps |= {path: _stamp(path) for path in _files(config)}
            http = _http(config)
        except (ConfigError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _unusable(self._access, error) from error
        except (OSError, msgspec.MsgspecError, yaml.YAMLError, httpx2.InvalidURL) as error:
            raise _unusable(self._access, error) from error
        self._stamps = stamps
        return _Generation(http)


class _Generation:
    """One client and how many requests are under way on it."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.users = 0
        self.retired = False


class TokenFile(httpx2.Auth):
    """A bearer token from a file, read again when the file changed or the token was refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._token = ""

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        self._read()
        sent = self._token
        request.headers["Authorization"] = f"Bearer {sent}"
        response = yield request
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            self._stamp = None
            self._read()
            if self._token != sent:
                request.headers["Authorization"] = f"Bearer {self._token}"
                yield request

    def _read(self) -> None:
        """A file that cannot be read now leaves the token as it is."""
        stamp = _stamp(self._path)
        if stamp is not None and stamp == self._stamp:
            return
        try:
            token = self._path.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            if not self._token:
                raise errors.ApiUnavailableError(
                    f"the token {self._path} cannot be read",
                    hint="check the mounted service account",
                ) from error
            return
        if token:
            self._stamp, self._token = stamp, token


def _config(access: Access) -> SingleConfig:
    if isinstance(access, Kubeconfig):
        config = KubeConfig.from_file(access.path).get(access.context)
    else:
        host = f"[{access.host}]" if ":" in access.host else access.host
        config = KubeConfig.from_one(
            cluster=Cluster(
                server=f"https://{host}:{access.port}",
                certificate_auth=str(access.directory / "ca.crt"),
            ),
            user=User(token_file=str(access.directory / "token")),
        ).get()
    if config is None or config.user is None:
        raise ConfigError("the context names no user")
    return config


def _files(config: SingleConfig) -> set[Path]:
    """Files that the client itself is made from; a token file is looked after by `TokenFile`."""
    user = config.user or User()
    named = (config.cluster.certificate_auth, user.client_cert, user.client_key)
    return {Path(config.abs_file(name)) for name in named if name}


def _http(config: SingleConfig) -> httpx2.AsyncClient:
    user = config.user or User()
    auth = (
        TokenFile(Path(config.abs_file(user.token_file)))
        if user.token_file
        else client_adapter.user_auth(user)
    )
    return httpx2.AsyncClient(
        base_url=config.cluster.server,
        verify=client_adapter.verify_cluster(
            config.cluster, user, config.abs_file, trust_env=False
        ),
        auth=auth,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(_READ_S, connect=_CONNECT_S, pool=None),
        # Every watch holds a connection of its own.
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        headers={"user-agent": "gatereeve", "accept-encoding": "identity"},
        event_hooks=tls_handshake.EVENT_HOOKS,
    )


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _unusable(access: Access, error: Exception) -> errors.SettingsError:
    if isinstance(access, Kubeconfig):
        what, hint = (
            f"the kubeconfig {access.path}",
            "name a readable kubeconfig and a context in it",
        )
    else:
        what, hint = f"the service account in {access.directory}", "mount one into the pod"
    return errors.SettingsError(f"{what} cannot be used: {error}", hint=hint)
