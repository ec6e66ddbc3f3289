"""A whole Kubernetes: thousands of models in its API server, two controllers and two gates as pods.

Gatereeve is installed by its chart on the cluster that `make cluster` starts (this starts and ends one
where none runs). Every model has the documents of `bench.documents`; all of them are answered by one
stand-in pod, through hand-made EndpointSlices. Gates are asked at their pods' own addresses, each by
itself, so that a change counts as enforced when both obey.

Everything shares the machine: API server, etcd, kubelet, both controllers, both gates, the callers.

Published figures to hold these against (gateway-api-bench v2, 16 cores, up to 3 000 routes, from a new
route to the first 200; github.com/howardjohn/gateway-api-bench): agentgateway 10 to 30 ms, Istio 120 to
300 ms, Envoy Gateway some 600 ms with 14 808 answers 503, NGINX Gateway Fabric some 800 ms; under load
30, 375, 2 000 ms and never. There a route is plain; here it is governed, and two gates must obey.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml
from tests.cluster import governed, manifests, own_image
from tests.cluster.api import Api, documents_in
from tests.cluster.cluster import Cluster

from bench import credentials, documents, processes
from bench.caller import Caller
from bench.context import Benchmark, Context
from bench.data_plane import BODY
from bench.documents import NAMESPACE as MODELS
from bench.figures import Figure, percentile
from bench.processes import BenchError

SIZES = (1_000, 3_000, 5_000)
QUICK_SIZES = (4,)
CHANGES, QUICK_CHANGES = 40, 4
PAUSE_S = 0.4
ASK_S = 0.005
"""Between two questions while a change is awaited: two gates asked all the time would cost a processor."""
A_SECOND, STEADY_S, QUICK_STEADY_S = 20, 20.0, 2.0
PATIENCE_S = 120.0
WRITERS = 6
PORT = 8443
LEASE = "gatereeve-controller"
CONTROLLERS = "app.kubernetes.io/component=controller"
_ALLOWED, _DENIED = 200, 403
_OTHERS = (
    "others, as published for a plain new route, one gate, 16 cores: agentgateway 10 to 30, Istio 120 to 300,"
    " Envoy Gateway 600 with 14 808 answers 503, NGINX Gateway Fabric 800 (gateway-api-bench v2)"
)
_PLACES = {
    "Namespace": "/api/v1/namespaces",
    "Secret": f"/api/v1/namespaces/{MODELS}/secrets",
    "Service": f"/api/v1/namespaces/{MODELS}/services",
    "EndpointSlice": f"/apis/discovery.k8s.io/v1/namespaces/{MODELS}/endpointslices",
    "Ingress": f"/apis/networking.k8s.io/v1/namespaces/{MODELS}/ingresses",
    "Gateway": f"/apis/gateway.networking.k8s.io/v1/namespaces/{MODELS}/gateways",
    "HTTPRoute": f"/apis/gateway.networking.k8s.io/v1/namespaces/{MODELS}/httproutes",
    "HostGrant": "/apis/gatereeve.dev/v1alpha1/hostgrants",
    "Gate": "/apis/gatereeve.dev/v1alpha1/gates",
    "Model": f"/apis/gatereeve.dev/v1alpha1/namespaces/{MODELS}/models",
    "ModelVersion": f"/apis/gatereeve.dev/v1alpha1/namespaces/{MODELS}/modelversions",
    "AccessPolicy": f"/apis/gatereeve.dev/v1alpha1/namespaces/{MODELS}/accesspolicies",
}
VALUES = {
    "image": {"repository": "gatereeve.test/gatereeve", "tag": "dev"},
    "controllers": {
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "4Gi"}}
    },
    "gates": [
        {
            "name": "bench",
            "concurrency": 1,
            "httpPort": 0,
            "autoscaling": {"enabled": False},
            "drain": {"leastSeconds": 1, "longestSeconds": 5},
            "resources": {
                "requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "4Gi"},
            },
        }
    ],
}  # fmt: skip
STANDIN = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: standin, namespace: {MODELS}}}
spec:
  selector: {{matchLabels: {{app: standin}}}}
  template:
    metadata: {{labels: {{app: standin}}}}
    spec:
      containers: [{{name: model, image: "gatereeve.test/model-standin:1", imagePullPolicy: IfNotPresent}}]
"""


@dataclass(slots=True, kw_only=True)
class House:
    """The release, the API server, and what was made so far."""

    cluster: Cluster
    api: Api
    work: Path
    made: credentials.Credentials
    authority: Path
    server: str = ""
    models: int = 0
    setup: documents.GateSetup = field(default_factory=documents.GateSetup)

    def install(self) -> None:
        ours = governed.Installed(cluster=self.cluster, values=self.work / "values.yaml")
        ours.values.write_text(yaml.safe_dump(VALUES))
        for crd in manifests.gateway_crds():
            self.cluster.kubectl("apply", "--server-side", "-f", str(crd))
        self.cluster.load_image(own_image.ARCHIVE)
        self.cluster.kubectl("create", "namespace", governed.NAMESPACE)
        ours.upgrade("--install")
        self.setup = self.made.setup(https=PORT, backend=8080)
        text = documents.gate_text(self.setup)
        text = text.replace(
            f"https: {{host: 127.0.0.1, port: {PORT}}}", f"https: {{port: {PORT}, publicPort: 443}}"
        )
        text = text.replace(f"port: {PORT}\n      protocol", "port: 443\n      protocol")
        for one in documents_in(text):
            self.write("POST", one)
        self.cluster.kubectl("apply", "-f", "-", given=STANDIN)
        self.cluster.rollout("deployment/standin", namespace=MODELS)
        found = self.pods(MODELS, "app=standin")
        self.server = next(iter(found.values()))

    def write(self, method: str, document: Mapping[str, Any]) -> None:
        place = _PLACES[document["kind"]]
        path = place if method == "POST" else f"{place}/{document['metadata']['name']}"
        answer = self.api.request(method, path, body=document)
        if not answer.accepted:
            raise BenchError(f"{method} {path}: {answer.status} {answer.message[:300]}")

    def grow(self, models: int) -> None:
        """So many models in all."""
        with ThreadPoolExecutor(WRITERS) as pool:
            for _ in pool.map(self._add, range(self.models, models)):
                pass
        self.models = models

    def _add(self, index: int) -> None:
        text = documents.model_text(index, self.setup)
        text = text.replace("addresses: [127.0.0.1]", f"addresses: [{self.server}]")
        text = text.replace(
            "spec: {ports: [{name: http, port: 80",
            "spec: {clusterIP: None, ports: [{name: http, port: 80",
        )
        for one in documents_in(text):
            self.write("POST", one)

    def policy(self, index: int, *, denied: bool) -> None:
        """One AccessPolicy, from now on."""
        text = documents.policy_text(index, denied=denied)
        (document,) = documents_in(text)
        path = f"{_PLACES['AccessPolicy']}/{documents.name_of(index)}"
        answer = self.api.request("PATCH", path, body={"spec": {"deny": None, **document["spec"]}},
                                  media="application/merge-patch+json")  # fmt: skip
        if not answer.accepted:
            raise BenchError(f"{path}: {answer.status} {answer.message[:300]}")

    def pods(self, namespace: str, selector: str) -> dict[str, str]:
        """Address by name, of those that are ready."""
        text = self.cluster.kubectl(
            "get", "pods", "-n", namespace, "-l", selector, "-o", "json"
        ).stdout
        return {
            pod["metadata"]["name"]: pod["status"]["podIP"]
            for pod in json.loads(text)["items"]
            if not pod["metadata"].get("deletionTimestamp")
            and any(
                c["type"] == "Ready" and c["status"] == "True"
                for c in pod["status"].get("conditions", ())
            )
        }

    def gates(self) -> list[str]:
        return sorted(self.pods(governed.NAMESPACE, "gatereeve.dev/gate=bench").values())

    def caller(self, address: str, index: int) -> Caller:
        return Caller(
            address=address,
            port=PORT,
            host=documents.host_of(index),
            path=f"/v2/models/{documents.name_of(index)}/infer",
            headers={
                "authorization": f"Bearer {self.made.token}",
                "content-type": "application/json",
            },
            body=BODY,
            authority=self.authority,
        )

    def answers(self, index: int) -> list[int]:
        """What each of two gates says of one model now."""
        found = []
        for address in self.gates():
            with self.caller(address, index) as caller:
                found.append(caller.ask())
        return found

    def until_served(self, index: int) -> float:
        return _until(
            lambda: self.answers(index) == [_ALLOWED, _ALLOWED],
            f"model {index} is served by two gates",
        )

    def until_told(self) -> float:
        """Every document says what came of it: thousands of new statuses take the leader a while, and
        are no part of what one change takes. Routes of Ingresses are told last.

        Returns the seconds until the last status was written, to within the two between two looks."""
        last = documents.name_of(self.models - 1 - self.models % 2)
        path = f"{_PLACES['Ingress']}/{last}"
        written, began = -1, time.perf_counter()
        last_s = 0.0

        def told() -> bool:
            nonlocal written, last_s
            found = self.api.request("GET", path).ok()["status"].get("loadBalancer", {})
            before, written = written, self._written()
            if written != before:
                last_s = time.perf_counter() - began
            time.sleep(2)
            return bool(found.get("ingress")) and written == before

        _until(told, "every document says what came of it")
        return last_s

    def _written(self) -> int:
        """How many statuses of documents the API server has been told so far."""
        text = self.cluster.kubectl("get", "--raw", "/metrics").stdout
        groups = ('group="gatereeve.dev"', 'group="networking.k8s.io"', 'group="gateway.networking')
        return sum(
            int(float(line.rpartition(" ")[2]))
            for line in text.splitlines()
            if line.startswith("apiserver_request_total{")
            and 'subresource="status",verb="PATCH"' in line
            and any(group in line for group in groups)
        )


def _until(holds: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S * 5) -> float:
    """Seconds until it is so."""
    began = time.perf_counter()
    while not holds():
        if time.perf_counter() - began > patience_s:
            raise BenchError(f"waited {patience_s:.0f} s in vain: {what}")
        time.sleep(0.05)
    return time.perf_counter() - began


def run(context: Context) -> Iterator[Figure]:
    if not own_image.ARCHIVE.exists():
        raise BenchError("our image is not built: make image")
    cluster, made = Cluster(), credentials.make()
    with contextlib.ExitStack() as stack:
        if not cluster.is_up():
            cluster.up()
            stack.callback(cluster.down)
        governed.remove(cluster, governed.NAMESPACE, MODELS)  # of a run that was ended by force
        stack.callback(governed.remove, cluster, governed.NAMESPACE, MODELS)
        house = House(
            cluster=cluster, api=stack.enter_context(cluster.plane.api("admin")), work=context.work,
            made=made, authority=made.write_authority(context.work / "ca.pem"),
        )  # fmt: skip
        house.install()
        for models in QUICK_SIZES if context.quick else SIZES:
            yield from _at(house, models, QUICK_CHANGES if context.quick else CHANGES)
            if models in (SIZES[1], *QUICK_SIZES):
                yield from _steadily(house, QUICK_STEADY_S if context.quick else STEADY_S)
                yield from _without_a_leader(house)


def _at(house: House, models: int, changes: int) -> Iterator[Figure]:
    probe = models // 2 - models // 2 % 2
    last = models - 2 + models % 2
    new = models - house.models
    house.grow(models)
    if models == SIZES[1]:
        house.until_served(last)
        times, _ = _flips(house, 0, changes)
        note = f"p50 {percentile(times, 0.5):.0f}, max {max(times):.0f} of {changes} changes, as soon as {new} new models are served, while the leader writes their statuses"
        yield Figure(f"cluster-change-{models}-busy", percentile(times, 0.99), "ms", note)
        house.until_told()
    else:
        told_s = house.until_told()
        note = (
            f"{new} new models, all their documents told {told_s:.0f} s after the last was written"
        )
        yield Figure(f"cluster-statuses-{models}", new / max(told_s, 1.0), "models/s", note)
    house.until_served(last)
    house.cluster.kubectl(
        "delete",
        "pods",
        "-n",
        governed.NAMESPACE,
        "--all",
        "--force",
        "--grace-period=0",
        "--wait=true",
    )
    cold_s = house.until_served(last)
    yield Figure(
        f"cluster-cold-{models}",
        cold_s,
        "s",
        "all pods of ours deleted; until both new gates answer for the newest model",
    )
    _until(lambda: _leader(house) in house.pods(governed.NAMESPACE, CONTROLLERS), "somebody leads")
    house.until_told()
    times, errors = _flips(house, probe, changes)
    note = f"p50 {percentile(times, 0.5):.0f}, max {max(times):.0f} of {changes} changes; from before the write to the API server until both gates obey; {_OTHERS}"
    yield Figure(f"cluster-change-{models}", percentile(times, 0.99), "ms", note)
    yield Figure(f"cluster-change-{models}-p50", percentile(times, 0.5), "ms", "")
    yield Figure(
        f"cluster-change-errors-{models}",
        sum(errors.values()),
        "answers",
        f"neither old nor new: {dict(errors)}",
    )
    for name, words in (
        ("controller", ("gatereeve", "controller", "--cluster")),
        ("gate", ("envoy", "--config")),
    ):
        yield Figure(
            f"cluster-memory-{name}-{models}", _memory(words), "MB", "resident, the largest of two"
        )


def _flips(house: House, index: int, changes: int) -> tuple[list[float], Counter[int]]:
    """Milliseconds of each change, and answers that were neither the old nor the new."""
    times: list[float] = []
    errors: Counter[int] = Counter()
    with contextlib.ExitStack() as stack:
        callers = [stack.enter_context(house.caller(address, index)) for address in house.gates()]
        pool = stack.enter_context(ThreadPoolExecutor(len(callers)))
        for number in range(changes):
            denied = number % 2 == 0
            time.sleep(PAUSE_S + number % 7 * 0.01)
            wanted, before = (_DENIED, _ALLOWED) if denied else (_ALLOWED, _DENIED)
            began = time.perf_counter()
            seen = [pool.submit(_watch, caller, before, wanted, began) for caller in callers]
            house.policy(index, denied=denied)
            for one in seen:
                errors.update(one.result()[1])
            times.append(max(one.result()[0] for one in seen))
    return times, errors


def _watch(caller: Caller, before: int, wanted: int, began: float) -> tuple[float, list[int]]:
    errors: list[int] = []
    while time.perf_counter() - began < PATIENCE_S:
        answer = caller.ask()
        if answer == wanted:
            return (time.perf_counter() - began) * 1000, errors
        if answer != before:
            errors.append(answer)
        time.sleep(ASK_S)
    raise BenchError(f"the change to {wanted} was not enforced within {PATIENCE_S:g} s")


class _Asking:
    """Two gates are asked for one model all the time; every answer is counted."""

    def __init__(self, house: House, index: int) -> None:
        self.answers: Counter[int] = Counter()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(house.caller(address, index),))
            for address in house.gates()
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, caller: Caller) -> None:
        with caller:
            while not self._stop.wait(0.005):
                self.answers[caller.ask()] += 1

    @property
    def errors(self) -> int:
        return self.answers.total() - self.answers[_ALLOWED]


def _steadily(house: House, seconds: float) -> Iterator[Figure]:
    """Twenty policies a second change, of models that nobody asks for; all others are served on."""
    number = 0
    with _Asking(house, 0) as asking:
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            time.sleep(max(0.0, began + number / A_SECOND - time.perf_counter()))
            index = 2 + number % (house.models - 2)
            house.policy(index - index % 2, denied=number // (house.models - 2) % 2 == 0)
            number += 1
        took = time.perf_counter() - began
        last = (
            index - index % 2,
            _DENIED if (number - 1) // (house.models - 2) % 2 == 0 else _ALLOWED,
        )
        late_s = _until(
            lambda: set(house.answers(last[0])) == {last[1]}, "the last change is enforced"
        )
    note = (
        f"{number} changes at {number / took:.1f} a second; {asking.answers.total()} requests meanwhile, answers"
        f" {dict(asking.answers)}; the last change was enforced {late_s:.2f} s after it was written"
    )
    yield Figure("cluster-steady-changes-errors", asking.errors, "answers", note)
    yield Figure(
        "cluster-steady-changes-behind", late_s, "s", "how far enforcement was behind after that"
    )


def _leader(house: House) -> str:
    """The pod that leads; "" for none."""
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{governed.NAMESPACE}/leases/{LEASE}"
    found = house.api.request("GET", lease).ok()["spec"].get("holderIdentity") or ""
    return str(found).partition("_")[0]


def _without_a_leader(house: House) -> Iterator[Figure]:
    """The leader's pod is deleted by force: who leads next, and when a status is written again."""
    policy = f"{_PLACES['AccessPolicy']}/{documents.name_of(0)}"

    pod = _leader(house)
    with _Asking(house, 0) as asking:
        began = time.perf_counter()
        house.cluster.kubectl(
            "delete",
            "pod",
            "-n",
            governed.NAMESPACE,
            pod,
            "--force",
            "--grace-period=0",
            "--wait=false",
        )
        changed = house.api.request(
            "PATCH",
            policy,
            body={"spec": {"mode": "enforce", "deny": []}},
            media="application/merge-patch+json",
        ).ok()
        generation = changed["metadata"]["generation"]
        _until(lambda: _leader(house) not in ("", pod), "another leads")
        leads_s = time.perf_counter() - began

        def told() -> bool:
            conditions = (
                house.api.request("GET", policy).ok().get("status", {}).get("conditions", [])
            )
            return bool(conditions) and all(
                c["observedGeneration"] == generation for c in conditions
            )

        _until(told, "a status is written")
        told_s = time.perf_counter() - began
    note = f"the leader's pod deleted by force; {told_s:.1f} s until a status of a document that changed meanwhile was written; requests meanwhile {dict(asking.answers)}"
    yield Figure("cluster-failover", leads_s, "s", note)


def _memory(words: Sequence[str]) -> float | None:
    """Of the largest process whose command line has all of these words."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if all(word in command for word in words) and "pytest" not in command:
                found.append(processes.resident_mb(int(entry.name)) or 0.0)
    return max(found, default=None)


BENCHMARK = Benchmark(
    name="cluster",
    about="thousands of models in an API server, two controllers and two gates as pods",
    names=(
        *(
            f"cluster-{name}"
            for n in SIZES
            for name in (
                f"cold-{n}", f"change-{n}", f"change-{n}-p50", f"change-errors-{n}",
                f"memory-controller-{n}", f"memory-gate-{n}",
            )
        ),
        *(f"cluster-statuses-{n}" for n in SIZES if n != SIZES[1]),
        f"cluster-change-{SIZES[1]}-busy",
        "cluster-steady-changes-errors", "cluster-steady-changes-behind", "cluster-failover",
    ),
    run=run,
)  # fmt: skip
