"""Writes: at most one per object and change, none by a follower, nobody else's entries touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatereeve.api import registry
from gatereeve.core import errors, findings, refs
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube import resources
from gatereeve.sources.kube.apply import ApplyTarget, ServerSideApply, is_said
from gatereeve.sources.kube.events import Events, event_of
from gatereeve.sources.kube.typed_objects import ObjectReference
from tests.support.apiserver import ApiServer, Fault, Obj, serving
from tests.unit.sources.clock import StillClock
from tests.unit.sources.kube.harness import client_of

MODELS = resources.of_kind(registry.BY_KIND["gatereeve.dev", "Model"])
ROUTES = resources.of_kind(registry.BY_KIND["gateway.networking.k8s.io", "HTTPRoute"])
MODEL = {
    "apiVersion": "gatereeve.dev/v1alpha1", "kind": "Model",
    "metadata": {"name": "m", "namespace": "web"}, "spec": {"owner": "a"},
}  # fmt: skip


class Leads:
    """Implements `apply.Leads`."""

    def __init__(self, *, leading: bool = True) -> None:
        self.leading = leading


def owned(owner: str = "b") -> kube.Object:
    return {"spec": {"owner": owner}}


def owner_of(server: ApiServer) -> Any:
    found = server.find("Model", "web", "m")
    assert found is not None
    return found["spec"]["owner"]


def accepted(status: str = "True", **more: Any) -> dict[str, Any]:
    condition = {"type": "Accepted", "status": status, "reason": "Accepted", "message": ""}
    return {"conditions": [condition | more]}


def target(
    server: ApiServer, kind: str = "Model", resource: resources.ApiResource = MODELS
) -> ApplyTarget:
    found = server.find(kind, "web", "m")
    assert found is not None
    return ApplyTarget(resource=resource, namespace="web", name="m", uid=found["metadata"]["uid"])


def status_of(server: ApiServer, kind: str = "Model") -> Any:
    found = server.find(kind, "web", "m")
    assert found is not None
    return found.get("status")


def writes(server: ApiServer) -> int:
    return len([r for r in server.requests if r.method != "GET"])


async def test_one_write_per_change_and_none_without(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put(MODEL)
        writer = ServerSideApply(client, Leads())
        assert await writer.apply_object(target(server), owned())
        assert not await writer.apply_object(target(server), owned())
        assert await writer.apply_object(target(server), owned("False"))
        assert writes(server) == writer.written == 2
        assert owner_of(server) == "False"
        (first, *_) = (r for r in server.requests if r.method == "PATCH")
        assert first.path.endswith("/models/m")
        assert first.params == {"fieldManager": "gatereeve", "force": "true"}
        assert first.headers["content-type"] == "application/apply-patch+yaml"


async def test_a_new_leader_does_not_write_what_is_there(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put(MODEL)
        await ServerSideApply(client, Leads()).apply_object(target(server), owned())
        again = ServerSideApply(client, Leads())
        assert not await again.apply_object(target(server), owned())
        assert writes(server) == 1
        again.forget()
        server.put({**MODEL, "spec": {"owner": "c"}})
        assert await again.apply_object(target(server), owned())


async def test_a_follower_writes_nothing(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put(MODEL)
        leads = Leads(leading=False)
        writer = ServerSideApply(client, leads)
        about = target(server)
        assert not await writer.apply_object(about, owned())
        assert not await writer.edit_status(about, lambda _: accepted())
        assert not await writer.delete(about)
        assert writes(server) == 0
        leads.leading = True
        assert await writer.apply_object(about, owned())


async def test_the_lease_is_asked_again_after_reading(tmp_path: Path) -> None:
    class LosesIt:
        """Leads at the first question only."""

        def __init__(self) -> None:
            self.asked = 0

        @property
        def leading(self) -> bool:
            self.asked += 1
            return self.asked == 1

    async with serving() as server, client_of(server, tmp_path) as client:
        server.put(MODEL)
        assert not await ServerSideApply(client, LosesIt()).apply_object(target(server), owned())
        assert not await ServerSideApply(client, LosesIt()).edit_status(
            target(server), lambda _: {"a": 1}
        )
        assert writes(server) == 0


async def test_another_object_of_that_name_is_left_alone(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put(MODEL)
        about = target(server)
        server.delete("Model", "web", "m")
        writer = ServerSideApply(client, Leads())
        assert not await writer.apply_object(about, owned())
        assert not await writer.edit_status(about, lambda _: {"a": 1})
        assert not await writer.delete(about)
        server.put(MODEL)
        assert not await writer.apply_object(about, owned())
        assert not await writer.edit_status(about, lambda _: {"a": 1})
        assert not await writer.delete(about)
        assert status_of(server) is None
        assert writer.written == 0


async def test_an_object_made_anew_is_not_written_for_the_old_one(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put(MODEL)
        old = target(server)
        writer = ServerSideApply(client, Leads())
        await writer.apply_object(old, owned())
        server.delete("Model", "web", "m")
        server.put(MODEL)
        assert not await writer.apply_object(old, owned("False"))
        assert await writer.apply_object(target(server), owned("c"))
        assert owner_of(server) == "c"


def with_ours(status: kube.Object) -> kube.Object:
    """Ours exchanged, the others as they are: what a route's `parents` wants."""
    parents = status.get("parents")
    others = [p for p in (parents if isinstance(parents, list) else []) if p != OURS]
    return {**status, "parents": [*others, OURS]}


OURS: kube.Json = {"controllerName": "gatereeve.dev/gate"}
THEIRS: Obj = {"controllerName": "example.com/other", "conditions": []}
ROUTE = {
    "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
    "metadata": {"name": "m", "namespace": "web"}, "spec": {},
}  # fmt: skip


async def test_lists_that_are_one_value_are_edited(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put({**ROUTE, "status": {"parents": [THEIRS]}})
        writer = ServerSideApply(client, Leads())
        about = target(server, "HTTPRoute", ROUTES)
        assert await writer.edit_status(about, with_ours)
        assert status_of(server, "HTTPRoute")["parents"] == [THEIRS, OURS]
        assert not await writer.edit_status(about, with_ours)
        assert writes(server) == 1


async def test_an_edit_that_was_overtaken_is_made_again(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put(ROUTE)

        def overtaken(status: kube.Object) -> kube.Object:
            if "parents" not in status:
                server.put({**ROUTE, "status": {"parents": [THEIRS]}})
            return with_ours(status)

        writer = ServerSideApply(client, Leads())
        assert await writer.edit_status(target(server, "HTTPRoute", ROUTES), overtaken)
        assert status_of(server, "HTTPRoute")["parents"] == [THEIRS, OURS]


def seen(server: ApiServer, **changes: Any) -> Callable[..., kube.Object]:
    """The route as a watch showed it: as it is now, but for these changes."""
    found = server.find("HTTPRoute", "web", "m")
    assert found is not None
    metadata = {key: found["metadata"][key] for key in ("uid", "resourceVersion")}
    return lambda *_: {"metadata": metadata, "status": found.get("status") or {}} | changes


async def test_what_the_watch_showed_saves_a_request(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put({**ROUTE, "status": {"parents": [THEIRS]}})
        writer = ServerSideApply(client, Leads(), observed=seen(server))
        assert await writer.edit_status(target(server, "HTTPRoute", ROUTES), with_ours)
        assert status_of(server, "HTTPRoute")["parents"] == [THEIRS, OURS]
        assert [r.method for r in server.requests] == ["PATCH"]


@pytest.mark.parametrize("shown", [{}, {"status": {"parents": [OURS]}}, {"status": {}}])
async def test_what_the_watch_showed_may_be_old(tmp_path: Path, shown: dict[str, Any]) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put(ROUTE)
        old = seen(server, **shown)
        server.put({**ROUTE, "status": {"parents": [THEIRS]}})
        writer = ServerSideApply(client, Leads(), observed=old)
        assert await writer.edit_status(target(server, "HTTPRoute", ROUTES), with_ours)
        assert status_of(server, "HTTPRoute")["parents"] == [THEIRS, OURS]


async def test_an_object_that_was_made_anew_is_asked_for(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put(ROUTE)
        old = seen(server)
        server.delete("HTTPRoute", "web", "m")
        server.put(ROUTE)
        writer = ServerSideApply(client, Leads(), observed=old)
        assert await writer.edit_status(target(server, "HTTPRoute", ROUTES), with_ours)


async def test_an_edit_can_take_away(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put({**ROUTE, "status": {"parents": [OURS], "a": 1}})
        writer = ServerSideApply(client, Leads())
        assert await writer.edit_status(target(server, "HTTPRoute", ROUTES), lambda _: {"a": 1})
        assert status_of(server, "HTTPRoute") == {"a": 1}


async def test_a_write_that_failed_is_not_taken_for_done(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put(MODEL)
        writer = ServerSideApply(client, Leads())
        server.faults.append(Fault(method="PATCH", status=503))
        with pytest.raises(errors.ApiUnavailableError):
            await writer.apply_object(target(server), owned())
        assert await writer.apply_object(target(server), owned())
        assert owner_of(server) == "b"


async def test_whole_objects_are_made_and_taken_away(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        writer = ServerSideApply(client, Leads())
        about = ApplyTarget(resource=MODELS, namespace="web", name="m")
        labels: kube.Object = {"labels": {"app": "gatereeve"}}
        body: kube.Object = {"metadata": labels, "spec": {"owner": "a"}}
        assert await writer.apply_object(about, body)
        assert not await writer.apply_object(about, body)
        found = server.find("Model", "web", "m")
        assert found is not None
        assert found["metadata"]["labels"] == {"app": "gatereeve"}
        assert await writer.delete(target(server))
        assert not server.all("Model")


def test_what_is_said() -> None:
    there: kube.Json = {
        "conditions": [{"type": "A", "status": "True", "x": 1}, {"type": "B"}],
        "n": 1,
    }
    assert is_said({"conditions": [{"type": "A", "status": "True"}]}, there)
    assert not is_said({"conditions": [{"type": "A", "status": "False"}]}, there)
    assert not is_said({"conditions": [{"type": "C"}]}, there)
    assert is_said({"a": [1, 2]}, {"a": [1, 2]})
    assert not is_said({"a": [1, 2]}, {"a": [1, 2, 3]})
    assert not is_said({"a": []}, {})


# events


def finding(code: str = "host-not-granted", message: str = "no grant") -> findings.Finding:
    ref = refs.Ref("gatereeve.dev", "Model", "web", "m")
    return findings.Finding(
        code=findings.FindingCode(code), message=message, hint="ask for one",
        origin=refs.Origin(ref, "spec.owner"),
    )  # fmt: skip


def abouts(uid: str = "u1") -> dict[refs.Ref, ObjectReference]:
    ref = refs.Ref("gatereeve.dev", "Model", "web", "m")
    return {
        ref: ObjectReference(
            api_version="gatereeve.dev/v1alpha1", kind="Model", name="m", uid=uid, namespace="web"
        )
    }


async def test_a_finding_becomes_one_event(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        events = Events(client, StillClock(), Leads(), instance="controller-1")
        assert await events.tell([finding(), finding()], abouts()) == 1
        assert await events.tell([finding()], abouts()) == 0
        (event,) = server.all("Event")
        assert event["reason"] == "HostNotGranted"
        assert event["note"] == "spec.owner: no grant (ask for one)"
        assert event["type"] == "Warning"
        assert event["regarding"] == {
            "apiVersion": "gatereeve.dev/v1alpha1", "kind": "Model", "name": "m",
            "namespace": "web", "uid": "u1",
        }  # fmt: skip
        assert event["reportingController"] == "gatereeve.dev/gate"
        assert event["eventTime"].endswith("Z")


async def test_what_comes_back_counts_on(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        events = Events(client, StillClock(), Leads(), instance="controller-1")
        await events.tell([finding()], abouts())
        await events.tell([], abouts())
        assert await events.tell([finding()], abouts()) == 1
        another = Events(client, StillClock(), Leads(), instance="controller-2")
        assert await another.tell([finding()], abouts()) == 1
        (event,) = server.all("Event")
        assert event["series"]["count"] == 3


async def test_events_are_bounded_and_only_the_leader_tells(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        follower = Events(client, StillClock(), Leads(leading=False), instance="c")
        assert await follower.tell([finding()], abouts()) == 0
        events = Events(client, StillClock(), Leads(), instance="c")
        many = [finding(message=f"no grant {n}") for n in range(70)]
        assert await events.tell(many, abouts()) == 50
        assert await events.tell(many, abouts()) == 20
        assert len(server.all("Event")) == 70


async def test_an_event_that_is_lost_hurts_nobody(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.faults.append(Fault(method="POST", status=503))
        events = Events(client, StillClock(), Leads(), instance="c")
        many = [finding(message=f"no grant {n}") for n in range(3)]
        assert await events.tell(many, abouts()) == 2
        assert events.lost == 1


def test_an_event_keeps_the_bounds_of_its_kind() -> None:
    (about,) = abouts().values()
    event = event_of("n", about, finding(message="x" * 2000), StillClock().now(), "i" * 300)
    assert len(event.note) <= 1024
    assert len(event.reporting_instance) <= 128
