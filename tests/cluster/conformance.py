"""Gateway API's own conformance suite against Gatereeve, installed by its chart on a real Kubernetes.

`python -m tests.cluster.conformance [--run-test NAME]` wants the cluster that `make cluster` starts and
the image of `make image`. The report of a whole run is `build/conformance.yaml`. What a platform team
would have to allow so that plain web traffic of the suite's namespaces may pass stands in `GRANTS`:
the suite knows nothing of governance, and without that grant everything would be refused.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from gatereeve import __version__
from tests.cluster import governed, manifests, own_image, tools, waiting
from tests.cluster.cluster import ROOT, Cluster
from tests.cluster.governed import NAMESPACE

REPORT = ROOT / "build" / "conformance.yaml"
PROFILE = "GATEWAY-HTTP"

EXTENDED = ()
"""Features beyond the core that are claimed, and so tested."""

VALUES = {
    "image": {"repository": "gatereeve.test/gatereeve", "tag": "dev"},
    "gates": [
        {
            "name": "public",
            "concurrency": 1,
            "replicas": 1,
            "autoscaling": {"enabled": False},
            "drain": {"leastSeconds": 1, "longestSeconds": 5},
            "gatewayPorts": {"first": 20000, "last": 21999},
            "document": {
                "region": "de",
                "https": {"port": 8443, "publicPort": 443},
                "http": {"port": 8080, "publicPort": 80},
                "gateways": {"namespace": NAMESPACE},
            },
        }
    ],
}

GRANTS = """
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: conformance}
spec:
  namespaceSelector: {all: true}
  hosts: ["*"]
"""


def install(cluster: Cluster) -> None:
    """A release for the suite; ready when this returns."""
    with tempfile.TemporaryDirectory() as folder:
        ours = governed.Installed(cluster=cluster, values=Path(folder) / "values.yaml")
        ours.values.write_text(yaml.safe_dump(VALUES))
        for crd in manifests.gateway_crds():
            cluster.kubectl("apply", "--server-side", "-f", str(crd))
        cluster.load_image(own_image.ARCHIVE)
        cluster.kubectl("create", "namespace", NAMESPACE)
        ours.upgrade("--install")
    cluster.kubectl("apply", "--server-side", "-f", "-", given=GRANTS)
    for what in ("controllers", "gate-public"):
        cluster.rollout(f"deployment/gatereeve-{what}", namespace=NAMESPACE)
    accepted = '{.status.conditions[?(@.type=="Accepted")].status}'
    waiting.until(
        lambda: ours.get("gatewayclass", "gatereeve", accepted) == "True", "the class is accepted"
    )


def run(cluster: Cluster, *more: str) -> int:
    """The suite with these flags; its exit code."""
    program = tools.path("conformance.test")
    REPORT.parent.mkdir(exist_ok=True)
    command = [
        str(program),
        "-test.run=TestConformance",
        "-test.timeout=60m",
        "-test.v",
        "--gateway-class=gatereeve",
        f"--conformance-profiles={PROFILE}",
        f"--supported-features={','.join(('Gateway', 'HTTPRoute', 'ReferenceGrant', *EXTENDED))}",
        "--organization=gatereeve",
        "--project=gatereeve",
        "--url=https://gatereeve.dev",
        f"--version={__version__}",
        "--contact=maintainers@gatereeve.dev",
        *more,
    ]
    environment = os.environ | {"KUBECONFIG": str(cluster.kubeconfig)}
    return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.cluster.conformance")
    parser.add_argument("--run-test", help="One test of the suite, by its short name.")
    parser.add_argument("--keep", action="store_true", help="Leave the release where it is.")
    given = parser.parse_args(arguments)
    cluster = Cluster()
    if not cluster.is_up():
        print("no cluster runs here: `make cluster`", file=sys.stderr)
        return 2
    more = [f"--run-test={given.run_test}"] if given.run_test else [f"--report-output={REPORT}"]
    try:
        install(cluster)
        return run(cluster, *more)
    finally:
        if not given.keep:
            governed.remove(cluster, NAMESPACE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
