"""Bytes of Secrets: read only where named and granted, read again when changed, dropped when not."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.support.apiserver import ApiServer, Fault, Obj
from tests.unit.sources.kube.test_source import cluster, codes, put

GATE = """\
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: gate}
spec: {region: de, https: {port: 8443}, classes: [ours]}
"""
GATE_KEYS = GATE.replace(
    "classes: [ours]",
    "classes: [ours], identity: {apiKeys: {name: partners, keys: [{id: acme, secret: {name: acme, namespace: keys}}]}}",
)


def secret(name: str, namespace: str = "web", value: str = "one") -> Obj:
    data = {"v": base64.b64encode(value.encode()).decode()}
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque", "data": data,
    }  # fmt: skip


def tls_ingress(name: str, secret_name: str, cls: str | None = "ours", **annotations: str) -> Obj:
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "namespace": "web", "annotations": annotations},
        "spec": {"tls": [{"secretName": secret_name}], **({"ingressClassName": cls} if cls else {})},
    }  # fmt: skip


def gateway(secret_namespace: str = "certs", cls: str = "ours") -> Obj:
    ref = {"name": "cert", "namespace": secret_namespace}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "g", "namespace": "web"},
        "spec": {"gatewayClassName": cls, "listeners": [
            {"name": "a", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [ref]}}
        ]},
    }  # fmt: skip


def grant(name: str | None = None) -> Obj:
    to = {"group": "", "kind": "Secret"} | ({"name": name} if name else {})
    by = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "web"}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ReferenceGrant",
        "metadata": {"name": "g", "namespace": "certs"}, "spec": {"from": [by], "to": [to]},
    }  # fmt: skip


def read_of(server: ApiServer) -> list[str]:
    """The Secrets whose bytes left the server, by name."""
    return [
        r.path.rpartition("/")[2]
        for r in server.requests
        if "/secrets/" in r.path or (r.path.endswith("/secrets") and "Partial" not in r.headers["accept"])
    ]  # fmt: skip


async def test_only_what_is_named_is_read(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, GATE)
        for name in ("mine", "theirs", "lonely"):
            c.server.put(secret(name))
        c.server.put(tls_ingress("a", "mine"))
        c.server.put(tls_ingress("b", "theirs", cls="nginx"))
        world = await c.world()
        assert list(world.secrets) == [("web", "mine")]
        assert read_of(c.server) == ["mine"]
        assert all(
            "PartialObjectMetadata" in r.headers["accept"]
            for r in c.server.asked("GET", "/api/v1/secrets")
        )


@pytest.mark.parametrize(
    ("cls", "annotations", "class_doc", "is_read"),
    [
        ("ours", {}, None, True),
        (None, {"kubernetes.io/ingress.class": "ours"}, None, True),
        (None, {}, None, False),
        ("byclass", {}, {"controller": "gatereeve.dev/gate"}, True),
        ("byclass", {}, {"controller": "example.com/other"}, False),
        (None, {}, {"controller": "gatereeve.dev/gate", "default": "true"}, True),
        (None, {}, {"controller": "example.com/other", "default": "true"}, False),
    ],
)
async def test_the_class_decides_whose_it_is(
    tmp_path: Path,
    cls: str | None,
    annotations: dict[str, str],
    class_doc: dict[str, str] | None,
    is_read: bool,
) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, GATE)
        c.server.put(secret("cert"))
        c.server.put(tls_ingress("a", "cert", cls, **annotations))
        if class_doc is not None:
            notes = {
                "ingressclass.kubernetes.io/is-default-class": class_doc.get("default", "false")
            }
            c.server.put({
                "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
                "metadata": {"name": "byclass", "annotations": notes},
                "spec": {"controller": class_doc["controller"]},
            })  # fmt: skip
        world = await c.world()
        assert bool(world.secrets) is is_read
        assert read_of(c.server) == (["cert"] if is_read else [])


async def test_a_gate_names_secrets_anywhere(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, GATE_KEYS)
        c.server.put(secret("acme", "keys"))
        assert list((await c.world()).secrets) == [("keys", "acme")]


async def test_another_namespace_needs_a_grant(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, GATE)
        c.server.put(secret("cert", "certs"))
        c.server.put(gateway())
        assert (await c.world()).secrets == {}
        c.server.put(grant("another"))
        assert (await c.world()).secrets == {}
        assert read_of(c.server) == []
        c.server.put(grant())
        assert list((await c.world()).secrets) == [("certs", "cert")]
        c.server.delete("ReferenceGrant", "certs", "g")
        assert (await c.world()).secrets == {}
        assert read_of(c.server) == ["cert"]


async def test_a_changed_secret_is_read_again_and_only_then(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, GATE)
        c.server.put(secret("cert"))
        c.server.put(tls_ingress("a", "cert"))
        before = (await c.world()).secrets["web", "cert"]
        c.server.put(tls_ingress("b", "cert"))
        assert (await c.world()).secrets["web", "cert"] is before
        assert read_of(c.server) == ["cert"]
        c.server.put(secret("cert", value="two"))
        after = (await c.world()).secrets["web", "cert"]
        assert base64.b64decode(after.spec.data["v"]) == b"two"
        assert read_of(c.server) == ["cert", "cert"]


async def test_what_is_not_named_any_more_is_dropped(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, GATE)
        c.server.put(secret("cert"))
        c.server.put(tls_ingress("a", "cert"))
        assert (await c.world()).secrets
        c.server.delete("Ingress", "web", "a")
        world = await c.world()
        assert (world.secrets, world.ingresses) == ({}, {})
        c.server.put(secret("cert", value="two"))
        await c.nothing()
        assert read_of(c.server) == ["cert"]


async def test_a_reference_and_its_secret_come_in_one_world(tmp_path: Path) -> None:
    """Between them a host would have no certificate."""
    async with cluster(tmp_path, secret_wait=10.0) as c:
        put(c.server, GATE)
        for name in ("old", "new"):
            c.server.put(secret(name))
        c.server.put(tls_ingress("a", "old"))
        await c.world()
        c.server.put(tls_ingress("a", "new"))
        assert list((await c.world()).secrets) == [("web", "new")]


async def test_a_deleted_secret_is_gone_at_once(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, GATE)
        c.server.put(secret("cert"))
        c.server.put(tls_ingress("a", "cert"))
        await c.world()
        c.server.delete("Secret", "web", "cert")
        assert (await c.world()).secrets == {}
        c.server.put(secret("cert", value="two"))
        assert (await c.world()).secrets


async def test_a_secret_that_may_not_be_read_is_a_finding(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, GATE)
        c.server.put(secret("cert"))
        c.server.put(tls_ingress("a", "cert"))
        c.server.denied.add(("get", "secrets"))
        world = await c.world()
        assert world.secrets == {}
        assert codes(world) == {"secret-unreadable"}
        (found,) = world.findings
        assert str(found.origin) == "Ingress web/a spec.tls[0]"
        c.server.denied.clear()
        assert (await c.world()).secrets


async def test_refused_later_the_bytes_stay(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, GATE)
        c.server.put(secret("cert"))
        c.server.put(tls_ingress("a", "cert"))
        before = await c.world()
        c.server.denied.add(("get", "secrets"))
        c.server.put(secret("cert", value="two"))
        after = await c.world()
        assert codes(after) == {"secret-unreadable"}
        assert after.secrets["web", "cert"] is before.secrets["web", "cert"]


async def test_the_first_world_waits_for_the_bytes(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, GATE)
        c.server.put(secret("cert"))
        c.server.put(tls_ingress("a", "cert"))
        fault = Fault(path="*/secrets/cert", status=503, times=10**6)
        c.server.faults.append(fault)
        c.coming()
        await c.server.wait_for(lambda: fault.times < 10**6)
        await c.nothing()
        c.server.faults.clear()
        assert (await c.world()).secrets


async def test_a_namespace_that_is_not_watched_is_told(tmp_path: Path) -> None:
    async with cluster(tmp_path, namespaces=("web",)) as c:
        put(c.server, GATE_KEYS)
        c.server.put(secret("acme", "keys"))
        world = await c.world()
        assert codes(world) == {"secret-unreadable"}
        assert read_of(c.server) == []


async def test_values_stand_in_no_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    async with cluster(tmp_path) as c:
        put(c.server, GATE)
        c.server.put(secret("cert", value="hunter2-hunter2"))
        c.server.put(tls_ingress("a", "cert"))
        world = await c.world()
        value = base64.b64encode(b"hunter2-hunter2").decode()
        assert value not in repr(world.secrets)
        assert value not in caplog.text
