"""Gateway API's own conformance suite against Gatereeve, installed by its chart on a real Kubernetes.

`python -m tests.cluster.conformance [--run-test NAME]` wants the cluster that `make cluster` starts and
the image of `make image`. The report of a whole run is `build/conformance.yaml`, what the suite said
meanwhile `build/conformance.log`. The run fails when the two say anything else than `MISSES`: a test
that fails, and one that passes although it is listed. The report alone does not do: the suite writes
it before its parallel tests have run, and counts them as passed. What a platform team would have to allow so that plain web traffic of the suite's namespaces may pass stands in `GRANTS`:
the suite knows nothing of governance, and without that grant everything would be refused.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from gatereeve import __version__
from gatereeve.statuses.gateway_api import FEATURES, OWN_ADDRESSES
from tests.cluster import governed, manifests, own_image, tools
from tests.cluster.cluster import ROOT, Cluster
from tests.cluster.governed import NAMESPACE

REPORT = ROOT / "build" / "conformance.yaml"
LOG = ROOT / "build" / "conformance.log"
PROFILE = "GATEWAY-HTTP"

CORE = ("Gateway", "HTTPRoute", "ReferenceGrant")
EXTENDED = tuple(sorted({*FEATURES, *OWN_ADDRESSES} - {*CORE}))
"""What our GatewayClass claims beyond the core, and so what is tested."""

MISSES: Mapping[str, str] = {
    "HTTPRouteHostnameIntersection": "one of its 30 requests has a port in Host, which backends get"
    " without it: a host is brought to one spelling before anything is decided (decision 38)",
}
"""Core tests that fail, and why."""

VALUES: Mapping[str, object] = {
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
  backends: {selector: {all: true}}
  addresses: [{cidr: 0.0.0.0/0}, {cidr: "::/0"}]
"""


def install(ours: governed.Installed, values: Mapping[str, object]) -> None:
    """A release that lets every namespace have every host; ready when this returns."""
    cluster = ours.cluster
    ours.values.write_text(yaml.safe_dump(dict(values)))
    for crd in manifests.gateway_crds():
        cluster.kubectl("apply", "--server-side", "-f", str(crd))
    cluster.load_image(own_image.ARCHIVE)
    cluster.kubectl("create", "namespace", NAMESPACE)
    ours.upgrade("--install")
    cluster.kubectl("apply", "--server-side", "-f", "-", given=GRANTS)
    for what in ("controllers", "gate-public"):
        cluster.rollout(f"deployment/gatereeve-{what}", namespace=NAMESPACE)
    ours.find_address()


def run(cluster: Cluster, *more: str, log: Path = LOG) -> int:
    """The suite with these flags; its exit code. log: gets what it says, and so does whoever watches."""
    program = tools.path("conformance.test")
    REPORT.parent.mkdir(exist_ok=True)
    command = [
        str(program),
        "-test.run=TestConformance",
        "-test.timeout=60m",
        "-test.v",
        "--gateway-class=gatereeve",
        f"--conformance-profiles={PROFILE}",
        f"--supported-features={','.join((*CORE, *EXTENDED))}",
        "--organization=gatereeve",
        "--project=gatereeve",
        "--url=https://gatereeve.dev",
        f"--version={__version__}",
        "--contact=maintainers@gatereeve.dev",
        *more,
    ]
    environment = os.environ | {"KUBECONFIG": str(cluster.kubeconfig)}
    with (
        log.open("wb") as kept,
        subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as suite,
    ):
        try:
            for line in suite.stdout or ():
                kept.write(line)
                sys.stdout.buffer.write(line)
                sys.stdout.flush()
            return suite.wait()
        finally:
            suite.kill()  # else it would go on by itself, beside the next


_RESULT = re.compile(r"^    --- (PASS|FAIL): TestConformance/(\w+) ", re.MULTILINE)


def judge(report: str, log: str) -> list[str]:
    """What a whole run says that was not to be expected. report, log: texts of the two files."""
    results = {name: word for word, name in _RESULT.findall(log)}
    profiles = yaml.safe_load(report)["profiles"]
    if [profile["name"] for profile in profiles] != [PROFILE]:
        return [f"the report is not about {PROFILE} alone"]
    parts = {part: profiles[0].get(part) for part in ("core", "extended")}
    said = [f"there is no {part} part" for part, found in parts.items() if not found]
    failed = {name for name, word in results.items() if word == "FAIL"}
    counted = 0
    for part, found in parts.items():
        if found:
            print(f"{PROFILE} {part}: {found['statistics']}")
            failed.update(found.get("failedTests", ()))
            said += [f"{name} was skipped" for name in found.get("skippedTests", ())]
            counted += found["statistics"]["Passed"]
    said += [f"{name} failed" for name in sorted(failed - MISSES.keys())]
    said += [f"{name} passed: take it from MISSES" for name in sorted(MISSES.keys() - failed)]
    passed = sum(word == "PASS" for word in results.values())
    if passed != counted:
        said.append(f"the report counts {counted} tests as passed, and {passed} did")
    claimed = set((parts["extended"] or {}).get("supportedFeatures", ()))
    said += [f"{name} is claimed, and was not tested" for name in sorted(set(EXTENDED) - claimed)]
    return said


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.cluster.conformance")
    parser.add_argument("--run-test", help="One test of the suite, by its short name.")
    parser.add_argument("--keep", action="store_true", help="Leave the release where it is.")
    given = parser.parse_args(arguments)
    cluster = Cluster()
    if not cluster.is_up():
        print("no cluster runs here: `make cluster`", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory() as folder:
            install(governed.Installed(cluster=cluster, values=Path(folder) / "values"), VALUES)
        if given.run_test:
            return run(cluster, f"--run-test={given.run_test}")
        REPORT.unlink(missing_ok=True)
        run(cluster, f"--report-output={REPORT}")
        unexpected = (
            judge(REPORT.read_text(), LOG.read_text(errors="replace"))
            if REPORT.exists()
            else ["the suite wrote no report"]
        )
    finally:
        if not given.keep:
            governed.remove(cluster, NAMESPACE)
    for line in unexpected:
        print(line, file=sys.stderr)
    print(f"{REPORT}: {'not ' if unexpected else ''}as expected")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
