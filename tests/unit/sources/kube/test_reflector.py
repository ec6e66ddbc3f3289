"""The requirements of a reflector, one test or more for each, against every fault of a server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gatereeve.api import registry
from gatereeve.sources.kube.client import ClientLimits
from gatereeve.sources.kube.reflector import Pace
from tests.support.apiserver import ApiServer, Fault, serving
from tests.unit.sources.kube.harness import (
    LIST,
    MODEL,
    Seen,
    client_of,
    ingress,
    put_ingresses,
    reflecting,
)


async def watched(server: ApiServer, plural: str = "ingresses", watches: int = 1) -> None:
    await server.wait_for(lambda: server.watches(plural) == watches)


# 1 list with limit and continue


async def test_a_list_comes_in_pages_and_is_handed_on_as_one(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, *"abcdefgh")
        async with reflecting(client) as (_, seen):
            await seen.until(lambda: seen.lists == 1)
            assert sorted(seen.now) == list("abcdefgh")
        asked = [r.params for r in server.asked("GET", LIST, watch=False)]
        assert [p["limit"] for p in asked] == ["3", "3", "3"]
        assert ["continue" in p for p in asked] == [False, True, True]


async def test_410_in_the_middle_of_paging_starts_a_full_list(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, *"abcdefgh")
        server.faults.append(Fault(path=LIST, page=True, status=410, reason="Expired"))
        async with reflecting(client) as (_, seen):
            await seen.until(lambda: bool(seen.log))
            assert sorted(seen.now) == list("abcdefgh")
            assert seen.lists == 1
        assert "limit" not in server.asked("GET", LIST, watch=False)[-1].params


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatereeve.sources.kube.client.MAX_PAGE_BYTES", 3000)
    async with serving() as server, client_of(server, tmp_path) as client:
        for name in "abcdef":
            server.put(ingress(name, rules=[{"host": "x" * 1000}]))
        async with reflecting(client, pace=Pace(page=6)) as (_, seen):
            await seen.until(lambda: len(seen.now) == 6)
            assert seen.lists == 1


# 2 bookmarks and a random life


async def test_a_watch_asks_for_bookmarks_and_an_end(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        async with reflecting(client, pace=Pace(first=0.001, healthy=0.0)):
            for n in range(12):
                await server.wait_for(lambda n=n: len(server.asked("GET", LIST, watch=True)) > n)  # type: ignore[misc]  # bound per turn
                await watched(server)
                server.end("ingresses")
        lives = [int(r.params["timeoutSeconds"]) for r in server.asked("GET", LIST, watch=True)]
        assert all(290 <= life <= 590 for life in lives)
        assert len(set(lives)) > 3
        assert {r.params["allowWatchBookmarks"] for r in server.asked("GET", LIST, watch=True)} == {"true"}  # fmt: skip


async def test_a_watch_goes_on_from_the_last_bookmark(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a")
        async with reflecting(client) as (reflector, seen):
            await watched(server)
            server.version = 5000
            server.bookmark("ingresses")
            server.end("ingresses")
            await server.wait_for(lambda: len(server.asked("GET", LIST, watch=True)) == 2)
            assert server.asked("GET", LIST, watch=True)[1].params["resourceVersion"] == "5000"
            assert seen.lists == 1
            assert reflector.health.relists == 0


# 3 inactivity


async def test_a_half_open_watch_is_left(tmp_path: Path) -> None:
    limits = ClientLimits(inactivity_s=0.1)
    async with serving() as server, client_of(server, tmp_path, limits=limits) as client:
        put_ingresses(server, "a")
        async with reflecting(client) as (_, seen):
            await watched(server)
            server.silence("ingresses")
            server.put(ingress("b"))
            await seen.until(lambda: sorted(seen.now) == ["a", "b"])


async def test_bookmarks_keep_a_quiet_watch_alive(tmp_path: Path) -> None:
    limits = ClientLimits(inactivity_s=0.3)
    async with serving() as server, client_of(server, tmp_path, limits=limits) as client:
        server.bookmark_s = 0.02
        async with reflecting(client) as (reflector, _):
            await watched(server)
            before = len(server.requests)
            await server.wait_for(lambda: server.bookmarks >= 30)
            assert len(server.requests) == before
            assert reflector.health.failures == 0


# 4 410, both ways, and deletes that nobody saw


@pytest.mark.parametrize("how", ["status", "event"])
async def test_410_lists_again_and_tells_what_is_gone(tmp_path: Path, how: str) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a", "b")
        async with reflecting(client) as (reflector, seen):
            await watched(server)
            server.silence()
            server.vanish("Ingress", "web", "b")
            server.put(ingress("c"))
            if how == "status":
                server.forget("ingresses")
                server.version += 1
                server.end("ingresses")
            else:
                for stream in server.streams:
                    stream.silent = False
                server.expire("ingresses")
            await seen.until(lambda: sorted(seen.now) == ["a", "c"])
            assert "-b" in seen.log
            await watched(server)
            assert reflector.health.relists >= 1
            await seen.until(lambda: reflector.health.problem == "")


async def test_410_for_ever_is_no_busy_loop(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.faults.append(Fault(path=LIST, watch=True, status=410, times=10**6))
        async with reflecting(client, pace=Pace(first=0.05, most=10.0)) as (reflector, seen):
            await seen.until(lambda: seen.lists >= 5)
            assert reflector.health.failures >= 3
            before = len(server.requests)
            await seen.until(lambda: seen.lists >= 6)
            assert len(server.requests) - before <= 4


# 5 lists that are streamed


async def test_a_streamed_list_is_whole_or_nothing(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.streams_lists = True
        put_ingresses(server, *"abcde")
        async with reflecting(client, pace=Pace(streamed=True)) as (_, seen):
            await seen.until(lambda: seen.lists == 1)
            assert sorted(seen.now) == list("abcde")
            await watched(server)
        first = server.asked("GET", LIST)[0].params
        assert first["sendInitialEvents"] == "true"
        assert first["resourceVersionMatch"] == "NotOlderThan"
        assert not server.asked("GET", LIST, watch=False)


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_without_streamed_lists_is_asked_for_pages(
    tmp_path: Path, status: int
) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a")
        server.faults.append(Fault(path=LIST, watch=True, status=status))
        async with reflecting(client, pace=Pace(streamed=True)) as (_, seen):
            await seen.until(lambda: seen.lists == 1)
            assert sorted(seen.now) == ["a"]
            await watched(server)
            assert len(server.asked("GET", LIST, watch=False)) == 1


# 6 back-off


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_server_errors_are_waited_out(tmp_path: Path, status: int) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a")
        server.faults.append(Fault(path=LIST, status=status, times=4, body=b"<html>proxy</html>"))
        async with reflecting(client) as (reflector, seen):
            await seen.until(lambda: seen.lists == 1)
            assert reflector.health.failures == 4


async def test_retry_after_is_honoured(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        fault = Fault(path=LIST, status=429, reason="TooManyRequests", headers={"Retry-After": "1"})
        server.faults.append(fault)
        loop = asyncio.get_running_loop()
        before = loop.time()
        async with reflecting(client) as (reflector, seen):
            await seen.until(lambda: seen.lists == 1)
            assert loop.time() - before >= 1.0
            assert reflector.health.failures == 1


async def test_pauses_grow_and_differ(tmp_path: Path) -> None:
    async with (
        serving() as server,
        client_of(server, tmp_path) as client,
        reflecting(client, pace=Pace(first=1.0, most=8.0)) as (reflector, _),
    ):
        pauses = [reflector._next_pause() for _ in range(12)]
    assert 0.5 <= pauses[0] <= 1.0
    assert all(4.0 <= pause <= 8.0 for pause in pauses[3:])
    assert len(set(pauses)) == 12


async def test_watches_that_end_at_once_are_no_busy_loop(tmp_path: Path) -> None:
    """kr8s: 905 requests in five seconds."""
    async with serving() as server, client_of(server, tmp_path) as client:
        empty = Fault(path=LIST, watch=True, status=200, body=b"", times=10**6)
        server.faults.append(empty)
        async with reflecting(client, pace=Pace(first=0.01)) as (_, seen):
            await seen.until(lambda: seen.lists == 1)
            with pytest.raises(TimeoutError):
                await server.wait_for(lambda: len(server.requests) > 40, within_s=1.0)


# 7 tokens and authorities


async def test_a_rotated_token_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    async with serving() as server:
        server.tokens = {"one"}
        async with client_of(server, tmp_path, token_file=token) as client:
            put_ingresses(server, "a")
            async with reflecting(client) as (reflector, seen):
                await watched(server)
                server.tokens = {"two"}
                token.write_text("two")
                server.put(ingress("b"))
                server.cut()
                await seen.until(lambda: sorted(seen.now) == ["a", "b"])
                assert reflector.health.failures <= 1


async def test_a_rejected_token_keeps_what_is_known(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a")
        async with reflecting(client) as (reflector, seen):
            await watched(server)
            tokens, server.tokens = server.tokens, set()
            server.cut()
            await seen.until(lambda: reflector.health.failures >= 3)
            assert sorted(seen.now) == ["a"]
            assert "Unauthorized" in reflector.health.problem
            assert reflector.health.hint
            server.tokens = tokens
            server.put(ingress("b"))
            await seen.until(lambda: sorted(seen.now) == ["a", "b"])
            await seen.until(lambda: reflector.health.problem == "")


# 9 resourceVersions are opaque


async def test_another_space_of_versions_is_no_matter(tmp_path: Path) -> None:
    """An API server restored from a backup counts anew, below what we saw."""
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a", "b")
        async with reflecting(client) as (_, seen):
            await watched(server)
            server.vanish("Ingress", "web", "b")
            server.renumber(3)
            server.put(ingress("c"))
            server.cut()
            await seen.until(lambda: sorted(seen.now) == ["a", "c"])
            await watched(server)
            server.put(ingress("d"))
            await seen.until(lambda: "d" in seen.now)


async def test_no_list_may_come_from_an_old_cache(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "old")
        server.stale["ingresses"] = (server.version, {("web", "old"): ingress("old")})
        server.delete("Ingress", "web", "old")
        put_ingresses(server, "new")
        async with reflecting(client) as (_, seen):
            await seen.until(lambda: seen.lists == 1)
            assert sorted(seen.now) == ["new"]
        assert all(
            "resourceVersion" not in r.params for r in server.asked("GET", LIST, watch=False)
        )


# 10 a changed uid


async def test_a_changed_uid_is_a_delete_and_an_add(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a")
        async with reflecting(client) as (_, seen):
            await watched(server)
            first = seen.now["a"]
            server.vanish("Ingress", "web", "a")
            put_ingresses(server, "a")
            await seen.until(lambda: seen.now.get("a") not in (None, first))
            assert seen.log == ["+a", "-a", "+a"]


async def test_deleted_and_made_again_while_nobody_watched(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a")
        async with reflecting(client) as (_, seen):
            await watched(server)
            server.silence()
            server.vanish("Ingress", "web", "a")
            put_ingresses(server, "a")
            server.cut()
            await seen.until(lambda: len(seen.log) >= 3)
            assert seen.log == ["+a", "-a", "+a"]


# 11 what it tells about itself


async def test_it_tells_how_it_is_doing(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.faults.append(Fault(path=LIST, status=503))
        async with reflecting(client) as (reflector, seen):
            assert (reflector.health.synced, reflector.last_event_age_s) == (False, None)
            await seen.until(lambda: seen.lists == 1)
            await watched(server)
            assert reflector.health.synced
            assert reflector.health.relists == 0
            assert reflector.health.failures == 1
            assert reflector.last_event_age_s is not None
            server.expire("ingresses")
            await seen.until(lambda: seen.lists == 2)
            assert reflector.health.relists == 1


# 12 outages, never a part of a list


async def test_an_outage_takes_nothing_away(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, *"abcdefgh")
        async with reflecting(client) as (reflector, seen):
            await watched(server)
            await server.stop()
            await seen.until(lambda: reflector.health.failures >= 3)
            assert len(seen.now) == 8
            assert reflector.health.problem
            server.vanish("Ingress", "web", "h")
            await server.start()
            await seen.until(lambda: len(seen.now) == 7)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path=LIST, page=True, status=500),
        Fault(path=LIST, page=True, cut=True),
        Fault(path=LIST, page=True, status=200, body=b'{"metadata":{},"items":[{"meta'),
        Fault(path=LIST, page=True, status=200, body=b'{"kind":"Status"}'),
        Fault(path=LIST, page=True, status=200, body=b"[]"),
    ],
    ids=["500", "cut", "torn", "no-list", "array"],
)
async def test_a_part_of_a_list_is_never_handed_on(tmp_path: Path, fault: Fault) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, *"abcdefgh")
        server.faults.append(fault)
        async with reflecting(client) as (_, seen):
            await seen.until(lambda: bool(seen.log))
            assert sorted(seen.log) == [f"+{name}" for name in "abcdefgh"]


async def test_a_watch_cut_within_an_event_loses_nothing(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a")
        async with reflecting(client) as (_, seen):
            await watched(server)
            server.cut(mid_line=True)
            server.put(ingress("b"))
            server.delete("Ingress", "web", "a")
            await seen.until(lambda: sorted(seen.now) == ["b"])


@pytest.mark.parametrize("line", [b"{}", b"nonsense", b'{"type":"NEWS","object":{}}', b'{"type":"ADDED","object":{"metadata":{}}}'])  # fmt: skip
async def test_an_event_that_makes_no_sense_lists_again(tmp_path: Path, line: bytes) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a")
        async with reflecting(client) as (reflector, seen):
            await watched(server)
            server.inject("ingresses", line)
            await seen.until(lambda: seen.lists == 2)
            assert sorted(seen.now) == ["a"]
            assert reflector.health.failures == 1


async def test_line_separators_in_an_object_do_not_part_an_event(tmp_path: Path) -> None:
    obj = ingress("a")
    obj["metadata"] |= {"uid": "1", "resourceVersion": "9", "annotations": {"x": "a\u2028b\x85c"}}
    line = json.dumps({"type": "ADDED", "object": obj}, ensure_ascii=False)
    async with (
        serving() as server,
        client_of(server, tmp_path) as client,
        reflecting(client) as (reflector, seen),
    ):
        await watched(server)
        server.inject("ingresses", line.encode())
        await seen.until(lambda: "a" in seen.now)
        assert reflector.health.failures == 0


async def test_an_object_with_endless_managed_fields_hides_nobody(tmp_path: Path) -> None:
    deep = b'{"f:a":' * 5000 + b"{}" + b"}" * 5000
    hostile = b'{"metadata":{"name":"a","uid":"1","managedFields":[{"fieldsV1":' + deep + b"}]}}"
    body = b'{"metadata":{"resourceVersion":"7"},"items":[' + hostile + b',{"metadata":{"name":"b","uid":"2"}}]}'  # fmt: skip
    async with serving() as server, client_of(server, tmp_path) as client:
        server.faults.append(Fault(path=LIST, status=200, body=body))
        async with reflecting(client) as (_, seen):
            await seen.until(lambda: seen.lists == 1)
            assert sorted(seen.now) == ["a", "b"]
            server.inject("ingresses", b'{"type":"MODIFIED","object":' + hostile + b"}")


# 13 kinds that are not there


async def test_a_missing_kind_is_empty_and_waited_for(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.unserve("models")
        async with reflecting(client, kind=MODEL) as (reflector, seen):
            await seen.until(lambda: seen.lists == 1)
            await seen.until(lambda: reflector.health.missing)
            assert reflector.health.synced
            server.reserve("models")
            server.put({"apiVersion": "gatereeve.dev/v1alpha1", "kind": "Model",
                        "metadata": {"name": "m"}, "spec": {}})  # fmt: skip
            await seen.until(lambda: "m" in seen.now)
            assert not reflector.health.missing


async def test_a_kind_whose_definition_goes_is_empty(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put({"apiVersion": "gatereeve.dev/v1alpha1", "kind": "Model",
                    "metadata": {"name": "m"}, "spec": {}})  # fmt: skip
        async with reflecting(client, kind=MODEL) as (_, seen):
            await watched(server, "models")
            server.unserve("models")
            server.cut("models")
            await seen.until(lambda: not seen.now)


async def test_404_of_a_server_that_is_just_starting_empties_nothing(tmp_path: Path) -> None:
    """The definition is there, so the kind is: whatever the list says."""
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put({"apiVersion": "gatereeve.dev/v1alpha1", "kind": "Model",
                    "metadata": {"name": "m"}, "spec": {}})  # fmt: skip
        server.faults.append(Fault(path="*/models", status=404, reason="NotFound", times=3))
        async with reflecting(client, kind=MODEL) as (reflector, seen):
            await seen.until(lambda: bool(seen.log))
            assert seen.log == ["+m"]
            assert reflector.health.failures == 3
            await watched(server, "models")
            server.faults.append(Fault(path="*/models", status=404, reason="NotFound", times=5))
            server.cut("models")
            await seen.until(lambda: reflector.health.failures >= 6)
            assert sorted(seen.now) == ["m"]


async def test_a_definition_that_is_not_established_is_waited_for(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        definition = server.find("CustomResourceDefinition", "", "models.gatereeve.dev")
        assert definition is not None
        conditions = definition["status"].pop("conditions")
        async with reflecting(client, kind=MODEL) as (reflector, seen):
            await seen.until(lambda: reflector.health.failures >= 2)
            assert not reflector.health.synced
            definition["status"]["conditions"] = conditions
            await seen.until(lambda: seen.lists == 1)


async def test_whether_a_kind_exists_must_be_told(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        server.unserve("models")
        server.denied.add(("get", "customresourcedefinitions"))
        async with reflecting(client, kind=MODEL) as (reflector, seen):
            await seen.until(lambda: reflector.health.failures >= 2)
            assert not reflector.health.synced
            assert "customresourcedefinitions" in reflector.health.problem


async def test_an_older_version_of_a_kind_is_read(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        definition = server.find("CustomResourceDefinition", "", "referencegrants.gateway.networking.k8s.io")  # fmt: skip
        assert definition is not None
        definition["spec"]["versions"] = [
            {"name": "v1", "served": False}, {"name": "v1beta1", "served": True}
        ]  # fmt: skip
        kind = registry.BY_KIND["gateway.networking.k8s.io", "ReferenceGrant"]
        async with reflecting(client, kind=kind):
            await watched(server, "referencegrants")
        assert server.asked("GET", "/apis/gateway.networking.k8s.io/v1beta1/referencegrants")


# and the rest


async def test_one_namespace_alone(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a", namespace="web")
        put_ingresses(server, "x", namespace="other")
        async with reflecting(client, namespace="web") as (_, seen):
            await watched(server)
            put_ingresses(server, "y", namespace="other")
            put_ingresses(server, "b", namespace="web")
            await seen.until(lambda: "b" in seen.now)
            assert sorted(seen.now) == ["a", "b"]


async def test_a_watch_that_is_refused_becomes_polling(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a")
        server.denied.add(("watch", "ingresses"))
        async with reflecting(client) as (reflector, seen):
            await seen.until(lambda: "a" in seen.now)
            put_ingresses(server, "b")
            await seen.until(lambda: "b" in seen.now)
            await seen.until(lambda: "cannot watch resource" in reflector.health.problem)


async def test_after_a_defect_of_the_sink_everything_is_told_again(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        put_ingresses(server, "a", "b")
        seen = Seen()
        async with reflecting(client, seen=seen) as (reflector, _):
            await watched(server)
            server.silence()
            server.vanish("Ingress", "web", "b")
            seen.fail = RuntimeError("a defect")
            server.cut()
            await server.wait_for(lambda: server.watches("ingresses") == 0)
            await server.wait_for(lambda: len(server.asked("GET", LIST, watch=False)) == 2)
        seen.fail = None
        again = asyncio.create_task(reflector.run())
        await seen.until(lambda: sorted(seen.now) == ["a"])
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)


async def test_everything_is_listed_anew_now_and_then(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        pace = Pace(relist=0.0, first=0.001, healthy=0.0)
        async with reflecting(client, pace=pace) as (_, seen):
            await watched(server)
            server.bookmark("ingresses")
            await seen.until(lambda: seen.lists == 2)
