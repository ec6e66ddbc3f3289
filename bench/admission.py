"""Reviews of changes: how long the webhook takes, over HTTPS, with a thousand models in the World.

The server runs in a process of its own, as in a controller; one caller asks on one connection, one
review after the other, as the API server's does for one client. Every review is of another document
than the one before: new routes, versions, approvals, policies and models in turn, a third of them
edits of what is there, which are judged twice.

    python -m bench.admission MODELS PORT CERTIFICATE KEY     the server, until its input ends
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import yaml

from bench import credentials, documents, processes
from bench.context import Benchmark, Context
from bench.figures import Figure, percentile
from gatereeve.admission import world_subset
from gatereeve.admission.server import AdmissionServer, Tls
from gatereeve.core.refs import Ref
from gatereeve.runtime import garbage_collection
from gatereeve.runtime.supervise import SystemClock

MODELS = 1_000
REVIEWS = 2_000
KINDS = ("Model", "ModelVersion", "AccessPolicy", "Ingress", "HTTPRoute")


class _Nobody:
    """A witness without anybody to tell."""

    def deleted(self, ref: Ref, by: str) -> None: ...


def serve(models: int, port: int, certificate: Path, key: Path) -> None:
    """Says how long the World took to index, then serves until standard input ends."""
    garbage_collection.begin()
    world = documents.world(
        documents.folder(models, credentials.make().setup(https=8443, backend=9000)),
        datetime.now(UTC),
    )
    began = time.perf_counter()
    seen = world_subset.index_world(world)
    took = time.perf_counter() - began
    garbage_collection.settle()
    server = AdmissionServer(lambda: seen, _Nobody(), SystemClock())
    server.renew(
        Tls(certificate=certificate.read_bytes(), key=key.read_bytes()), certificate.parent
    )

    async def run() -> None:
        with socket.socket() as place:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            place.bind(("127.0.0.1", port))
            place.listen()
            serving = asyncio.create_task(server.serve(place))
            print(json.dumps({"see": took}), flush=True)
            await asyncio.to_thread(sys.stdin.read)
            serving.cancel()
            await asyncio.wait([serving])

    asyncio.run(run())


def reviews(models: int, number: int) -> Iterator[bytes]:
    """The bodies, drawn by a fixed seed."""
    draw = random.Random("reviews")
    setup = credentials.make().setup(https=8443, backend=9000)
    for count in range(number):
        index = draw.randrange(models)
        kind = KINDS[count % len(KINDS)]
        if kind == "HTTPRoute":
            index -= index % 2
        elif kind == "Ingress":
            index -= index % 2 - 1
        found = yaml.safe_load_all(documents.model_text(index, setup))
        document = next(d for d in found if d["kind"] == kind)
        edit = count % 3 == 0
        old = json.loads(json.dumps(document)) if edit else None
        if edit:
            document["metadata"].setdefault("labels", {})["edited"] = str(count)
        else:
            document["metadata"]["name"] += "-new"
        yield _body(document, old)


def _body(document: Mapping[str, object], old: object) -> bytes:
    group, _, version = str(document["apiVersion"]).rpartition("/")
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": group, "version": version, "kind": document["kind"]},
        "name": metadata["name"],
        "namespace": metadata.get("namespace", ""),
        "operation": "CREATE" if old is None else "UPDATE",
        "userInfo": {"username": "bench", "groups": ["system:authenticated"]},
        "object": document,
        "oldObject": old,
        "dryRun": False,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps(review).encode()


def run(context: Context) -> Iterator[Figure]:
    models, number = (100, 100) if context.quick else (MODELS, REVIEWS)
    bodies = list(reviews(models, number))
    made = credentials.make()
    setup = made.setup(https=8443, backend=9000)
    certificate, key = context.work / "tls.crt", context.work / "tls.key"
    certificate.write_text(setup.certificate)
    key.write_text(setup.key)
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "bench.admission",
        str(models),
        str(port),
        str(certificate),
        str(key),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise processes.BenchError("the webhook did not start")
        took, refused = _ask(port, bodies)
        assert process.stdin is not None
        process.stdin.close()
    note = (
        f"{number} reviews against {models} models, one after the other over HTTPS, a third of them"
        f" edits; {refused} refused; median {percentile(took, 0.5) * 1e3:.1f} ms, largest"
        f" {max(took) * 1e3:.1f} ms"
    )
    yield Figure("admission-p50", percentile(took, 0.5) * 1e3, "ms", note)
    yield Figure("admission-p99", percentile(took, 0.99) * 1e3, "ms", "the same reviews")
    yield Figure(
        "admission-index", json.loads(line)["see"], "s", "a whole World indexed, with nothing kept"
    )


def _ask(port: int, bodies: list[bytes]) -> tuple[list[float], int]:
    """Seconds of each review, without the first few, and how many were refused."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    took, refused = [], 0
    with httpx2.Client(verify=context, trust_env=False, timeout=10) as client:
        for number, body in enumerate(bodies):
            began = time.perf_counter()
            answer = client.post(
                f"https://127.0.0.1:{port}/review",
                content=body,
                headers={"content-type": "application/json"},
            )
            seconds = time.perf_counter() - began
            if answer.status_code != 200:
                raise processes.BenchError(f"a review answered {answer.status_code}")
            refused += not answer.json()["response"]["allowed"]
            if number >= min(20, len(bodies) // 2):
                took.append(seconds)
    return took, refused


BENCHMARK = Benchmark(
    name="admission",
    about="reviews of changes by the webhook, over HTTPS",
    names=("admission-p50", "admission-p99", "admission-index"),
    run=run,
)

if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
