"""The webhook behind a real API server: its answers arrive, and its failures hurt nobody else."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatereeve.admission import world_subset
from gatereeve.admission.guards.generate import make_guards
from gatereeve.admission.guards.settings import GuardSettings
from gatereeve.admission.server import AdmissionServer, Tls
from gatereeve.core.refs import Ref
from gatereeve.runtime.supervise import SystemClock
from tests.cluster import waiting
from tests.cluster.api import Answer, Api
from tests.cluster.certificates import Authority
from tests.cluster.controlplane import WEBHOOK_CLIENT, ControlPlane
from tests.support import guarded
from tests.support.worlds import world_of
from tests.unit.admission.test_review import ALL, DIGEST, MODEL, VERSION, approval, ingress

SPACES = ("shop", "other", "kube-system", "gatereeve-system")


class Webhook:
    """The server in a thread of its own, which can be away and come back on the same port."""

    def __init__(self, folder: Path, clients: Path) -> None:
        authority = Authority(folder / "webhook-ca")
        authority.create()
        crt, key = authority.issue("webhook", user="webhook", addresses=("127.0.0.1",))
        self.tls = Tls(
            certificate=crt.read_bytes(), key=key.read_bytes(), clients=clients.read_bytes(),
            names=frozenset({WEBHOOK_CLIENT}),
        )  # fmt: skip
        self.ca = base64.b64encode(authority.certificate.read_bytes()).decode()
        self.folder = folder
        self.seen: world_subset.WorldIndex | None = world_subset.index_world(world_of(*ALL))
        self.deletions: list[tuple[Ref, str]] = []
        self.port = 0
        self.server: AdmissionServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None

    def deleted(self, ref: Ref, by: str) -> None:
        self.deletions.append((ref, by))

    def start(self) -> None:
        place = socket.socket()
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("127.0.0.1", self.port))
        place.listen()
        self.port = place.getsockname()[1]
        started = threading.Event()

        async def run() -> None:
            self.server = AdmissionServer(lambda: self.seen, self, SystemClock())
            self.server.renew(self.tls, self.folder)
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.create_task(self.server.serve(place))
            started.set()
            await asyncio.wait([self._task])

        self._thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
        self._thread.start()
        assert started.wait(10)

    def stop(self) -> None:
        assert self._loop is not None
        assert self._task is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)


@pytest.fixture(scope="module")
def webhook(
    apiserver: ControlPlane,
    root: Api,
    crds: None,
    gateway_crds: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Webhook]:
    made = Webhook(tmp_path_factory.mktemp("webhook"), apiserver.ca)
    made.start()
    for space in SPACES:
        root.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}).ok()
    url = f"https://127.0.0.1:{made.port}"
    settings = GuardSettings(url=url, ca_bundle=made.ca, stamps="webhook")
    hooks = [
        one
        for one in make_guards(world_of(*ALL), settings)
        if "WebhookConfiguration" in str(one["kind"])
    ]
    try:
        for hook in hooks:
            root.apply(hook).ok()
        waiting.until(
            lambda: "approval-self" in act(root, approval("mia")).message, "the webhook is asked"
        )
        yield made
    finally:
        for hook in hooks:
            root.delete(hook)
        waiting.until(lambda: act(root, approval("mia")).accepted, "the webhook is not asked")
        made.stop()


def act(api: Api, document: str | dict[str, Any]) -> Answer:
    return api.apply(document, query={"dryRun": "All"})


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (approval("mia"), "approval-self"),
        (approval(digest="sha256:" + "b" * 64), "version-changed"),
        (ingress("hidden"), "hidden-path-to-model"),
        (ingress(host="bank.example"), "host-not-granted"),
        (VERSION.replace("offers-1", "again"), "version-duplicate"),
    ],
)
def test_refusals_arrive_with_their_codes(
    root: Api, webhook: Webhook, document: str, code: str
) -> None:
    answer = act(root, document)

    assert answer.status == 403
    assert code in answer.message
    causes = answer.body["details"]["causes"]
    assert [cause["reason"] for cause in causes] == [code]


def test_warnings_arrive_with_code_and_hint(root: Api, webhook: Webhook) -> None:
    answer = act(root, VERSION.replace("offers-1", "offers-2").replace('"1"', '"2"'))

    assert answer.accepted
    assert any(text.startswith("version-unapproved: ") for text in answer.warnings)
    assert all(len(text) <= 120 for text in answer.warnings)


def test_a_version_tells_its_digest_and_an_approval_of_it_is_welcome(
    root: Api, webhook: Webhook
) -> None:
    assert act(root, approval("olga", digest=DIGEST)).accepted


def test_changes_are_stamped_by_the_webhook_in_older_clusters(root: Api, webhook: Webhook) -> None:
    forged = MODEL.replace(
        "name: offers,", "name: offers, annotations: {gatereeve.dev/changed-by: me},"
    )
    answer = act(root, forged)

    assert answer.ok()["metadata"]["annotations"]["gatereeve.dev/changed-by"] == "admin"


def test_a_deletion_is_witnessed_by_name(
    root: Api, webhook: Webhook, apiserver: ControlPlane
) -> None:
    root.apply(MODEL).ok()
    root.delete(MODEL, query={"dryRun": "All"}).ok()
    assert not webhook.deletions
    root.delete(MODEL).ok()

    assert webhook.deletions == [(Ref("gatereeve.dev", "Model", "shop", "offers"), "admin")]


def test_before_the_first_world_nothing_governed_comes_in(root: Api, webhook: Webhook) -> None:
    seen, webhook.seen = webhook.seen, None
    try:
        answer = act(root, MODEL)
        assert answer.status == 503
        assert "not-ready" in answer.message
        assert act(root, ingress(cls="nginx")).accepted
    finally:
        webhook.seen = seen


def test_while_it_is_away_only_what_is_governed_waits(root: Api, webhook: Webhook) -> None:
    root.apply(MODEL).ok()
    finalized = ingress("plain").replace("name: web,", "name: web, finalizers: [a.example/b],")
    root.apply(finalized).ok()
    root.delete(finalized).ok()
    webhook.stop()
    try:
        refused = act(root, MODEL.replace("olga", "otto"))
        assert refused.status == 500
        assert "gatereeve.dev" in refused.message
        assert not act(root, ingress("plain", name="fresh")).accepted

        # Everything else goes on: other classes, other kinds, our own start, Kubernetes' own parts.
        assert act(root, ingress(cls="nginx", name="theirs")).accepted
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
        for space in SPACES:
            assert act(root, {**config, "metadata": {"name": "c", "namespace": space}}).accepted
        for space in ("kube-system", "gatereeve-system"):
            assert act(root, ingress("plain", namespace=space)).accepted
        # What goes can go: finalizers are removed, documents deleted, statuses written.
        assert root.patch(finalized, {"metadata": {"finalizers": None}}).accepted
        status: dict[str, Any] = {"status": {"conditions": []}}
        assert root.patch(MODEL, status, subresource="status").accepted
        assert root.delete(MODEL).accepted
        # And whoever runs the cluster can take the webhook out of the way.
        hook = {"apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "gatereeve"}}  # fmt: skip
        assert root.delete(hook, query={"dryRun": "All"}).accepted
    finally:
        webhook.start()
    waiting.until(lambda: act(root, MODEL).accepted, "the webhook is back")


def test_a_new_certificate_is_taken_while_it_serves(root: Api, webhook: Webhook) -> None:
    authority = Authority(webhook.folder / "webhook-ca")
    crt, key = authority.issue("renewed", user="webhook", addresses=("127.0.0.1",))
    assert webhook.server is not None
    renewed = replace(webhook.tls, certificate=crt.read_bytes(), key=key.read_bytes())
    webhook.server.renew(renewed, webhook.folder)

    assert "approval-self" in act(root, approval("mia")).message


def test_large_objects_are_judged_like_small_ones(root: Api, webhook: Webhook) -> None:
    rules = ", ".join(
        f"{{host: shop.example, http: {{paths: [{{path: /p{n}, pathType: Prefix,"
        " backend: {service: {name: plain, port: {number: 80}}}}]}}"
        for n in range(400)
    )
    large = guarded.ingress(rules=f"[{rules}]", namespace="shop")

    assert act(root, large).accepted
    assert "host-not-granted" in act(root, large.replace("shop.example", "bank.example")).message
