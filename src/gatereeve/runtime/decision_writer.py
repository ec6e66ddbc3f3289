"""One decision on one version, written to a cluster as the user who decides.

The version is read as it is now, so the digest is what the cluster has; the person is who the API
server says. Whether the decision may be made is said by the guards, in the API server's answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from gatereeve.admission.guards.settings import Object
from gatereeve.api import objects, registry
from gatereeve.api.world import ModelVersionDoc
from gatereeve.core import errors
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube import resources
from gatereeve.sources.kube.access import Access

_VERSIONS: Final = resources.of_kind(registry.BY_KIND["gatereeve.dev", "ModelVersion"])
_APPROVALS: Final = resources.of_kind(registry.BY_KIND["gatereeve.dev", "Approval"])


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionWriter:
    """What is decided on, and who decides, as the API server has them."""

    version: ModelVersionDoc
    username: str


Make = Callable[[DecisionWriter], Object]
"""The Approval. Raises GatereeveError where it must not be made."""


async def decide(access: Access, namespace: str, name: str, make: Make) -> Object:
    """Make the Approval and give it back as the API server keeps it.

    Raises ApiError when the version is not there, or when the API server refuses; SourceError when
    the version cannot be read; and what `make` raises.
    """
    client = kube.ApiClient(access)
    try:
        inputs = DecisionWriter(
            version=await _version(client, namespace, name), username=await client.username()
        )
        wanted = make(inputs)
        try:
            answer = await client.create(_APPROVALS, namespace, cast("kube.Object", wanted))
        except errors.ApiConflictError as error:
            raise errors.ApiConflictError(
                f"{inputs.username} has decided so already, on this digest and in this role",
                hint="kubectl get approvals shows it; delete it to decide again",
            ) from error
        except errors.ApiRefusedError as error:
            raise errors.ApiRefusedError(
                str(error), hint="the message begins with the guard's code: docs/how-to/guards.md"
            ) from error
    finally:
        await client.aclose()
    return cast("Object", answer)


async def _version(client: kube.ApiClient, namespace: str, name: str) -> ModelVersionDoc:
    try:
        body = await client.get(_VERSIONS, namespace, name)
    except errors.ApiMissingError as error:
        raise errors.ApiMissingError(
            f"there is no ModelVersion {namespace}/{name} in the cluster",
            hint="write NAMESPACE/NAME; kubectl get modelversions -A lists them",
        ) from error
    except errors.ApiRefusedError as error:
        raise errors.ApiRefusedError(
            str(error), hint="deciding needs the role gatereeve-approver; see `gatereeve guards`"
        ) from error
    outcome = objects.read(kube.decode(body, f"get ModelVersion {namespace}/{name}"))
    if outcome.doc is None:
        problems = "; ".join(finding.message for finding in outcome.findings)
        raise errors.SourceError(f"ModelVersion {namespace}/{name} cannot be read: {problems}")
    return cast("ModelVersionDoc", outcome.doc)
