"""Reads what a cluster has of what an installation needs. Writes nothing; judges nothing.

What cannot be asked is said in `unknown` and stops nothing else. Of an API server that does not
answer at all there are no facts: that is an ApiError.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar, cast

from gatereeve.core import errors
from gatereeve.core.canonical import Json
from gatereeve.core.installation import ClusterFacts, Gateways
from gatereeve.sources.kube import resources
from gatereeve.sources.kube.client import ApiClient, Object, decode
from gatereeve.sources.kube.resources import ApiResource

T = TypeVar("T")

_GATEWAY_CRD = "httproutes.gateway.networking.k8s.io"
_BUNDLE = "gateway.networking.k8s.io/bundle-version"
_CHANNEL = "gateway.networking.k8s.io/channel"


def _of(group: str, plural: str, *, namespaced: bool = True) -> ApiResource:
    """A resource that is only asked about: the review wants no version and no kind."""
    return ApiResource(group=group, version="v1", plural=plural, kind="", namespaced=namespaced)


_RBAC, _NETWORKING = "rbac.authorization.k8s.io", "networking.k8s.io"
MADE: tuple[ApiResource, ...] = (
    resources.DEFINITIONS,
    _of(_RBAC, "clusterroles", namespaced=False),
    _of(_RBAC, "clusterrolebindings", namespaced=False),
    _of(_NETWORKING, "ingressclasses", namespaced=False),
    _of("", "serviceaccounts"),
    _of(_RBAC, "roles"),
    _of(_RBAC, "rolebindings"),
    _of("", "services"),
    _of("apps", "deployments"),
    _of("policy", "poddisruptionbudgets"),
    _of("autoscaling", "horizontalpodautoscalers"),
    _of(_NETWORKING, "networkpolicies"),
)
"""What an installation makes."""


async def survey(client: ApiClient, *, namespace: str, definitions: Iterable[str]) -> ClusterFacts:
    """namespace: of the installation. definitions: names of ours. Raises ApiError when the server
    does not even tell its version."""
    version = decode(await client.document("/version"), "get /version").get("gitVersion")
    unknown: dict[str, str] = {}
    return ClusterFacts(
        version=version if isinstance(version, str) else "",
        refused=await _asked(unknown, "rights", (), lambda: _refused(client, namespace)),
        definitions=await _asked(unknown, "kinds", {}, lambda: _definitions(client, definitions)),
        admission=await _asked(
            unknown, "admission policies", frozenset(),
            lambda: _served(client, "/apis/admissionregistration.k8s.io/v1"),
        ),
        gateways=await _asked(unknown, "Gateway API", None, lambda: _gateways(client)),
        metrics=await _asked(unknown, "metrics", False, lambda: _metrics(client)),  # noqa: FBT003 - a fact
        unknown=unknown,
    )  # fmt: skip


async def _asked(
    unknown: dict[str, str], about: str, nothing: T, ask: Callable[[], Awaitable[T]]
) -> T:
    try:
        return await ask()
    except errors.ApiError as error:
        unknown[about] = str(error)
        return nothing


async def _refused(client: ApiClient, namespace: str) -> tuple[str, ...]:
    found = [
        f"create {resource}" + (f" in {namespace}" if resource.namespaced else "")
        for resource in MADE
        if not await client.is_allowed("create", resource, namespace=namespace if resource.namespaced else "")
    ]  # fmt: skip
    # A user cannot grant rights that they do not have: the controllers read Secrets that documents name.
    if not await client.is_allowed("get", resources.SECRETS):
        found.append("read Secrets, so not grant it to the controllers either")
    return tuple(found)


async def _definitions(client: ApiClient, names: Iterable[str]) -> Mapping[str, Json]:
    return {name: cast("Json", await _definition(client, name)) for name in names}


async def _definition(client: ApiClient, name: str) -> Object | None:
    try:
        return decode(await client.get(resources.DEFINITIONS, "", name), name)
    except errors.ApiMissingError:
        return None


async def _gateways(client: ApiClient) -> Gateways | None:
    found = await _definition(client, _GATEWAY_CRD)
    if found is None:
        return None
    metadata = found.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    said = annotations if isinstance(annotations, dict) else {}
    return Gateways(bundle=str(said.get(_BUNDLE, "")), channel=str(said.get(_CHANNEL, "")))


async def _served(client: ApiClient, path: str) -> frozenset[str]:
    """Names of the resources of a group's version; none when it is not served."""
    try:
        found = decode(await client.document(path), f"get {path}").get("resources")
    except errors.ApiMissingError:
        return frozenset()
    entries = found if isinstance(found, list) else []
    return frozenset(str(entry.get("name")) for entry in entries if isinstance(entry, dict))


async def _metrics(client: ApiClient) -> bool:
    return "pods" in await _served(client, "/apis/metrics.k8s.io/v1beta1")
