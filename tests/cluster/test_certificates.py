"""Certificates of somebody else in a whole cluster: nothing is issued there, and a new authority is
taken over under load without a lost request."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import yaml

from gatereeve.pki import certificate_plan, signing
from gatereeve.pki.certificate_plan import Bundle, CertificatePolicy
from tests.cluster import governed, own_image, tools, waiting
from tests.cluster.cluster import Cluster
from tests.cluster.governed import NAMESPACE, Installed, Load
from tests.cluster.test_guarded import GUARDS, KINDS, POLICY, gatereeve, tried

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

NAMES = ("gatereeve-controllers", f"gatereeve-controllers.{NAMESPACE}.svc",
         f"gatereeve-webhook.{NAMESPACE}.svc")  # fmt: skip
HOLDERS = {
    "gatereeve-controllers-tls": certificate_plan.of_controller(NAMES),
    "gatereeve-gate-public": certificate_plan.of_gate("public"),
}
PARTS = {"gatereeve-controllers-tls": "controller", "gatereeve-gate-public": "gate"}


class Mounted(Installed):
    """A release whose certificates somebody else keeps in Secrets."""

    def upgrade(self, *more: str) -> None:
        self.authority = signing.create_authority(datetime.now(UTC), CertificatePolicy())
        self.hand_out(self.authority, [self.authority])
        super().upgrade("--set", "certificates.mounted=true", *more)

    def hand_out(self, authority: Bundle, trust: Sequence[Bundle]) -> None:
        """New keys and certificates of this authority for everybody."""
        for name, wanted in HOLDERS.items():
            made = signing.issue(datetime.now(UTC), wanted, authority, trust, CertificatePolicy())
            self.write(name, made)

    def write(self, name: str, made: Bundle) -> None:
        parts = {"tls.crt": made.certificate, "tls.key": made.key, "ca.crt": made.trust}
        secret = {
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "data": {key: base64.b64encode(value).decode() for key, value in parts.items()},
        }  # fmt: skip
        self.cluster.kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-", given=yaml.safe_dump(secret)
        )

    def mounted(self, part: str) -> set[str]:
        """What the pods of a part have as their certificate now."""
        pods = self.cluster.kubectl(
            "get", "pods", "-n", NAMESPACE, "-l", f"app.kubernetes.io/component={part}",
            "-o", "jsonpath={.items[*].metadata.name}",
        ).stdout.split()  # fmt: skip
        container = {"controller": "controller", "gate": "gate"}[part]
        program = "print(open('/etc/gatereeve/certificates/tls.crt').read())"
        return {
            self.cluster.kubectl(
                "exec", "-n", NAMESPACE, pod, "-c", container, "--", "python3", "-c", program
            ).stdout.strip()
            for pod in pods
        }  # fmt: skip

    def held(self, name: str) -> str:
        text = self.get("secret", name, "{.data.tls\\.crt}")
        return base64.b64decode(text).decode().strip()

    def until_mounted(self) -> None:
        """The kubelet brings a changed Secret within a minute or two."""
        for name, part in PARTS.items():
            waiting.until(
                partial(self.is_mounted, name, part),
                f"every {part} has the new certificate",
                deadline_s=240,
            )

    def is_mounted(self, name: str, part: str) -> bool:
        return self.mounted(part) == {self.held(name)}


def test_certificates_of_somebody_else(cluster: Cluster, tmp_path: Path) -> None:
    if not own_image.ARCHIVE.exists():
        pytest.skip("our image is not built: `make image`")
    tools.path("helm")
    ours = Mounted(cluster=cluster, values=tmp_path / "values.yaml")
    try:
        ours.install()
        waiting.until(lambda: ours.ask() == 200, "the first answer")
        assert ours.ask(key=governed.GUEST) == 403
        secrets = cluster.kubectl("get", "secrets", "-n", NAMESPACE, "-o", "name").stdout
        assert "authority" not in secrets
        assert "gatereeve-webhook" not in secrets

        guards = gatereeve("guards", "--kubeconfig", str(cluster.kubeconfig))
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=guards)
        waiting.until(lambda: tried(cluster, POLICY) == "", "the API server trusts the webhook",
                      seen=lambda: tried(cluster, POLICY))  # fmt: skip

        with Load(ours) as load:
            load.more()
            other = signing.create_authority(datetime.now(UTC), CertificatePolicy())
            both = [ours.authority, other]
            ours.hand_out(ours.authority, both)  # trusted everywhere before it signs
            ours.until_mounted()
            ours.hand_out(other, both)
            ours.until_mounted()
            load.more()
            cluster.kubectl("delete", "pods", "-n", NAMESPACE, "-l",
                            "app.kubernetes.io/component=controller", "--wait=true")  # fmt: skip
            cluster.rollout("deployment/gatereeve-controllers", namespace=NAMESPACE)
            denied = POLICY.replace("partners/acme", "partners/guest")
            cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=denied)
            waiting.until(lambda: ours.ask() == 403, "gates follow the new controllers",
                          seen=lambda: tried(cluster, denied))  # fmt: skip
        assert set(load.answers) <= {200, 403}, load.answers
    finally:
        cluster.kubectl("delete", KINDS, "--selector", GUARDS, "--ignore-not-found")
        governed.remove(cluster, governed.SHOP, NAMESPACE)
