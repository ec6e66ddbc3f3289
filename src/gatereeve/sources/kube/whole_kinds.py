"""Lists whole kinds of a cluster once, in the group and version that serve them. Reads only.

For looking at clusters that are not ours to govern yet: a kind that is not served has no objects; one
that may not be listed is said to be refused, and stops nothing else. Contents of Secrets are never
among what is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from gatereeve.api import plain_objects, yaml
from gatereeve.core import errors
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube import list_all
from gatereeve.sources.kube.resources import ApiResource

WHERE = "cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindQuery:
    """A kind to list. plural: "" when only the server knows it; it then goes by its whole name."""

    group: str
    kind: str
    plural: str = ""

    @property
    def name(self) -> str:
        return self.kind if self.plural else f"{self.kind}.{self.group}"


@dataclass(slots=True, kw_only=True)
class KindListing:
    """docs: every object. kinds: those that were listed, or are not served, so that none means none.

    refused: kinds that could not be listed, and why.
    """

    docs: list[plain_objects.RawDoc] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)


async def everything(client: kube.ApiClient, asked: Iterable[KindQuery]) -> KindListing:
    """Every object of these kinds. Raises ApiError when the server does not say what it serves."""
    found = KindListing()
    versions = await _versions(client)
    served: dict[str, Mapping[str, str]] = {}
    for one in asked:
        version = versions.get(one.group)
        if version is None:
            found.kinds.add(one.name)
            continue
        try:
            if not one.plural and one.group not in served:
                served[one.group] = await _plurals(client, one.group, version)
            plural = one.plural or served[one.group].get(one.kind, "")
            items = await _items(client, one, version, plural) if plural else []
        except errors.ApiMissingError:
            items = []
        except errors.ApiError as error:
            found.refused[one.name] = str(error)
            continue
        found.kinds.add(one.name)
        for item in items:
            found.docs += plain_objects.objects(cast("yaml.Plain", item), WHERE)
    return found


async def _items(
    client: kube.ApiClient, one: KindQuery, version: str, plural: str
) -> list[kube.Object]:
    resource = ApiResource(
        group=one.group, version=version, plural=plural, kind=one.kind, namespaced=True
    )
    head: kube.Object = {"apiVersion": resource.api_version, "kind": one.kind}
    items = await list_all.everything(client, kube.ListScope(resource=resource))
    return [{**head, **item} for item in items]


async def _versions(client: kube.ApiClient) -> Mapping[str, str]:
    """The preferred version of every group."""
    groups = kube.decode(await client.document("/apis"), "get /apis").get("groups")
    found = {"": "v1"}
    for group in groups if isinstance(groups, list) else ():
        if isinstance(group, dict):
            preferred = group.get("preferredVersion")
            version = preferred.get("version") if isinstance(preferred, dict) else None
            if isinstance(version, str) and isinstance(group.get("name"), str):
                found[str(group["name"])] = version
    return found


async def _plurals(client: kube.ApiClient, group: str, version: str) -> Mapping[str, str]:
    """Kinds of a group to the names of their resources."""
    path = f"/apis/{group}/{version}"
    entries = kube.decode(await client.document(path), f"get {path}").get("resources")
    return {
        str(entry.get("kind")): str(entry.get("name"))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and "/" not in str(entry.get("name"))
    }
