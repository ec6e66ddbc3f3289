"""Breaking any one file or document of a folder never adds an answer by a model's server (P2).

Folders are generated and read as at a cold start, so nothing was ever good. What is broken is what
people and disks break: encodings, endings, links, cut off saves, missing parts, misspelled names.
An edit that gives another valid document is no break: it says something else.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from gatereeve.compile import compiler
from gatereeve.decide.principals import AssumedIdentity
from gatereeve.decide.reference import decide
from gatereeve.decide.request import Request
from gatereeve.sources.folder.folder_source import FolderSource
from tests.support.routes import EVERYTHING, tls_secret
from tests.unit.sources.clock import StillClock

BOUNDED = settings(
    max_examples=120, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip

TEAMS, NAMES = ("lending", "shop"), ("credit", "chat")
GATE = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec:
  region: de
  https: {port: 8443}
  tls: {defaultCertificate: {namespace: platform, name: default}}
  identity:
    apiKeys: {name: keys, keys: [
      {id: acme, secret: {namespace: platform, name: k}, groups: [gold]},
      {id: evil, secret: {namespace: platform, name: l}}]}
  attributes:
    region: [{cidrs: [{region: ru, cidrs: [10.0.0.0/8]}, {region: de, cidrs: [127.0.0.0/8]}]}]
    purpose: [{header: {name: x-purpose, from: [127.0.0.0/8]}}]
"""
HEAD = "apiVersion: gatereeve.dev/v1alpha1\nkind: KIND\nmetadata: {name: NAME, namespace: TEAM}\n"
MODEL = "spec: {owner: olga, purpose: test, riskClass: RISK, protocol: json}\n"
VERSION = """spec: {model: MODEL, version: "V", author: mia, region: de,
  artifact: {digest: "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
  endpoints: [{address: 10.1.0.1, port: 80}]}
"""
INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME, namespace: TEAM}
spec:
  ingressClassName: gatereeve
  rules:
    - host: NAME.TEAM.example
      http: {paths: [{path: /, pathType: Prefix, backend: {resource: {apiGroup: gatereeve.dev, kind: Model, name: NAME}}}]}
"""
DENIES = (
    "{subjects: [{principal: keys/evil}]}", "{subjects: [{group: keys/gold}]}", "{regions: [ru]}",
    "{purposes: [marketing]}", "{subjects: [{anonymous: true}]}", "{operations: [infer]}",
)  # fmt: skip


def document(kind: str, name: str, team: str, spec: str) -> str:
    head = HEAD.replace("KIND", kind).replace("NAME", name).replace("TEAM", team)
    return head + spec


@st.composite
def folders(draw: st.DrawFn) -> dict[str, str]:
    """Files by name; what one team has may stand in one file or in several."""
    files = {
        "gate.yaml": GATE,
        "grant.yaml": EVERYTHING,
        "tls.yaml": tls_secret(names=("*.lending.example", "*.shop.example")),
    }
    for team in TEAMS:
        docs: dict[str, str] = {}
        for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)):
            docs[f"model-{name}"] = document("Model", name, team, MODEL.replace("RISK", "minimal"))
            version = VERSION.replace("MODEL", name).replace("V", "1", 1)
            docs[f"version-{name}"] = document("ModelVersion", f"{name}-1", team, version)
            docs[f"route-{name}"] = INGRESS.replace("NAME", name).replace("TEAM", team)
            docs[f"allow-{name}"] = document(
                "AccessPolicy", f"allow-{name}", team,
                f"spec: {{models: [{name}], allow: [{{subjects: [{{provider: keys}}]}}, {{subjects: [{{anonymous: true}}]}}]}}\n",
            )  # fmt: skip
            for number, rule in enumerate(draw(st.lists(st.sampled_from(DENIES), max_size=2))):
                target = draw(st.sampled_from([f"models: [{name}]", "selector: {all: true}"]))
                docs[f"deny-{name}-{number}"] = document(
                    "AccessPolicy", f"deny-{name}-{number}", team, f"spec: {{{target}, deny: [{rule}]}}\n"
                )  # fmt: skip
            if draw(st.booleans()):
                docs[f"rollout-{name}"] = document(
                    "Rollout", name, team, f'spec: {{model: {name}, split: [{{version: "{draw(st.sampled_from("12"))}", weight: 10000}}]}}\n'
                )  # fmt: skip
            if draw(st.booleans()):
                docs[f"decision-{name}"] = document(
                    "Approval", f"{name}-risk", team,
                    f"spec: {{subject: {{name: {name}-1, digest: DIGEST}}, role: risk, decision: reject, approver: zoe, reason: unsafe}}\n",
                )  # fmt: skip
        if draw(st.booleans()):
            files[f"{team}.yaml"] = "---\n".join(docs.values())
        else:
            files.update((f"{team}-{name}.yaml", text) for name, text in docs.items())
    return with_digests(files)


def with_digests(files: dict[str, str]) -> dict[str, str]:
    """Rejections of the digest that the versions have; all versions of a name have their own."""
    with served(files) as folder:
        world = FolderSource(folder, StillClock()).read()
    digests = {doc.ref.name: doc.digest for doc in world.model_versions.values()}
    return {
        file: re.sub(r"\{name: ([a-z]+-1), digest: DIGEST\}",
                     lambda m: f"{{name: {m[1]}, digest: '{digests[m[1]]}'}}", text)
        for file, text in files.items()
    }  # fmt: skip


class served:  # noqa: N801 - reads as a verb
    """A folder with these files."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files
        self._directory = tempfile.TemporaryDirectory(prefix="gatereeve-breaking-")

    def __enter__(self) -> Path:
        folder = Path(self._directory.name) / "f"
        folder.mkdir()
        for name, text in self._files.items():
            (folder / name).write_text(text)
        return folder

    def __exit__(self, *_: object) -> None:
        self._directory.cleanup()


ACME = AssumedIdentity(provider="keys", id="acme", groups=("gold",))
EVIL = AssumedIdentity(provider="keys", id="evil")
REQUESTS = tuple(
    Request(
        host=f"{name}.{team}.example", sni=f"{name}.{team}.example", path="/", method="POST", body=b"{}",
        peer=peer, headers=(("content-type", "application/json"), *headers), assume=caller,
    )
    for team in TEAMS
    for name in NAMES
    for caller in (ACME, EVIL, None)
    for peer in ("127.0.0.1", "10.0.0.1")
    for headers in ((), (("x-purpose", "marketing"),))
)  # fmt: skip


def answers(folder: Path) -> set[int]:
    """Which requests a model's server answers."""
    world = FolderSource(folder, StillClock()).read()
    gates = compiler.compile(world).ir.gates
    return {
        number
        for number, request in enumerate(REQUESTS)
        for gate in gates
        if gate.listeners and decide(gate, request, now=world.at).forwarded
    }


@dataclass(frozen=True)
class Break:
    """A way to break one file."""

    name: str
    apply: Callable[[Path, st.DataObject], None]


def rewrite(
    change: Callable[[str, st.DataObject], str | bytes],
) -> Callable[[Path, st.DataObject], None]:
    def apply(path: Path, data: st.DataObject) -> None:
        after = change(path.read_text(), data)
        path.write_bytes(after.encode() if isinstance(after, str) else after)

    return apply


def in_one_document(
    change: Callable[[str, st.DataObject], str],
) -> Callable[[str, st.DataObject], str]:
    def apply(text: str, data: st.DataObject) -> str:
        parts = text.split("---\n")
        at = data.draw(st.integers(0, len(parts) - 1))
        parts[at] = change(parts[at], data)
        return "---\n".join(parts)

    return apply


def without_line(pattern: str) -> Callable[[str, st.DataObject], str]:
    return lambda text, _data: re.sub(pattern, "", text, count=1, flags=re.MULTILINE)


def misspelled(text: str, data: st.DataObject) -> str:
    """A key of a document of ours, or of the head of any, gets a letter more or less, or another case."""
    keys = list(
        re.finditer(
            r"([a-zA-Z]+):",
            text if "gatereeve.dev/v1alpha1\n" in text else text.partition("spec:")[0],
        )
    )
    if not keys:
        return text
    key = data.draw(st.sampled_from(keys))
    word: str = key[1]
    wrong = data.draw(st.sampled_from([word + word[-1], word[:-1], word.swapcase(), f"{word} x"]))
    return text[: key.start()] + wrong + text[key.end() - 1 :]


def misnamed_value(text: str, data: st.DataObject) -> str:
    """A namespace, kind, group or the model or provider that a policy names."""
    pattern = r"namespace: ([a-z]+)|kind: ([A-Za-z]+)|apiVersion: (gatereeve)|models: \[([a-z]+)|keys/([a-z]+)|provider: (keys)"
    found = [m for m in re.finditer(pattern, text) if m.lastindex]
    if not found or "AccessPolicy" not in text:
        return text
    match = data.draw(st.sampled_from(found))
    start, end = match.span(match.lastindex or 0)
    word = text[start:end]
    wrong = data.draw(st.sampled_from([word + "x", word[1:], word.upper(), f"{word}-{word}"]))
    return text[:start] + wrong + text[end:]


def renamed(path: Path, data: st.DataObject) -> None:
    ending = data.draw(st.sampled_from([".yaml.bak", ".YAML", ".yml.orig", "", ".yaml ", ".txt"]))
    path.rename(path.with_name(path.name.removesuffix(".yaml") + ending))


def linked_out(path: Path, _data: st.DataObject) -> None:
    outside = path.parent.parent / "outside.yaml"
    path.rename(outside)
    path.symlink_to(outside)


def cut(text: str, data: st.DataObject) -> str:
    """Anywhere in a document; at the end of a document is a shorter file, which says something else."""
    at = data.draw(st.integers(0, len(text)))
    before = text[:at]
    return text if before.rstrip("-\n ").endswith("}") or before == "" else before


BREAKS = (
    Break("utf-16", rewrite(lambda text, _: text.encode("utf-16"))),
    Break("latin-1", rewrite(lambda text, _: b"# \xe4\n" + text.encode())),
    Break("emptied", rewrite(lambda _text, _: "")),
    Break("cut", rewrite(cut)),
    Break("tab", rewrite(in_one_document(lambda text, _: text.replace("\nmetadata", "\n\tmetadata", 1)))),
    Break("no kind", rewrite(in_one_document(without_line(r"^kind:.*\n")))),
    Break("no version", rewrite(in_one_document(without_line(r"^apiVersion:.*\n")))),
    Break("no metadata", rewrite(in_one_document(without_line(r"^metadata:.*\n")))),
    Break("no namespace", rewrite(in_one_document(without_line(r", namespace: [a-z]+")))),
    Break("key twice", rewrite(in_one_document(lambda text, _: text + "metadata: {name: x}\n"))),
    Break("misspelled", rewrite(in_one_document(misspelled))),
    Break("misnamed", rewrite(in_one_document(misnamed_value))),
    Break("wrong list", rewrite(lambda text, _: "apiVersion: v1\nkind: List\nitem:\n" + "".join(
        "  - " + part.replace("\n", "\n    ").rstrip(" ") for part in text.split("---\n")))),
    Break("renamed", renamed),
    Break("linked out", linked_out),
)  # fmt: skip


@BOUNDED
@given(folders(), st.sampled_from(BREAKS), st.data())
def test_breaking_one_file_never_opens_anything(
    files: dict[str, str], how: Break, data: st.DataObject
) -> None:
    with served(files) as folder:
        before = answers(folder)
        path = folder / data.draw(st.sampled_from(sorted(files)))
        how.apply(path, data)
        after = answers(folder)
        note(
            f"{how.name} of {path.name}: "
            + (path.read_bytes().decode("utf-8", "replace") if path.exists() else "gone")
        )
        assert after <= before, [REQUESTS[n] for n in after - before]


@BOUNDED
@given(folders())
def test_folders_answer_something(files: dict[str, str]) -> None:
    """The law above would hold for folders that answer nothing."""
    plain = {
        name: "---\n".join(
            part
            for part in text.split("---\n")
            if not re.search("deny:|kind: Rollout|kind: Approval", part)
        )
        for name, text in files.items()
    }
    with served({name: text for name, text in plain.items() if text}) as folder:
        assert answers(folder)
