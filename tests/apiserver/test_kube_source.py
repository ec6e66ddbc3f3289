"""The source, the lease and the writers against a real API server: what no fake can vouch for."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip(
    "tests.cluster.controlplane", reason="the harness of a real API server is not here"
)

from gatereeve.api import registry
from gatereeve.api.world import World
from gatereeve.core import errors, findings, refs
from gatereeve.runtime.supervise import SystemClock
from gatereeve.sources.kube import resources, rights
from gatereeve.sources.kube.access import Kubeconfig
from gatereeve.sources.kube.apply import ApplyTarget, ServerSideApply
from gatereeve.sources.kube.client import ApiClient, ClientLimits, Object
from gatereeve.sources.kube.events import Events
from gatereeve.sources.kube.lease import Elector, LeaseSettings
from gatereeve.sources.kube.reflector import Pace
from gatereeve.sources.kube.source import KubeSettings, KubeSource
from gatereeve.sources.kube.typed_objects import ObjectReference

pytestmark = pytest.mark.usefixtures("crds", "gateway_crds")

MODELS = resources.of_kind(registry.BY_KIND["gatereeve.dev", "Model"])
PACE = Pace(page=5, first=0.05, most=1.0)
SPEC = {"owner": "corp/anna", "purpose": "credit", "riskClass": "high", "protocol": "json"}


class Leads:
    leading = True


def model(name: str = "credit", **spec: str) -> dict[str, Any]:
    return {
        "apiVersion": "gatereeve.dev/v1alpha1", "kind": "Model",
        "metadata": {"name": name}, "spec": SPEC | spec,
    }  # fmt: skip


@asynccontextmanager
async def client_of(apiserver: Any, user: str = "admin") -> AsyncIterator[ApiClient]:
    client = ApiClient(Kubeconfig(path=apiserver.kubeconfig(user)), limits=ClientLimits())
    try:
        yield client
    finally:
        await client.aclose()


class Following:
    """The Worlds of a source, until one says what is waited for."""

    def __init__(self, source: KubeSource) -> None:
        self.source = source
        self._worlds = source.worlds()

    async def until(self, says: Any, within_s: float = 90.0) -> World:
        async with asyncio.timeout(within_s):
            while True:
                world = await anext(self._worlds)
                if says(world):
                    return world

    async def aclose(self) -> None:
        await self._worlds.aclose()


@asynccontextmanager
async def following(client: ApiClient, **settings: Any) -> AsyncIterator[Following]:
    source = KubeSource(client, SystemClock(), KubeSettings(pace=PACE, **settings))
    async with contextlib.aclosing(Following(source)) as found:
        yield found


@pytest.mark.parametrize("streamed", [False, True])
async def test_documents_come_change_and_go(
    apiserver: Any, admin: Any, namespace: str, streamed: bool
) -> None:
    key = (namespace, "credit")
    pace = Pace(page=5, streamed=streamed)
    async with client_of(apiserver) as client:
        source = KubeSource(client, SystemClock(), KubeSettings(pace=pace))
        async with contextlib.aclosing(Following(source)) as worlds:
            for n in range(12):
                admin.apply(model(f"m{n}")).ok()
            admin.apply(model()).ok()
            first = await worlds.until(lambda w: key in w.models and (namespace, "m11") in w.models)
            doc = first.models[key]
            assert doc.meta.uid
            assert doc.meta.generation == 1
            assert doc.meta.created is not None
            assert not source.missing
            admin.apply(model(riskClass="limited")).ok()
            second = await worlds.until(lambda w: w.models[key].spec.risk_class == "limited")
            assert second.models[key].meta.generation == 2
            admin.delete(model()).ok()
            await worlds.until(lambda w: key not in w.models)


async def test_secrets_are_watched_without_their_content(
    apiserver: Any, admin: Any, namespace: str
) -> None:
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cert"}, "type": "Opaque",
        "stringData": {"v": "one"},
    }  # fmt: skip
    ingress = {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"},
        "spec": {"ingressClassName": "gr-test", "tls": [{"secretName": "cert"}],
                 "defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}},
    }  # fmt: skip
    cls = {
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": {"name": "gr-test"}, "spec": {"controller": "gatereeve.dev/gate"},
    }  # fmt: skip
    key = (namespace, "cert")
    async with client_of(apiserver) as client, following(client) as worlds:
        admin.apply(secret).ok()
        world = await worlds.until(lambda w: (namespace, "i") not in w.ingresses)
        assert key not in world.secrets
        admin.apply(cls).ok()
        admin.apply(ingress).ok()
        one = await worlds.until(lambda w: key in w.secrets)
        admin.apply({**secret, "stringData": {"v": "two"}}).ok()
        await worlds.until(
            lambda w: w.secrets[key].spec.data["v"] != one.secrets[key].spec.data["v"]
        )
        admin.delete(ingress).ok()
        await worlds.until(lambda w: key not in w.secrets)


async def test_a_restarted_api_server_takes_nothing_away(
    apiserver: Any, admin: Any, namespace: str
) -> None:
    key = (namespace, "credit")
    async with client_of(apiserver) as client, following(client) as worlds:
        admin.apply(model()).ok()
        await worlds.until(lambda w: key in w.models)
        coming = asyncio.ensure_future(worlds.until(lambda w: key in w.models and is_minimal(w)))

        def is_minimal(world: World) -> bool:
            return world.models[key].spec.risk_class == "minimal"

        apiserver.kill_apiserver()
        async with asyncio.timeout(30):
            while not all(m.problem for m in worlds.source.mirrors()):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.02)
        apiserver.start_apiserver()
        admin.apply(model(riskClass="minimal")).ok()
        world = await coming
        assert all(m.objects for m in worlds.source.mirrors() if m.kind in ("Model", "Namespace"))
        assert world.models[key].meta.generation == 2


async def test_endless_managed_fields_hide_nobody(
    apiserver: Any, admin: Any, namespace: str
) -> None:
    """Whoever may write an object may nest this part of it as deep as JSON goes."""
    deep: dict[str, Any] = {}
    for _ in range(900):
        deep = {"f:a": deep}
    text = json.dumps(deep).replace("{}", json.dumps(deep), 1)
    for _ in range(3):
        text = text.replace("{}", json.dumps(deep), 1)
    hostile = admin.apply(model("hostile")).ok()
    hostile["metadata"]["managedFields"] = [
        {"manager": "x", "operation": "Update", "apiVersion": "gatereeve.dev/v1alpha1",
         "time": "2026-11-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": "HERE"}
    ]  # fmt: skip
    content = json.dumps(hostile).replace('"HERE"', text)
    path = f"/apis/gatereeve.dev/v1alpha1/namespaces/{namespace}/models/hostile"
    with contextlib.suppress(RecursionError):  # the answer is more than `json` can read
        admin.request("PUT", path, content=content).ok()
    admin.apply(model()).ok()
    async with client_of(apiserver) as client, following(client) as worlds:
        kept = await client.get(MODELS, namespace, "hostile")
        assert kept.count(b"f:a") > 3000
        uid = hostile["metadata"]["uid"]
        about = ApplyTarget(resource=MODELS, namespace=namespace, name="hostile", uid=uid)
        await ServerSideApply(client, Leads()).edit_status(about, lambda s: s)
        world = await worlds.until(lambda w: (namespace, "credit") in w.models)
        assert (namespace, "hostile") in world.models


async def test_a_user_without_rights_gets_no_world(apiserver: Any) -> None:
    async with client_of(apiserver, "mallory") as client:
        source = KubeSource(client, SystemClock(), KubeSettings(pace=PACE))
        coming = asyncio.ensure_future(anext(source.worlds()))
        done, _ = await asyncio.wait({coming}, timeout=2.0)
        assert not done
        assert not source.synced
        assert all("cannot" in m.problem for m in source.mirrors())
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


async def test_objects_are_written_by_server_side_apply(
    apiserver: Any, admin: Any, namespace: str
) -> None:
    uid = admin.apply(model()).ok()["metadata"]["uid"]
    about = ApplyTarget(resource=MODELS, namespace=namespace, name="credit", uid=uid)
    labels: Object = {"metadata": {"labels": {"app": "gatereeve"}}}
    async with client_of(apiserver) as client:
        writer = ServerSideApply(client, Leads())
        assert await writer.apply_object(about, labels)
        assert not await ServerSideApply(client, Leads()).apply_object(about, labels)
        wrong = ApplyTarget(resource=MODELS, namespace=namespace, name="credit", uid="another")
        assert not await writer.apply_object(wrong, {"metadata": {"labels": {"a": "b"}}})
        assert not await writer.delete(wrong)
        body: Object = {
            "apiVersion": MODELS.api_version, "kind": "Model",
            "metadata": {"name": "credit", "namespace": namespace, "uid": "another"},
        }  # fmt: skip
        with pytest.raises(errors.ApiError, match="immutable"):
            await client.apply(MODELS, namespace, "credit", body)
        with pytest.raises(errors.ApiConflictError):
            await client.apply(
                MODELS, namespace, "nobody", body | {"metadata": {"name": "nobody", "uid": "x"}}
            )


async def test_one_replica_leads(apiserver: Any, namespace: str) -> None:
    def settings(identity: str) -> LeaseSettings:
        return LeaseSettings(
            name="gatereeve", namespace=namespace, identity=identity,
            lease_s=3.0, renew_s=2.0, retry_s=0.1,
        )  # fmt: skip

    async def until(true: Any) -> None:
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110 - two electors and a real server, nothing to await
                await asyncio.sleep(0.02)

    async with client_of(apiserver) as client:
        one = Elector(client, SystemClock(), settings("one"))
        two = Elector(client, SystemClock(), settings("two"))
        first = asyncio.create_task(one.run())
        await until(lambda: one.leadership.leading)
        second = asyncio.create_task(two.run())
        await until(lambda: two.leadership.holder == "one")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await until(lambda: two.leadership.leading)
        assert not one.leadership.leading
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)


def event_subject(ref: refs.Ref, uid: str) -> ObjectReference:
    return ObjectReference(
        api_version="gatereeve.dev/v1alpha1", kind=ref.kind, name=ref.name, uid=uid,
        namespace=ref.namespace,
    )  # fmt: skip


async def test_findings_become_events(apiserver: Any, admin: Any, namespace: str) -> None:
    uid = admin.apply(model()).ok()["metadata"]["uid"]
    ref = refs.Ref("gatereeve.dev", "Model", namespace, "credit")
    finding = findings.Finding(
        code=findings.FindingCode("model-unversioned"), message="no version", hint="add one",
        origin=refs.Origin(ref),
    )  # fmt: skip
    objects = {ref: event_subject(ref, uid)}
    async with client_of(apiserver) as client:
        for _ in range(2):
            events = Events(client, SystemClock(), Leads(), instance="test")
            assert await events.tell([finding], objects) == 1
            assert events.lost == 0
    path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
    (event,) = admin.request("GET", path).ok()["items"]
    assert event["reason"] == "ModelUnversioned"
    assert event["series"]["count"] == 2


CONTROLLER = "system:serviceaccount:gatereeve-system:gatereeve-controller"


async def test_the_rights_that_are_asked_for_are_enough(
    apiserver: Any, admin: Any, namespace: str
) -> None:
    """And not more than is needed: somebody's Secret is not written with them."""
    subject = {"kind": "User", "name": CONTROLLER, "apiGroup": "rbac.authorization.k8s.io"}
    made = (
        ("ClusterRole", "ClusterRoleBinding", rights.cluster_rules()),
        ("Role", "RoleBinding", rights.own_namespace_rules()),
    )
    for role, binding, rules in made:
        name = f"gr-{namespace}"
        head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
        of = {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name}
        admin.apply({**head, "kind": role, "rules": [rule.as_object() for rule in rules]}).ok()
        admin.apply({**head, "kind": binding, "roleRef": of, "subjects": [subject]}).ok()
    uid = admin.apply(model()).ok()["metadata"]["uid"]
    ref = refs.Ref("gatereeve.dev", "Model", namespace, "credit")
    about = ApplyTarget(resource=MODELS, namespace=namespace, name="credit", uid=uid)
    settings = LeaseSettings(name="gr", namespace=namespace, identity="one", retry_s=0.1)
    async with client_of(apiserver, CONTROLLER) as client, following(client) as worlds:
        await worlds.until(lambda w: (namespace, "credit") in w.models)
        writer = ServerSideApply(client, Leads())
        assert await writer.edit_status(about, lambda _: {"observedGeneration": 1})
        elector = Elector(client, SystemClock(), settings)
        assert await elector.try_once()
        events = Events(client, SystemClock(), Leads(), instance="test")
        finding = findings.Finding(
            code=findings.FindingCode("model-unversioned"), message="no version", hint="",
            origin=refs.Origin(ref),
        )  # fmt: skip
        objects = {ref: event_subject(ref, uid)}
        assert await events.tell([finding], objects) == 1
        secrets = resources.of_kind(registry.BY_KIND["", "Secret"])
        for verb in ("create", "update", "patch", "delete"):
            assert not await client.is_allowed(verb, secrets)


async def test_what_we_may_do(apiserver: Any) -> None:
    async with client_of(apiserver) as client:
        assert await client.is_allowed("list", MODELS)
    async with client_of(apiserver, "mallory") as client:
        assert not await client.is_allowed("list", MODELS)
