"""Gives every Service of type LoadBalancer an address, as a cloud's controller does.

Only the status is written: the machine routes the whole range to a node, and kube-proxy there serves
each address that a Service's status names. An address stays with its Service; a wish in
spec.loadBalancerIP is granted where it is free. An API server that is away is asked again.

`python -m tests.cluster.balancers STATE` runs it beside the control plane in that folder.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2

from tests.cluster import network
from tests.cluster.api import MERGE, Api, RefusedError
from tests.cluster.controlplane import ControlPlane

_PAUSE_S = 0.3
_RANGE = tuple(f"{network.BALANCERS}.{last}" for last in range(1, 255))


def assignments(services: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Path of a Service → the address that it is to get; only for those that have none yet."""
    taken = {address for service in services for address in _addresses(service)}
    found = {}
    for service in services:
        if _addresses(service):
            continue
        wish = service["spec"].get("loadBalancerIP")
        if wish in _RANGE and wish not in taken:
            address = wish
        else:
            address = next((free for free in _RANGE if free not in taken), None)
        if address is not None:
            taken.add(address)
            meta = service["metadata"]
            found[f"/api/v1/namespaces/{meta['namespace']}/services/{meta['name']}"] = address
    return found


def serve(api: Api) -> None:
    while True:
        try:
            _round(api)
        except (httpx2.HTTPError, RefusedError) as error:
            print(f"asking again: {error}", file=sys.stderr, flush=True)
        time.sleep(_PAUSE_S)


def _round(api: Api) -> None:
    # from the API server's cache: with thousands of Services, asking etcd took most of a processor
    chosen = {"fieldSelector": "spec.type=LoadBalancer", "resourceVersion": "0"}
    services = api.request("GET", "/api/v1/services", query=chosen).ok()["items"]
    for path, address in assignments(services).items():
        status = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}
        api.request("PATCH", f"{path}/status", body={"status": status}, media=MERGE)
        print(f"{path}: {address}", flush=True)


def _addresses(service: Mapping[str, Any]) -> list[str]:
    told = service.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return [entry["ip"] for entry in told if "ip" in entry]


if __name__ == "__main__":
    plane = ControlPlane(state=Path(sys.argv[1]), address=network.HOST)
    with plane.api("admin") as admin:
        serve(admin)
