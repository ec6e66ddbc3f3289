"""Whether a gate really runs what was published: asked of the gate, not concluded from an ACK.

An ACK says that Envoy accepted a configuration, not that it is warmed and in use (knowledge: xDS 3).
`is_active` asks the admin socket, cheap questions first; a full look only where these leave doubt:

1. which content of each type, and of each route configuration, filter and secret, Envoy applied
   last. Content that it rejected is never there: `xds.session` does not send the same again;
2. the seal, which a gate gets only when it accepted everything else, removals of hosts included;
3. how many scopes there are: none leads to hosts that are gone; and whether anything still warms;
4. whether all workers have it. Envoy hands changes to its workers in order and counts a filter's
   configuration as reloaded when the last of them has taken it; the seal was the last change;
5. whether connections live on that were made under other terms (`Resource.terms`): what stands in a
   listener alone is not changed for them. They are sent away, and it is waited for.

What Envoy 1.40 reports over delta (found by experiment, held by tests/envoy/test_xds_envoy.py and
test_withdrawals.py): `….version_text` is the `system_version_info` of the last response that was
applied, per type (CDS, LDS, scopes), route configuration and filter; the entries of `/config_dump`
carry each resource's own version.
"""

import asyncio
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from gatereeve.core import errors, refs
from gatereeve.proxy import admin
from gatereeve.proxy.xds import snapshot as snap

_FIRST_POLL_S: Final = 0.01
_LAST_POLL_S: Final = 0.16
"""Each question costs the gate some ten milliseconds at thousands of routes, on the thread that brings them."""
_MANAGERS: Final = r"^(cluster_manager\.cds|listener_manager\.lds)\.version_text$"
_WHOLE: Final = (
    _MANAGERS
    + r"|\.(rds|scoped_rds)\..*\.version_text$|^extension_config_discovery\..*\.version_text$"
)
_PART: Final = "~"
"""Ends the version of a response after which more of its type follows (`xds.session`)."""

_STATE: Final = (
    r"^(cluster_manager\.warming_clusters|listener_manager\.total_(listeners_warming"
    r"|listeners_draining|filter_chains_draining)|http\..*\.scoped_rds\..*\.all_scopes)$"
)
_LISTENING: Final = (
    r"^(cluster_manager\.warming_clusters"
    r"|listener_manager\.total_listeners_(warming|active))$"
)
_RDS_TEXT: Final = re.compile(r"^http\..*\.rds\.(.+)\.version_text$")
_FILTER: Final = "extension_config_discovery.http_filter."
_ECDS_TEXT: Final = re.compile(rf"^{re.escape(_FILTER)}(.+)\.version_text$")
_SRDS_TEXT: Final = re.compile(r"^http\..*\.scoped_rds\..+\.version_text$")
_SEALED: Final = rf"^{re.escape(_FILTER + snap.SEAL)}\.(config_reload|update_success)$"
_PATIENCE: Final = 100
"""So often the workers are waited for, some fifteen seconds: content that came twice is taken once and
counted twice, and must not be waited for without end."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the admin must report for a snapshot to be active.

    clusters, listeners, every_route, scopes: content hash of the type. routes, secrets, filters:
    version per name. hosts: how many scopes. terms: what a connection keeps, per listener.
    """

    version: refs.ConfigHash
    clusters: str
    listeners: str
    every_route: str
    routes: Mapping[str, str]
    secrets: Mapping[str, str]
    filters: Mapping[str, str]
    scopes: str = ""
    hosts: int = 0
    terms: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class ActiveState:
    """What a gate reported of each route configuration when it was last found active, and which
    version that was. A report is a content hash: it means the same version for ever, also after the
    gate's restart. So only what changed has to be looked at.

    terms: as expected then; None before the first time. ahead: by how many updates of the seal its
    applications stayed behind then. waits: how often workers were waited for since."""

    routes: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    terms: Mapping[str, str] | None = None
    ahead: int = 0
    waits: int = 0


def expected_of(snapshot: snap.Snapshot) -> Expected:
    """What a gate reports once it runs the snapshot whole."""
    return Expected(
        version=snapshot.version,
        clusters=snap.type_version(snapshot.of(snap.CDS)),
        listeners=snap.type_version(snapshot.of(snap.LDS)),
        every_route=snap.type_version(snapshot.of(snap.RDS)),
        routes=_versions(snapshot.of(snap.RDS)),
        secrets=_versions(snapshot.of(snap.SDS)),
        filters=_versions(snapshot.of(snap.ECDS)),
        scopes=snap.type_version(snapshot.of(snap.SRDS)),
        hosts=len(snapshot.of(snap.SRDS)),
        terms={name: one.terms for name, one in snapshot.of(snap.LDS).items() if one.terms},
    )


class ActivationVerifier(Protocol):
    """A gate that can be asked to prove what it runs, here or elsewhere. One question at a time."""

    async def wait_active(self, expected: Expected, *, timeout_s: float) -> None:
        """Return once it runs the expected versions. Raises ProxyError when it does not in time."""
        ...


class AdminVerifier:
    """Asks a gate on this machine, over its admin; remembers what it saw (`ActiveState`)."""

    def __init__(self, gate: admin.Admin) -> None:
        self._admin = gate
        self._seen = ActiveState()

    async def wait_active(self, expected: Expected, *, timeout_s: float) -> None:
        await wait_active(self._admin, expected, seen=self._seen, timeout_s=timeout_s)


async def is_configured(gate: admin.Admin) -> bool:
    """Whether the gate got a whole configuration and warmed it, whichever that is.

    Envoy reports ready also without one: it waits for a controller only so long.
    Raises ProxyError when it cannot be asked.
    """
    texts = await gate.texts(_MANAGERS)
    managers = (texts.get("cluster_manager.cds.version_text", ""),
                texts.get("listener_manager.lds.version_text", ""))  # fmt: skip
    if not all(text and not text.endswith(_PART) for text in managers):
        return False
    gauges = await gate.gauges(_LISTENING)
    listening = gauges.pop("listener_manager.total_listeners_active", 0)
    return listening > 0 and not any(gauges.values()) and await gate.is_ready()


async def is_active(gate: admin.Admin, expected: Expected, seen: ActiveState | None = None) -> bool:
    """Whether the gate runs the expected versions now. Raises ProxyError when it cannot be asked.

    seen: what earlier calls found at this gate; renewed when the answer is yes. Endpoints are not
    compared: they change on their own, faster than snapshots.
    """
    return not await _lacking(gate, expected, ActiveState() if seen is None else seen)


async def wait_active(
    gate: admin.Admin,
    expected: Expected,
    *,
    seen: ActiveState | None = None,
    timeout_s: float = 10.0,
) -> None:
    """Return once the gate runs the expected versions. seen: as in `is_active`.

    Raises ProxyTimeoutError when it does not within the deadline, for example because it rejected a
    part (see `AdsServer.status`) or does not answer.
    """
    seen = ActiveState() if seen is None else seen
    seen.waits, lacking = 0, "it does not answer"
    try:
        async with asyncio.timeout(timeout_s):
            pause_s = _FIRST_POLL_S
            while lacking := await _lacking_now(gate, expected, seen):
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LAST_POLL_S)
    except TimeoutError as error:
        raise errors.ProxyTimeoutError(
            f"the gate did not run {expected.version} within {timeout_s:g} s: {lacking}",
            hint="`gatereeve status` shows what it rejected, if anything",
        ) from error


async def _lacking_now(gate: admin.Admin, expected: Expected, seen: ActiveState) -> str:
    try:
        return await _lacking(gate, expected, seen)
    except errors.ProxyTimeoutError:
        return "it does not answer"  # it may be restarting; the deadline decides


async def _lacking(gate: admin.Admin, expected: Expected, seen: ActiveState) -> str:
    """What is missing until the gate runs the expected versions, for people; "" for nothing."""
    texts = await gate.texts(_WHOLE)
    if lacking := _other_type(texts, expected):
        return lacking
    if other := await _other_filters(gate, expected, _named(_ECDS_TEXT, texts)):
        rejected = list(other) == [snap.SEAL]
        return "it did not accept all" if rejected else f"it has another {', '.join(other)}"
    if lacking := _unsettled(await gate.gauges(_STATE), expected, seen):
        return lacking
    reported = _named(_RDS_TEXT, texts)
    if not await _runs_routes(gate, expected, reported, seen):
        return "it has other routes"
    if not await _runs_secrets(gate, expected):
        return "it has other certificates"
    if not await _workers_have_it(gate, expected, seen):
        return "not all of its workers have taken it"
    seen.terms = dict(expected.terms)
    seen.routes = {
        name: (reported[name], version)
        for name, version in expected.routes.items()
        if name in reported
    }
    return ""


async def _runs_routes(
    gate: admin.Admin, expected: Expected, reported: Mapping[str, str], seen: ActiveState
) -> bool:
    """A report says which response carried a route configuration: one of its own, one of the whole
    set, or an earlier one, which `seen` knows. The others are asked for by name."""
    unclear = {
        name: version
        for name, version in expected.routes.items()
        if reported.get(name, "").removesuffix(_PART) not in (version, expected.every_route)
        and seen.routes.get(name) != (reported.get(name), version)
    }
    if not unclear:
        return True
    mask = "version_info,route_config.name"
    entries = await gate.config("dynamic_route_configs", mask, names=unclear)
    running = {entry["route_config"]["name"]: entry["version_info"] for entry in entries}
    return unclear.items() <= running.items()


async def _runs_secrets(gate: admin.Admin, expected: Expected) -> bool:
    if not expected.secrets:
        return True
    entries = await gate.config(
        "dynamic_active_secrets", "name,version_info", names=expected.secrets
    )
    running = {entry["name"]: entry.get("version_info", "") for entry in entries}
    return expected.secrets.items() <= running.items()


def _versions(resources: snap.Resources) -> dict[str, str]:
    return {name: resource.version for name, resource in resources.items()}


def _named(pattern: re.Pattern[str], texts: Mapping[str, str]) -> dict[str, str]:
    return {m.group(1): text for name, text in texts.items() if (m := pattern.match(name))}


def _other_type(texts: Mapping[str, str], expected: Expected) -> str:
    """Which of clusters, listeners and hosts has other content than expected."""
    if texts.get("cluster_manager.cds.version_text") != expected.clusters:
        return "it has other clusters"
    if texts.get("listener_manager.lds.version_text") != expected.listeners:
        return "it has other listeners"
    scopes = {text for name, text in texts.items() if _SRDS_TEXT.match(name)}
    if expected.hosts and expected.scopes not in scopes:
        return "it has other hosts"
    return ""


async def _other_filters(
    gate: admin.Admin, expected: Expected, reported: Mapping[str, str]
) -> Sequence[str]:
    """Filters of which the gate has another configuration. One that an older controller sent among
    others is reported under their common version, and its own is asked for."""
    unclear = {n: v for n, v in expected.filters.items() if reported.get(n) != v}
    if not unclear:
        return ()
    entries = await gate.config("ecds_filters", "version_info,ecds_filter.name", names=unclear)
    running = {entry["ecds_filter"]["name"]: entry.get("version_info", "") for entry in entries}
    return sorted(name for name, version in unclear.items() if running.get(name) != version)


def _unsettled(gauges: Mapping[str, int], expected: Expected, seen: ActiveState) -> str:
    """Whether something warms, a scope is left over, or a connection has other terms than now."""
    draining = warming = 0
    for name, value in gauges.items():
        if name.endswith("_draining"):
            draining += value
        elif not name.endswith(".all_scopes"):
            warming += value
        elif expected.hosts and value not in (0, expected.hosts):
            return "it has hosts that are gone"
    if warming:
        return "clusters or listeners are not ready"
    if draining and seen.terms != expected.terms:
        return "connections that were made under other terms are still open"
    return ""


async def _workers_have_it(gate: admin.Admin, expected: Expected, seen: ActiveState) -> bool:
    """Whether every worker has taken the last change. Envoy counts what it took content for, and
    when that was taken everywhere."""
    if snap.SEAL not in expected.filters:
        return True
    counted = await gate.counters(_SEALED)
    reloads = counted.get(f"{_FILTER}{snap.SEAL}.config_reload", 0)
    ahead = counted.get(f"{_FILTER}{snap.SEAL}.update_success", 0) - reloads
    if ahead > seen.ahead and seen.waits < _PATIENCE:
        seen.waits += 1
        return False
    seen.ahead, seen.waits = ahead, 0
    return reloads > 0
