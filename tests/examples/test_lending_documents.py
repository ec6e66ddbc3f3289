"""The documents of the lending example: readable as committed, complete once prepared."""

from __future__ import annotations

import json
import re
import ssl
import stat
from pathlib import Path

import pytest
from examples.lending import pki, prepare

from gatereeve.api import parse
from gatereeve.compile import compiler
from gatereeve.runtime import folder_reader

PORTS = prepare.Ports(
    https=20001, http=20002, credit_v1=20003, credit_v2=20004, credit_v3=20005, assistant=20006
)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Cards of three versions; their digests are what `prepare` reads."""
    folder = tmp_path / "models"
    folder.mkdir()
    for digit, version in enumerate(prepare.VERSIONS, 5):
        card = {"artifact": {"digest": "sha256:" + str(digit) * 64}}
        (folder / f"credit-{version}.card.json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def prepared(tmp_path: Path, models: Path) -> prepare.Prepared:
    return prepare.prepare(tmp_path / "demo", models, PORTS)


def problems(folder: Path) -> list[str]:
    parsed = [parse.parse_text(file.read_text(), file.name) for file in folder.glob("*.yaml")]
    return [f"{f.where}: {f.code} {f.message}" for file in parsed for f in file.findings]


def test_the_committed_documents_can_be_read() -> None:
    assert problems(prepare.SOURCE) == []


def test_nothing_secret_is_committed() -> None:
    texts = [file.read_text() for file in prepare.SOURCE.rglob("*") if file.is_file()]
    assert not any("PRIVATE KEY" in text or "kind: Secret" in text for text in texts)


def test_the_prepared_documents_can_be_read(prepared: prepare.Prepared) -> None:
    assert problems(prepared.documents) == []


def test_the_prepared_documents_compile(prepared: prepare.Prepared) -> None:
    compiled = compiler.compile(folder_reader.read_folder(prepared.documents))
    assert {finding.code for finding in compiled.findings} == {
        "version-unapproved",  # v3, on purpose
        "service-behind-model",  # the side door, on purpose
    }
    hosts = [host for gate in compiled.ir.gates for li in gate.listeners for host in li.hosts]
    assert {(host.host, host.tls) for host in hosts} == {
        ("credit.lending.example", "redirect"),
        ("chat.lending.example", "redirect"),
        ("side-door.lending.example", "redirect"),
    }


def test_every_placeholder_is_filled(prepared: prepare.Prepared) -> None:
    text = "".join(file.read_text() for file in prepared.documents.glob("*.yaml"))
    assert re.search(r"sha256:(.)\1{63}", text.replace("5" * 64, "").replace("6" * 64, "").replace("7" * 64, "")) is None  # fmt: skip
    assert not re.search(r"\b(8443|8080|9001|9002|9003|9010)\b", text)
    for name, digest in prepared.digests.items():
        assert f'name: {name}, digest: "{digest}"' in text


def test_lines_and_comments_stay_where_they_are(prepared: prepare.Prepared) -> None:
    for source in prepare.SOURCE.glob("*.yaml"):
        before = source.read_text().splitlines()
        after = (prepared.documents / source.name).read_text().splitlines()
        assert len(before) == len(after)
        assert [line for line in before if line.startswith("#")] == [
            line for line in after if line.startswith("#")
        ]


def test_approvals_bind_to_the_digests_of_the_versions(prepared: prepare.Prepared) -> None:
    again = prepare.read_digests(file.read_text() for file in prepared.documents.glob("*.yaml"))
    assert again == prepared.digests
    assert set(again) == {"credit-v1", "credit-v2", "credit-v3", "assistant-v1"}


def test_private_things_are_private(prepared: prepare.Prepared) -> None:
    private = [
        prepared.documents / "secrets.yaml",
        prepared.credentials.pricing[1],
        prepared.credentials.impostor[1],
    ]
    assert [stat.S_IMODE(file.stat().st_mode) for file in private] == [0o600] * 3


def test_preparing_again_replaces_everything(prepared: prepare.Prepared, models: Path) -> None:
    (prepared.documents / "left-over.yaml").write_text("kind: Nothing\n")
    before = (prepared.documents / "secrets.yaml").read_text()
    again = prepare.prepare(prepared.documents.parent, models, PORTS)
    assert not (again.documents / "left-over.yaml").exists()
    assert (again.documents / "secrets.yaml").read_text() != before


def test_certificates_are_what_a_strict_client_accepts(prepared: prepare.Prepared) -> None:
    context = ssl.create_default_context(cafile=str(prepared.credentials.ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(*prepared.credentials.pricing)
    assert len(context.get_ca_certs()) == 1


def test_a_token_is_three_parts_with_a_raw_signature() -> None:
    token = pki.sign_token(pki.make_key(), "k", {"sub": "a"})
    header, payload, signature = token.split(".")
    assert all("=" not in part for part in (header, payload, signature))
    assert len(signature) == 86
