"""The cluster itself: pods run, names resolve, balancers and policies work, parts come and go.

What tests of Gatereeve on a cluster take for granted is shown here once.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx2
import pytest

from tests.cluster import own_image, waiting
from tests.cluster.cluster import Cluster, is_foreign

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(is_foreign(), reason="shows our own cluster, not the one that is given"),
]

SERVER = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: credit}
spec:
  replicas: 2
  selector: {matchLabels: {app: credit}}
  template:
    metadata: {labels: {app: credit}}
    spec:
      terminationGracePeriodSeconds: 10
      automountServiceAccountToken: false
      containers:
        - name: model
          image: gatereeve.test/model-standin:1
          imagePullPolicy: IfNotPresent
          env: [{name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
          readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: credit}
spec:
  type: LoadBalancer
  selector: {app: credit}
  ports: [{port: 80, targetPort: 8080}]
"""

# Runs in our own image, as a restricted pod: no privileges, nothing to write to, no shell.
PROBE = """
apiVersion: v1
kind: Pod
metadata: {name: %(name)s, labels: {role: %(role)s}}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: probe
      image: gatereeve.test/gatereeve:dev
      imagePullPolicy: IfNotPresent
      command: %(command)s
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
"""

ONLY_GATES = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-gates}
spec:
  podSelector: {matchLabels: {app: credit}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {role: gate}}}]}]
"""

Probe = Callable[..., str]


@pytest.fixture
def server(cluster: Cluster, namespace: str) -> str:
    """Address of the balancer before two stand-ins, which answers."""
    cluster.kubectl("apply", "-f", "-", f"--namespace={namespace}", given=SERVER)
    cluster.rollout("deployment/credit", namespace=namespace)
    told = "{.status.loadBalancer.ingress[0].ip}"
    asked = ("get", "service", "credit", f"--namespace={namespace}", f"--output=jsonpath={told}")
    address = waiting.until(lambda: cluster.kubectl(*asked).stdout, "the balancer has an address")
    waiting.until(lambda: answers(address), "the balancer's address answers")
    return address


def answers(address: str) -> bool:
    """On a connection of its own, so the balancer chooses anew."""
    try:
        return (
            httpx2.get(f"http://{address}/healthz", timeout=2, trust_env=False).status_code == 200
        )
    except httpx2.TransportError:
        return False


@pytest.fixture
def probe(cluster: Cluster, namespace: str) -> Probe:
    """Runs a command in a pod of our image and gives its log; refused unless it is restricted."""
    cluster.load_image(own_image.build())
    cluster.kubectl(
        *("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    )

    def run(name: str, *command: str, role: str = "other") -> str:
        text = PROBE % {"name": name, "role": role, "command": json.dumps(command)}
        inside = f"--namespace={namespace}"
        cluster.kubectl("apply", "-f", "-", inside, given=text)
        phase = "--output=jsonpath={.status.phase}"
        waiting.until(
            lambda: (
                cluster.kubectl("get", "pod", name, inside, phase).stdout in ("Succeeded", "Failed")
            ),
            f"pod {name} ends",
            seen=lambda: cluster.kubectl("describe", "pod", name, inside).stdout[-2000:],
        )
        return cluster.kubectl("logs", name, inside).stdout

    return run


def test_a_balancer_answers_from_outside_and_both_pods_serve(server: str) -> None:
    pods = set()

    def both() -> bool:
        answer = httpx2.get(f"http://{server}/v2/models/credit/infer", trust_env=False)
        pods.add(answer.headers["x-pod"])
        return len(pods) == 2

    waiting.until(both, "both pods answer")


def test_our_image_runs_restricted(probe: Probe) -> None:
    said = probe("version", "gatereeve", "version")

    assert "gatereeve" in said.lower()
    assert "1.40" in said


def test_names_resolve_and_reach_a_service_from_a_pod(server: str, probe: Probe) -> None:
    ask = "import httpx2; print(httpx2.get('http://credit/v2/models/credit/infer').text)"

    assert server
    assert '"model_name":"credit"' in probe("by-name", "python3", "-c", ask)


def test_a_network_policy_lets_only_gates_in(
    cluster: Cluster, namespace: str, server: str, probe: Probe
) -> None:
    cluster.kubectl("apply", "-f", "-", f"--namespace={namespace}", given=ONLY_GATES)
    ask = (
        "import httpx2\n"
        "try: print(httpx2.get('http://credit/readyz', timeout=3).status_code)\n"
        "except httpx2.TransportError as error: print(type(error).__name__)"
    )

    waiting.until(lambda: not answers(server), "the policy is enforced")
    assert probe("stranger", "python3", "-c", ask).strip() != "200"
    assert probe("gate", "python3", "-c", ask, role="gate").strip() == "200"


def test_traffic_goes_on_while_the_api_server_is_away(cluster: Cluster, server: str) -> None:
    cluster.kill("kube-apiserver")
    try:
        assert answers(server)
        assert cluster.kubectl("get", "nodes", "--request-timeout=2s", check=False).returncode != 0
    finally:
        cluster.start("kube-apiserver")

    assert "node1" in cluster.kubectl("get", "nodes").stdout


def test_a_lost_node_is_noticed_and_its_pods_leave_rotation(
    cluster: Cluster, namespace: str, server: str
) -> None:
    cluster.add_node(2)
    try:
        inside = f"--namespace={namespace}"
        there = '{"spec": {"template": {"spec": {"nodeName": "node2"}}}}'
        cluster.kubectl("patch", "deployment", "credit", inside, "--patch", there)
        cluster.rollout("deployment/credit", namespace=namespace)
        waiting.until(lambda: answers(server), "pods on the other node answer")

        cluster.lose_node(2)

        told = "--output=jsonpath={.items[*].endpoints[*].conditions.ready}"
        waiting.until(
            lambda: (
                "true"
                not in cluster.kubectl(
                    *(
                        "get",
                        "endpointslices",
                        inside,
                        told,
                        "-l",
                        "kubernetes.io/service-name=credit",
                    )
                ).stdout
            ),
            "no lost pod is ready",
            deadline_s=90,
        )
    finally:
        cluster.remove_node(2)
