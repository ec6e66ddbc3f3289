"""Turns the committed documents into a folder that runs on this machine.

Copies `documents/` and fills in what cannot be committed: free ports, the digests of the trained
files, the digests that approvals bind to and the dates when these end, the key set and CA of the
identity providers, and Secrets.
What callers need (tokens, keys, certificates) goes to a folder of its own beside the documents.
The text of the documents is kept otherwise, comments and line numbers included.

    python -m examples.lending.prepare --to build/demo --models build/demo/models
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import secrets
import shutil
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from examples.lending import pki
from examples.lending.models import openai_stub
from gatereeve.api import parse

SOURCE = Path(__file__).parent / "documents"
NAMESPACE = "lending"
PARTNERS = ("acme-bank", "banco-sul")
PRICING_URI = "spiffe://lending.example/ns/pricing/sa/pricing"
SIGNING_KEY_ID = "corp-1"
VERSIONS = ("v1", "v2", "v3")

_PLACEHOLDERS = {"credit-v1": "1", "credit-v2": "2", "credit-v3": "3", "assistant-v1": "4"}
"""ModelVersion to the digit that fills its artifact's digest in the committed documents."""

_ENDS = "2099-12-31T00:00:00Z"
"""Stands in the committed documents for the end of an approval."""

APPROVED_FOR = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """TCP ports on 127.0.0.1. The defaults are the ones in the committed documents."""

    https: int = 8443
    http: int = 8080
    credit_v1: int = 9001
    credit_v2: int = 9002
    credit_v3: int = 9003
    assistant: int = 9010


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What callers hold. ca_file: the authority behind the gate's own certificate.

    signing_key: the identity provider's. foreign_key: of somebody who would like to be it.
    pricing, impostor: (certificate file, key file); the impostor's has the right name and the
    wrong authority.
    """

    ca_file: Path
    signing_key: ec.EllipticCurvePrivateKey
    foreign_key: ec.EllipticCurvePrivateKey
    api_keys: Mapping[str, str]
    pricing: tuple[Path, Path]
    impostor: tuple[Path, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """documents: the folder for `gatereeve up`. digests: of each ModelVersion, by name."""

    documents: Path
    credentials: Credentials
    digests: Mapping[str, str]


def prepare(to: Path, models: Path, ports: Ports) -> Prepared:
    """Writes `documents/` and `callers/` under `to`, replacing what is there.

    models: the folder with the trained versions and their cards.
    """
    documents, callers = to / "documents", to / "callers"
    for folder in (documents, callers):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    callers.chmod(0o700)
    texts = {file.name: file.read_text("utf-8") for file in sorted(SOURCE.glob("*.yaml"))}
    texts = {
        name: _fill_artifacts(_fill_ports(text, ports), models) for name, text in texts.items()
    }
    digests = read_digests(texts.values())
    for name, text in texts.items():
        (documents / name).write_text(_fill_approvals(text, digests), "utf-8")
    return Prepared(
        documents=documents,
        credentials=_issue(documents, callers),
        digests=digests,
    )


def read_digests(texts: Iterable[str]) -> dict[str, str]:
    """The digest of every ModelVersion, as `gatereeve digest` prints it."""
    parsed = [parse.parse_text(text, "documents.yaml") for text in texts]
    found = (doc for file in parsed for doc in file.docs if doc.ref.kind == "ModelVersion")
    return {doc.ref.name: doc.digest for doc in found}


def _fill_ports(text: str, ports: Ports) -> str:
    """Every documented port becomes the chosen one; no other number looks like them."""
    chosen = dict(zip(asdict(Ports()).values(), asdict(ports).values(), strict=True))
    pattern = r"\b(" + "|".join(str(port) for port in chosen) + r")\b"
    return re.sub(pattern, lambda found: str(chosen[int(found[0])]), text)


def _fill_artifacts(text: str, models: Path) -> str:
    digests = {
        f"credit-{version}": json.loads((models / f"credit-{version}.card.json").read_text())[
            "artifact"
        ]["digest"]
        for version in VERSIONS
    }
    stand_in = Path(openai_stub.__file__).read_bytes()
    digests["assistant-v1"] = "sha256:" + hashlib.sha256(stand_in).hexdigest()
    for name, digit in _PLACEHOLDERS.items():
        text = text.replace("sha256:" + digit * 64, digests[name])
    return text


def _fill_approvals(text: str, digests: Mapping[str, str]) -> str:
    """An approval of `name` gets the digest of `name` as it is now, and ends in a year if it ends."""
    pattern = r'(name: ([a-z0-9-]+), digest: )"sha256:0{64}"'
    text = re.sub(pattern, lambda found: f'{found[1]}"{digests[found[2]]}"', text)
    return text.replace(_ENDS, f"{datetime.now(UTC) + APPROVED_FOR:%Y-%m-%dT%H:%M:%SZ}")


def _issue(documents: Path, callers: Path) -> Credentials:
    """Public halves and Secrets into `documents`, everything that callers hold into `callers`."""
    web, mesh = pki.make_ca("Lending example web CA"), pki.make_ca("Lending example mesh CA")
    server = pki.issue_server(web, "lending.example", "*.lending.example")
    signing_key = pki.make_key()
    api_keys = {partner: secrets.token_urlsafe(32) for partner in PARTNERS}

    keys = documents / "keys"
    keys.mkdir()
    (keys / "jwks.json").write_text(pki.make_jwks(signing_key, SIGNING_KEY_ID))
    (keys / "mesh-ca.pem").write_text(mesh.certificate_pem)
    pair = {"tls.crt": server.certificate_pem, "tls.key": server.key_pem}
    manifests = [_secret("lending-tls", "kubernetes.io/tls", pair)]
    manifests += [_secret(f"partner-{p}", "Opaque", {"key": key}) for p, key in api_keys.items()]
    _write_private(documents / "secrets.yaml", "---\n".join(manifests))

    (callers / "ca.pem").write_text(web.certificate_pem)
    impostor = pki.issue_client(pki.make_ca("Somebody else's CA"), PRICING_URI)
    return Credentials(
        ca_file=callers / "ca.pem",
        signing_key=signing_key,
        foreign_key=pki.make_key(),
        api_keys=api_keys,
        pricing=_write_pair(callers, "pricing", pki.issue_client(mesh, PRICING_URI)),
        impostor=_write_pair(callers, "impostor", impostor),
    )


def _secret(name: str, kind: str, values: Mapping[str, str]) -> str:
    """One Secret as YAML; values as literal blocks, so that a person can read what it is."""
    lines = [
        "apiVersion: v1",
        "kind: Secret",
        f"metadata: {{name: {name}, namespace: {NAMESPACE}}}",
        f"type: {kind}",
        "stringData:",
    ]
    for key, value in values.items():
        lines += [f"  {key}: |-", textwrap.indent(value.strip(), "    ")]
    return "\n".join(lines) + "\n"


def _write_pair(folder: Path, name: str, pair: pki.Pair) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_text(pair.certificate_pem)
    _write_private(key, pair.key_pem)
    return certificate, key


def _write_private(file: Path, text: str) -> None:
    """Readable by its owner only, from the first byte."""
    file.touch(mode=0o600)
    file.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=Path("build/demo"))
    parser.add_argument("--models", type=Path, default=Path("build/demo/models"))
    given = parser.parse_args()
    prepared = prepare(given.to, given.models, Ports())
    print(f"documents: {prepared.documents}")
    for name, digest in prepared.digests.items():
        print(f"{name}: {digest}")


if __name__ == "__main__":
    main()
