"""`gatereeve explain` and `gatereeve who-can` on a folder, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gatereeve.cli import app
from gatereeve.core.errors import RequestError, SettingsError
from tests.support import keys

RUNNER = CliRunner()

DOCUMENTS = """\
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec:
  region: de
  https: {port: 8443}
  tls: {defaultCertificate: {namespace: shop, name: tls}}
  identity:
    jwt: [{name: corp, issuer: "https://id.example", audiences: [shop], jwks: {source: {file: jwks.json}}}]
---
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: shop}
spec: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, hosts: ["*.example"], backends: {selector: {all: true}}, addresses: [{cidr: 127.0.0.0/8}, {cidr: 10.0.0.0/8}]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: offers, namespace: shop}
spec: {owner: shop-team, purpose: offers, riskClass: minimal, protocol: json}
---
apiVersion: gatereeve.dev/v1alpha1
kind: ModelVersion
metadata: {name: offers-1, namespace: shop}
spec:
  model: offers
  version: "1"
  author: mia
  artifact: {digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
  region: de
  endpoints: [{address: 127.0.0.1, port: 9001}]
---
apiVersion: gatereeve.dev/v1alpha1
kind: AccessPolicy
metadata: {name: offers, namespace: shop}
spec:
  models: [offers]
  deny: [{subjects: [{principal: corp/mallory}]}]
  allow:
    - name: staff
      subjects: [{group: corp/staff}]
      limits: {requests: {count: 5, seconds: 60}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: offers, namespace: shop}
spec:
  ingressClassName: gatereeve
  rules:
    - host: offers.example
      http: {paths: [{path: "/", pathType: Prefix, backend: {resource: {apiGroup: gatereeve.dev, kind: Model, name: offers}}}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pair = keys.Authority("test").issue(dns=("*.example",))
    here = tmp_path / "documents"
    here.mkdir()
    (here / "documents.yaml").write_text(DOCUMENTS)
    (here / "jwks.json").write_text(keys.jwks("corp"))
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tls", "namespace": "shop"},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": pair.certificate, "tls.key": pair.key},
    }
    (here / "secret.yaml").write_text(json.dumps(secret))
    return here


def run(*arguments: object, stdin: str | None = None) -> Result:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def request_of(**values: object) -> str:
    return json.dumps({"url": "https://offers.example/price", "method": "POST"} | values)


STAFF = {"principal": "corp/ann", "groups": ["staff"]}


def test_a_served_request(folder: Path, tmp_path: Path) -> None:
    request = tmp_path / "request.yaml"
    request.write_text(request_of(**{"as": STAFF}))
    result = run("explain", folder, request)
    assert result.exit_code == 0
    assert "served by shop/offers version 1" in result.output
    assert "AccessPolicy shop/offers spec.allow[0], documents.yaml:39" in result.output


def test_a_refused_request_as_json(folder: Path) -> None:
    mallory = {"principal": "corp/mallory", "groups": ["staff"]}
    result = run("explain", folder, "-", "--json", stdin=request_of(**{"as": mallory}))
    assert result.exit_code == 1
    told = json.loads(result.output)
    assert (told["status"], told["code"], told["rule"]) == (
        403,
        "denied-by-rule",
        "shop/offers/deny[0]",
    )
    last = told["steps"][-1]
    assert (last["name"], last["file"], last["line"]) == ("deny", "documents.yaml", 37)


def test_a_closed_model_names_the_document_that_closes_it(folder: Path) -> None:
    (folder / "deny.yaml").write_bytes("kind: AccessPolicy".encode("utf-16"))
    answer = json.loads(
        run("explain", folder, "-", "--json", stdin=request_of(**{"as": STAFF})).output
    )
    assert answer["code"] == "policy-broken"
    assert "a document in deny.yaml" in answer["steps"][-1]["detail"]


def test_a_redirect_and_an_ordinary_refusal_are_printed(folder: Path) -> None:
    result = run("explain", folder, "-", stdin=request_of())
    assert result.exit_code == 1
    assert "401 credential-required: A credential is required." in result.output


@pytest.mark.parametrize("stdin", ["[", "5", "{}", '{"host": 5}'])
def test_nonsense(folder: Path, stdin: str) -> None:
    with pytest.raises(RequestError):
        run("explain", folder, "-", stdin=stdin)


def test_files_and_gates_that_do_not_exist(folder: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read"):
        run("explain", folder, folder / "nothing.yaml")
    with pytest.raises(SettingsError, match="no Gate inner"):
        run("explain", folder, "-", "--gate", "inner", stdin=request_of())
    with pytest.raises(SettingsError, match="no Model prices"):
        run("who-can", folder, "prices")


def test_who_can(folder: Path) -> None:
    result = run("who-can", folder, "offers")
    assert result.exit_code == 0
    assert "group corp/staff" in result.output
    assert "5/60 s" in result.output
    assert "corp/mallory" in result.output


def test_who_can_as_json(folder: Path) -> None:
    result = run("who-can", folder, "shop/offers", "--json")
    (cell,) = json.loads(result.output)["allowed"]
    assert (cell["subject"], cell["versions"]) == ("group corp/staff", ["1"])
    assert cell["except"] == ["shop/offers/deny[0]"]


def test_who_can_when_nobody_can(folder: Path) -> None:
    text = (folder / "documents.yaml").read_text()
    (folder / "documents.yaml").write_text(text.replace("models: [offers]", "models: [other]"))
    result = run("who-can", folder, "offers")
    assert result.exit_code == 1
    assert "No caller can use shop/offers" in result.output
