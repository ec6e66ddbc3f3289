"""etcd and kube-apiserver as processes of this machine; enough for everything the API server decides.

No controller runs here: Deployments make no pods, namespaces are never finalised, nothing is collected.
Admission policies, CEL, RBAC, server-side apply, webhooks and watches are real.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster import api, certificates, processes, tools, users, waiting
from tests.support.ports import free_port

SERVICE_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
WEBHOOK_CLIENT = "kube-apiserver-webhooks"
START_S = 60.0
_ROOT = Path(__file__).parent.parent.parent
_TRIES = 3


@dataclass(kw_only=True)
class ControlPlane:
    """Started by `start`, ended by `stop`; the API server alone can be stopped and started between.

    state: everything it writes, deleted by its owner. address: where it listens and what its certificate
    names. outlives: it goes on after this process.
    """

    state: Path
    address: str = "127.0.0.1"
    outlives: bool = False
    extra: Sequence[str] = ()

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self._kept('apiserver-port')}"

    @property
    def ca(self) -> Path:
        return self.authority.certificate

    @property
    def authority(self) -> certificates.Authority:
        return certificates.Authority(self.state / "certificates")

    def start(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        users.write_tokens(self.state / "tokens.csv")
        _write_key(self.state / "service-accounts.key")
        self.authority.create()
        self.authority.issue(
            "apiserver",
            user="kube-apiserver",
            dns=("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"),
            addresses=sorted({"127.0.0.1", self.address, SERVICE_ADDRESS}),
        )
        self._start_etcd()
        self.start_apiserver()

    def stop(self) -> None:
        self.stop_apiserver()
        if (program := self.program("etcd")) is not None:
            program.stop()

    def start_apiserver(self) -> None:
        """Ready when this returns. On the same port as before, when it ran before."""
        kept = self._kept("apiserver-port")
        for last in [*([False] * (_TRIES - 1)), True]:
            port = kept or str(free_port(self.address))
            made = self._run_apiserver(port)
            try:
                self._wait_ready(made, port)
            except processes.DiedError:
                # Somebody took the port between its choice and its use.
                if last or kept:
                    raise
                continue
            (self.state / "apiserver-port").write_text(port)
            return

    def stop_apiserver(self) -> None:
        if (program := self.program("kube-apiserver")) is not None:
            program.stop()

    def kill_apiserver(self) -> None:
        """As when its machine lost power."""
        if (program := self.program("kube-apiserver")) is not None:
            program.kill()

    def program(self, name: str) -> processes.Program | None:
        return processes.load(self.state / "programs" / f"{name}.json")

    def run(self, name: str, arguments: Sequence[str | Path]) -> processes.Program:
        """Starts a program of the control plane, with a log of its name."""
        made = processes.start(
            name,
            arguments,
            log=self.state / "logs" / f"{name}.log",
            outlives=self.outlives,
            folder=_ROOT,
        )
        (self.state / "programs").mkdir(exist_ok=True)
        made.save(self.state / "programs" / f"{name}.json")
        return made

    def api(
        self,
        user: str,
        *,
        namespace: str = "default",
        impersonate: str = "",
        groups: Iterable[str] = (),
    ) -> api.Api:
        """Acts as a user of `users`; impersonate: as anybody, with that user's right to do so."""
        token = users.named(user).token
        return api.Api(
            self.url, self.ca, token, impersonate=impersonate, groups=groups, namespace=namespace
        )

    def kubeconfig(self, user: str) -> Path:
        """A file for kubectl and our programs that acts as this user."""
        file = self.state / f"kubeconfig-{user.replace(':', '-')}"
        file.write_text(
            json.dumps(self._kubeconfig(user, {"token": users.named(user).token}), indent=1)
        )
        file.chmod(0o600)
        return file

    def component_kubeconfig(self, component: str) -> Path:
        """For a node or a part of Kubernetes itself, which shows a certificate rather than a token."""
        certificate, key = (self.authority.folder / f"{component}.{end}" for end in ("crt", "key"))
        if not certificate.exists():
            self.authority.issue(component, user=f"system:{component}")
        file = self.state / f"kubeconfig-{component}"
        shown = {"client-certificate": str(certificate), "client-key": str(key)}
        file.write_text(json.dumps(self._kubeconfig(component, shown), indent=1))
        return file

    def webhook_client(self) -> str:
        """The argument that makes the API server show webhooks a certificate of our authority, for
        the name WEBHOOK_CLIENT. Before `start`."""
        self.authority.create()
        certificate, key = self.authority.issue("webhooks", user=WEBHOOK_CLIENT)
        shown = {"client-certificate": str(certificate), "client-key": str(key)}
        kubeconfig = self.state / "webhooks.kubeconfig"
        users_ = [{"name": "*", "user": shown}]
        kubeconfig.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "users": users_}))
        kubeconfig.chmod(0o600)
        configuration = {
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "WebhookAdmissionConfiguration",
            "kubeConfigFile": str(kubeconfig),
        }  # fmt: skip
        file = self.state / "admission.json"
        plugins = [
            {"name": f"{kind}AdmissionWebhook", "configuration": configuration}
            for kind in ("Validating", "Mutating")
        ]
        file.write_text(json.dumps(
            {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration",
             "plugins": plugins}
        ))  # fmt: skip
        return f"--admission-control-config-file={file}"

    def kubectl(
        self, *arguments: str, user: str = "admin", given: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """kubectl as a user. given: its standard input."""
        command = [str(tools.path("kubectl")), f"--kubeconfig={self.kubeconfig(user)}", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def _start_etcd(self) -> None:
        for last in [*([False] * (_TRIES - 1)), True]:
            client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
            made = self.run("etcd", self._etcd(client, peer))
            try:
                self._wait_healthy(made, client)
            except processes.DiedError:
                if last:
                    raise
                continue
            (self.state / "etcd-url").write_text(client)
            return

    def _etcd(self, client: str, peer: str) -> list[str | Path]:
        return [
            tools.path("etcd"),
            f"--data-dir={self.state / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            # A test's data does not outlive its machine; waiting for the disk would only cost.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _run_apiserver(self, port: str) -> processes.Program:
        key = self.state / "service-accounts.key"
        return self.run(
            "kube-apiserver",
            [
                tools.path("kube-apiserver"),
                f"--etcd-servers={self._kept('etcd-url')}",
                f"--secure-port={port}",
                f"--bind-address={self.address}",
                f"--advertise-address={self.address}",
                f"--tls-cert-file={self.authority.folder / 'apiserver.crt'}",
                f"--tls-private-key-file={self.authority.folder / 'apiserver.key'}",
                f"--client-ca-file={self.ca}",
                f"--service-account-key-file={key}",
                f"--service-account-signing-key-file={key}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-cluster-ip-range={SERVICE_RANGE}",
                "--authorization-mode=RBAC,Node",
                f"--token-auth-file={self.state / 'tokens.csv'}",
                "--allow-privileged",
                *self.extra,
            ],
        )

    def _wait_ready(self, made: processes.Program, port: str) -> None:
        trust = ssl.create_default_context(cafile=str(self.ca))
        url = f"https://{self.address}:{port}/readyz"
        waiting.until(
            lambda: _says_ok(url, made, trust),
            "the API server is ready",
            deadline_s=START_S,
            seen=made.tail,
        )

    def _wait_healthy(self, made: processes.Program, url: str) -> None:
        waiting.until(
            lambda: _says_ok(f"{url}/health", made),
            "etcd is healthy",
            deadline_s=START_S,
            seen=made.tail,
        )

    def _kept(self, name: str) -> str:
        """What was chosen when it started, also by an earlier command; nothing when it never did."""
        file = self.state / name
        return file.read_text() if file.exists() else ""

    def _kubeconfig(self, user: str, shown: dict[str, str]) -> dict[str, object]:
        name = "gatereeve-tests"
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    "cluster": {"server": self.url, "certificate-authority": str(self.ca)},
                }
            ],
            "users": [{"name": user, "user": shown}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            "current-context": name,
        }


class KubectlError(Exception):
    """kubectl said no. Holds its words."""


def _write_key(file: Path) -> None:
    if file.exists():
        return
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    file.chmod(0o600)


def _says_ok(url: str, program: processes.Program, context: ssl.SSLContext | None = None) -> bool:
    """Raises DiedError when the program is gone: nobody waits for a dead server."""
    program.require()
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
