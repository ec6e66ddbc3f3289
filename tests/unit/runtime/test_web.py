"""Health and metrics as a probe and Prometheus see them."""

from __future__ import annotations

import asyncio
import socket

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gatereeve.core.errors import SettingsError
from gatereeve.runtime import metrics, web


async def test_health() -> None:
    why = ["nothing is published yet"]

    async def measured() -> bytes:
        return metrics.render(metrics.of_gate(ready=True, draining=False, restarts=3))

    with web.listen("127.0.0.1:0") as place:
        url = f"http://127.0.0.1:{place.getsockname()[1]}"
        task = asyncio.create_task(web.serve_health(place, lambda: why[0], measured))
        async with httpx2.AsyncClient(base_url=url) as client:
            for _ in range(500):
                try:
                    assert (await client.get("/healthz")).status_code == 200
                    break
                except httpx2.ConnectError:
                    await asyncio.sleep(0.01)
            answer = await client.get("/readyz")
            assert (answer.status_code, answer.text) == (503, "nothing is published yet\n")
            why[0] = ""
            assert (await client.get("/readyz")).status_code == 200
            found = {
                f.name: f
                for f in text_string_to_metric_families((await client.get("/metrics")).text)
            }
            assert found["gatereeve_envoy_restarts"].samples[0].value == 3
            assert found["gatereeve_gate_ready"].samples[0].value == 1
            assert (await client.get("/anything")).status_code == 404
            assert (await client.post("/metrics")).status_code == 405
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    "address", ["", "8081", ":8081", "host:", "host:http", "host:65536", "h:1²"]
)
def test_an_address_has_a_host_and_a_port(address: str) -> None:
    with pytest.raises(SettingsError, match="HOST:PORT"):
        web.split_address(address)


def test_addresses() -> None:
    assert web.split_address("0.0.0.0:8081") == ("0.0.0.0", 8081)
    assert web.split_address("[::1]:1") == ("::1", 1)


def test_a_place_in_use_is_a_setting_to_mend() -> None:
    with web.listen("127.0.0.1:0") as place:
        place.listen()
        with pytest.raises(SettingsError, match="cannot be listened on"):
            web.listen(f"127.0.0.1:{place.getsockname()[1]}")
    with pytest.raises(SettingsError, match="cannot be listened on"):
        web.listen("no-such-host.invalid:1")


def test_every_metric_has_a_name_of_its_own() -> None:
    names = [one.name for one in metrics.REGISTRY]
    assert len(set(names)) == len(names)
    for one in metrics.REGISTRY:
        assert one.name.endswith("_total") == (one.kind == "counter")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_an_answer_does_not_wait_for_an_acknowledgement(host: str) -> None:
    """asyncio turns Nagle's algorithm off only for sockets that say they are TCP."""
    delays: list[int] = []

    def came(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = writer.get_extra_info("socket")
        delays.append(place.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with web.listen(f"{host}:0") as place:
        async with await asyncio.start_server(came, sock=place):
            reader, writer = await asyncio.open_connection(*place.getsockname()[:2])
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
    assert delays == [1]
