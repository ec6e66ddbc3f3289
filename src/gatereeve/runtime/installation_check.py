"""Looks at a cluster before an installation: reads the facts, has them judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from gatereeve.admission.installation import check_installation
from gatereeve.api import crd
from gatereeve.core.canonical import Json
from gatereeve.core.installation import Check
from gatereeve.sources.kube.access import Access
from gatereeve.sources.kube.client import ApiClient
from gatereeve.sources.kube.installation_facts import survey


def our_definitions() -> Mapping[str, Json]:
    """Our CustomResourceDefinitions by name, as this version has them."""
    definitions = {f"{kind.plural}.{kind.group}": crd.definition(kind) for kind in crd.defined()}
    return cast("Mapping[str, Json]", definitions)


async def look(access: Access, *, namespace: str) -> tuple[Check, ...]:
    """Every check. namespace: of the installation. Raises SettingsError, or ApiError when the server
    does not answer."""
    ours = our_definitions()
    client = ApiClient(access)
    try:
        facts = await survey(client, namespace=namespace, definitions=ours)
    finally:
        await client.aclose()
    return check_installation(facts, ours)
