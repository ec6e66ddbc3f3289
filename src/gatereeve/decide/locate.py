"""From what decided to the file and line where a person wrote it.

IR and steps carry an `Origin`; the World knows on which lines its documents stand.
"""

from __future__ import annotations

from collections.abc import Mapping

from gatereeve.api.world import Doc, Key, World
from gatereeve.core.refs import Origin, Where


def locate(world: World, origin: Origin) -> Where | None:
    """File and line of `origin`, or of the nearest place around it.

    None when the document is not in this World or did not come from a file.
    """
    ref = origin.ref
    documents = _documents(world, ref.kind)
    found = documents.get((ref.namespace, ref.name))
    if found is None or found.ref != ref:
        return None
    return found.where(origin.path)


def _documents(world: World, kind: str) -> Mapping[Key, Doc[object]]:
    by_kind: dict[str, Mapping[Key, Doc[object]]] = {
        "Gate": world.gates,
        "HostGrant": world.host_grants,
        "Model": world.models,
        "ModelVersion": world.model_versions,
        "Approval": world.approvals,
        "AccessPolicy": world.access_policies,
        "Rollout": world.rollouts,
        "Namespace": world.namespaces,
        "Ingress": world.ingresses,
        "IngressClass": world.ingress_classes,
        "Service": world.services,
        "EndpointSlice": world.endpoint_slices,
        "Secret": world.secrets,
        "GatewayClass": world.gateway_classes,
        "Gateway": world.gateways,
        "HTTPRoute": world.http_routes,
        "ReferenceGrant": world.reference_grants,
    }
    return by_kind.get(kind, {})
