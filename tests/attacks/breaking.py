"""Ways to break one file of a folder: its bytes, its document, and the file itself.

A `Blow` changes the file in place and may leave anything; nothing that it does is a grant. The
table is data: another way to break is another row.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gatereeve.sources import listing

Document = dict[str, Any]
Change = Callable[[Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """name: unique for one file. strike: done to the file; it may take its time.

    deletes: a person may have meant it; see `folders.may_gain`. warm, cold: where it makes sense.
    """

    name: str
    strike: Change
    deletes: bool = False
    warm: bool = True
    cold: bool = True


def blows(file: str, original: bytes, chance: random.Random) -> list[Blow]:
    """Every way to break this file. file: `ns-WHAT.yaml`, WHAT decides about the words in it."""
    what = file.rpartition("-")[2].removesuffix(".yaml")
    found = [*_of_bytes(original, chance), *_of_the_file(), *_of_the_document(what, original)]
    names = [one.name for one in found]
    assert len(names) == len(set(names)), names
    return found


def _write(data: bytes) -> Change:
    return lambda path: _replace(path, data)


def _replace(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _of_bytes(original: bytes, chance: random.Random) -> Iterator[Blow]:
    text = original.decode()
    latin = f"# caf\xe9\n{text}".encode("latin-1")
    damaged = {
        "utf-16": text.encode("utf-16"),
        "utf-16-be": text.encode("utf-16-be"),
        "utf-16-le": text.encode("utf-16-le"),
        "utf-32": text.encode("utf-32"),
        "latin-1": latin,
        "utf-7": text.replace(":", "+ADo-").encode(),
        "ebcdic": text.encode("cp500"),
        "bad-byte-at-end": original + b"\xff",
        "bad-byte-inside": original.replace(b"metadata", b"meta\xc0data", 1),
        "overlong": original.replace(b"metadata:", b"metadata\xc0\xba", 1),
        "nul": original.replace(b"\n", b"\n\0", 1),
        "all-nul": bytes(len(original)),
        "control": original.replace(b"spec", b"sp\x08ec", 1),
        "escape": original.replace(b"kind", b"\x1b[8mkind", 1),
        "two-marks": b"\xef\xbb\xbf\xef\xbb\xbf" + original,
        "empty": b"",
        "blank": b"\n\n  \n",
        "only-comments": b"".join(b"# " + line + b"\n" for line in original.splitlines()),
        "only-a-separator": b"---\n",
        "only-an-end": b"...\n",
        "after-an-end": b"...\n" + original,
        "null": b"null\n",
        "text": b"hello\n",
        "number": b"7\n",
        "list": b"[]\n",
        "listed": b"".join(b"- " * (n == 0) + b"  " * (n > 0) + l + b"\n" for n, l in enumerate(original.splitlines())),
        "open-bracket": b"[" + original,
        "open-quote": original.replace(b"spec:", b'spec: "', 1),
        "tab": original.replace(b"\n  ", b"\n\t", 1),
        "block-text": b"text: |\n" + b"".join(b"  " + l + b"\n" for l in original.splitlines()),
        "quoted-whole": yaml.safe_dump(text).encode(),
        "template": original.replace(b"name: ", b"name: {{ .Values.name }}", 1),
        "tag": b"!!python/object:os.system " + original,
        "doubled-key": original + b"kind: Nothing\n",
        "doubled-spec": original + b"spec: {}\n",
        "unknown-alias": original.replace(b"spec:", b"spec: *nothing\nSpec:", 1),
        "merge-nothing": original + b"<<: 7\n",
        "deep": original + b"more: " + b"[" * 2000 + b"]" * 2000 + b"\n",
        "json-cut": b'{"apiVersion": "gatereeve.dev/v1alpha1", "kind": ',
        "half-saved-twice": original[: len(original) // 2] + original,
        "conflict": b"<<<<<<< HEAD\n" + original + b"=======\n" + original + b">>>>>>> other\n",
        "too-large": original + b"#" * (listing.MAX_FILE_BYTES + 1 - len(original)),
        "too-many-characters": original + b"# " + b"x" * (8 << 20) + b"\n",
        "one-line": original.replace(b"\n", b" "),
        "carriage-returns": original.replace(b"\n", b"\r"),
        "next-lines": original.replace(b"\n", b"\xc2\x85"),
        "wide-colons": text.replace(":", "\uff1a").encode(),
        "wide-spaces": text.replace("  ", "\u3000").encode(),
        "direction": text.replace("kind: ", "kind: \u202e").encode(),
        "invisible": text.replace("kind: ", "kind: \u200b").encode(),
    }  # fmt: skip
    for name, data in damaged.items():
        yield Blow(name=name, strike=_write(data))
    places = {0: 1} | {n: chance.randrange(2, max(3, len(original) - 2)) for n in range(1, 7)}
    for number, at in places.items():
        yield Blow(name=f"cut-{number}", strike=_write(original[:at]))
        yield Blow(name=f"cut-line-{number}", strike=_write(original[: original.rfind(b"\n", 0, at) + 1]))  # fmt: skip
    for number in range(4):
        at, put = chance.randrange(len(original)), chance.randrange(256)
        yield Blow(name=f"byte-{number}", strike=_write(original[:at] + bytes([put]) + original[at + 1 :]))  # fmt: skip


def _of_the_file() -> Iterator[Blow]:
    def renamed(name: str) -> Change:
        def strike(path: Path) -> None:
            target = path.parent / name.format(stem=path.stem)
            target.parent.mkdir(exist_ok=True)
            path.rename(target)

        return strike

    for label, name in {
        "upper-ending": "{stem}.YAML", "mixed-ending": "{stem}.Yml", "no-ending": "{stem}", "backup": "{stem}.yaml~",
        "bak": "{stem}.yaml.bak", "swap": ".{stem}.yaml.swp", "hidden": ".{stem}.yaml", "hidden-folder": ".old/{stem}.yaml",
        "text-ending": "{stem}.txt", "json-ending": "{stem}.json", "disabled": "{stem}.yaml.disabled", "space": "{stem}.yaml ",
        "dot": "{stem}.yaml.", "emacs": "#{stem}.yaml#", "git": ".git/{stem}.yaml", "outside": "../{stem}.yaml",
    }.items():  # fmt: skip
        yield Blow(name=f"renamed-{label}", strike=renamed(name), deletes=label == "outside")
    yield Blow(name="deleted", strike=lambda path: path.unlink(), deletes=True)
    yield Blow(name="a-folder", strike=lambda path: (path.unlink(), path.mkdir())[1])
    yield Blow(name="link-out", strike=_link_out)
    yield Blow(name="link-nowhere", strike=lambda p: (p.unlink(), p.symlink_to("nowhere.yaml"))[1])
    yield Blow(name="link-to-itself", strike=lambda p: (p.unlink(), p.symlink_to(p.name))[1])
    yield Blow(name="link-to-null", strike=lambda p: (p.unlink(), p.symlink_to("/dev/null"))[1])
    yield Blow(name="pipe", strike=lambda path: (path.unlink(), os.mkfifo(path))[1])
    yield Blow(name="saved-by-delete", strike=_saved_by_delete, cold=False)
    yield Blow(name="saved-slowly", strike=_saved_slowly, cold=False)
    yield Blow(name="saved-by-rename", strike=_saved_by_rename, cold=False)
    if os.geteuid() != 0:
        yield Blow(name="no-rights", strike=lambda path: path.chmod(0))


def _link_out(path: Path) -> None:
    outside = path.parent.parent / f"out-{path.name}"
    path.rename(outside)
    path.symlink_to(outside)


def _saved_by_delete(path: Path) -> None:
    """As many editors do it; the pause is the editor's."""
    data = path.read_bytes()
    path.unlink()
    time.sleep(0.3)
    path.write_bytes(data)


def _saved_slowly(path: Path) -> None:
    data = path.read_bytes()
    with path.open("wb", buffering=0) as file:
        for at in range(0, len(data), max(1, len(data) // 5)):
            file.write(data[at : at + max(1, len(data) // 5)])
            time.sleep(0.06)


def _saved_by_rename(path: Path) -> None:
    data = path.read_bytes()
    path.rename(path.with_name(path.name + "~"))
    time.sleep(0.2)
    path.write_bytes(data)


def _of_the_document(what: str, original: bytes) -> Iterator[Blow]:
    for name, change in {**_ANY, **_WORDS.get(what, {})}.items():
        document = yaml.safe_load(original)
        changed = change(document)
        data = yaml.safe_dump_all(
            [document] if changed is None else changed, sort_keys=False
        ).encode()
        if data != original:
            yield Blow(name=name, strike=_write(data))


Edit = Callable[[Document], "list[Any] | None"]


def _drop(*path: str) -> Edit:
    def edit(document: Document) -> None:
        here = document
        for step in path[:-1]:
            here = here.get(step, {})
        here.pop(path[-1], None)

    return edit


def _put(value: Any, *path: str | int) -> Edit:
    def edit(document: Document) -> None:
        here: Any = document
        for step in path[:-1]:
            here = here[step]
        if isinstance(here, list) or path[-1] in here:
            here[path[-1]] = value

    return edit


def _rename(old: str, new: str, *path: str | int) -> Edit:
    def edit(document: Document) -> None:
        here: Any = document
        for step in path:
            here = here[step]
        if old in here:
            here[new] = here.pop(old)

    return edit


def _word(change: Callable[[str], object], *path: str) -> Edit:
    def edit(document: Document) -> None:
        here = document
        for step in path[:-1]:
            here = here.get(step, {})
        if path[-1] in here:
            here[path[-1]] = change(here[path[-1]])

    return edit


def _as_list(kind: str, items: str, *, mapping: bool = False) -> Edit:
    def edit(document: Document) -> list[Any]:
        inner: Any = {"a": document} if mapping else [document]
        return [{"apiVersion": "v1", "kind": kind, items: inner}]

    return edit


_ANY: dict[str, Edit] = {
    **{f"no-{name}": _drop(name) for name in ("kind", "apiVersion", "spec", "metadata")},
    "no-name": _drop("metadata", "name"),
    "no-namespace": _drop("metadata", "namespace"),
    "kind-typo": _word(lambda v: v[:-1], "kind"),
    "kind-case": _word(str.lower, "kind"),
    "kind-plural": _word(lambda v: f"{v}s", "kind"),
    "kind-list": _word(lambda v: [v], "kind"),
    "kind-null": _put(None, "kind"),
    "version-typo": _word(lambda v: v.replace("1", "2"), "apiVersion"),
    "version-bare": _word(lambda v: v.split("/")[-1], "apiVersion"),
    "version-other-group": _word(lambda v: f"x{v}", "apiVersion"),
    "version-null": _put(None, "apiVersion"),
    "spec-null": _put(None, "spec"),
    "spec-empty": _put({}, "spec"),
    "spec-list": _put([], "spec"),
    "spec-text": _put("x", "spec"),
    "spec-case": _rename("spec", "Spec"),
    "spec-in-metadata": lambda d: d["metadata"].update(spec=d.pop("spec", None)),
    "metadata-null": _put(None, "metadata"),
    "metadata-case": _rename("metadata", "Metadata"),
    "name-typo": _word(lambda v: f"{v}x", "metadata", "name"),
    "name-case": _word(str.upper, "metadata", "name"),
    "name-number": _put(7, "metadata", "name"),
    "name-null": _put(None, "metadata", "name"),
    "name-space": _word(lambda v: f"{v} ", "metadata", "name"),
    "namespace-typo": _word(lambda v: f"{v}x", "metadata", "namespace"),
    "namespace-case": _word(str.upper, "metadata", "namespace"),
    "namespace-space": _word(lambda v: f"{v} ", "metadata", "namespace"),
    "namespace-null": _put(None, "metadata", "namespace"),
    "namespace-list": _word(lambda v: [v], "metadata", "namespace"),
    "namespace-look-alike": _word(lambda v: v.replace("a", "\u0430"), "metadata", "namespace"),
    "namespace-key-typo": _rename("namespace", "nameSpace", "metadata"),
    "in-a-list-of-no-items": _as_list("List", "item"),
    "in-a-list-that-is-a-mapping": _as_list("List", "items", mapping=True),
    "in-a-list-of-another-kind": _as_list("Listing", "items"),
    "in-a-lower-case-list": _as_list("list", "items"),
    "wrapped": lambda d: [{"document": d}],
    "twice-and-empty": lambda d: [d, {**d, "spec": {}}],
    "empty-and-twice": lambda d: [{**d, "spec": {}}, d],
    "twice-and-null": lambda d: [d, {**d, "spec": None}],
    "unknown-field": lambda d: d.get("spec", {}).update(someField=1) if isinstance(d.get("spec"), dict) else None,
    "unknown-top": lambda d: d.update(somefield=1),
}  # fmt: skip

_SUBJECTS: tuple[str | int, ...] = ("spec", "deny", 0, "subjects")

_WORDS: dict[str, dict[str, Edit]] = {
    "model": {
        "risk-typo": _put("minimial", "spec", "riskClass"),
        "protocol-typo": _put("jsn", "spec", "protocol"),
        "owner-list": _put(["o"], "spec", "owner"),
        "risk-key-typo": _rename("riskClass", "riskclass", "spec"),
        "prohibited": _put("prohibited", "spec", "riskClass"),
    },
    "version": {
        "model-typo": _put("kk", "spec", "model"),
        "model-case": _put("K", "spec", "model"),
        "model-key-typo": _rename("model", "modle", "spec"),
        "backend-typo": _put("behin", "spec", "backend", "service"),
        "port-typo": _put("htp", "spec", "backend", "port"),
        "port-zero": _put(0, "spec", "backend", "port"),
        "backend-null": _put(None, "spec", "backend"),
        "backend-key-typo": _rename("backend", "backends", "spec"),
        "both": _word(lambda v: v, "spec", "backend"),
        "endpoints-empty": lambda d: d["spec"].update(endpoints=d["spec"].pop("backend") and []),
        "region-typo": _put("dee", "spec", "region"),
        "digest-short": _put("sha256:0", "spec", "artifact", "digest"),
        "version-number": _put(1.0, "spec", "version"),
    },
    "allow": {
        "allow-typo": _rename("allow", "alow", "spec"),
        "models-typo": _put(["kk"], "spec", "models"),
        "subjects-empty": _put([], "spec", "allow", 0, "subjects"),
        "subject-typo": _put([{"provder": "partners"}], "spec", "allow", 0, "subjects"),
        "mode-typo": lambda d: d["spec"].update(mode="shadw"),
    },
    "deny": {
        "deny-typo": _rename("deny", "denny", "spec"),
        "deny-case": _rename("deny", "Deny", "spec"),
        "deny-null": _put(None, "spec", "deny"),
        "models-typo": _put(["kk"], "spec", "models"),
        "models-case": _put(["K"], "spec", "models"),
        "models-empty": _put([], "spec", "models"),
        "models-text": _put("k", "spec", "models"),
        "models-key-typo": _rename("models", "model", "spec"),
        "models-null": _put(None, "spec", "models"),
        "subjects-typo": _rename("subjects", "subject", "spec", "deny", 0),
        "subjects-null": _put(None, *_SUBJECTS),
        "subjects-text": _put("corp/mallory", *_SUBJECTS),
        "principal-key-typo": _put([{"principle": "corp/mallory"}, {"principle": "partners/globex"}], *_SUBJECTS),
        "provider-typo": _put([{"principal": "crop/mallory"}, {"principal": "partner/globex"}], *_SUBJECTS),
        "provider-case": _put([{"principal": "Corp/mallory"}, {"principal": "Partners/globex"}], *_SUBJECTS),
        "provider-missing": _put([{"principal": "mallory"}, {"principal": "globex"}], *_SUBJECTS),
        "provider-as-provider": _put([{"provider": "crop"}, {"provider": "partner"}], *_SUBJECTS),
        "group-of-nobody": _put([{"group": "crop/mallory"}, {"group": "partner/globex"}], *_SUBJECTS),
        "region-of-nobody": lambda d: d["spec"]["deny"][0].update(regions=["nowhere"]),
        "purpose-list-text": lambda d: d["spec"]["deny"][0].update(purposes="marketing"),
        "operations-typo": lambda d: d["spec"]["deny"][0].update(operations=["infr"]),
        "mode-typo": lambda d: d["spec"].update(mode="enforced"),
        "selector-of-nothing": lambda d: d["spec"].update(selector={"matchLabels": {"a": "b"}}, models=None),
        "selector-and-models": lambda d: d["spec"].update(selector={"all": True}),
    },
    "service": {
        "no-ports": _put([], "spec", "ports"),
        "port-name-typo": _put("htp", "spec", "ports", 0, "name"),
        "port-text": _put("eighty", "spec", "ports", 0, "port"),
        "external-name": lambda d: d["spec"].update(type="ExternalName", externalName="localhost"),
    },
    "slice": {
        "no-label": _drop("metadata", "labels"),
        "label-typo": _put("behin", "metadata", "labels", "kubernetes.io/service-name"),
        "label-empty": _put("", "metadata", "labels", "kubernetes.io/service-name"),
        "label-key-typo": _rename("kubernetes.io/service-name", "kubernetes.io/servicename", "metadata", "labels"),
        "no-ports": _drop("ports"),
        "ports-empty": _put([], "ports"),
        "port-null": _put(None, "ports", 0, "port"),
        "port-name-typo": _put("htp", "ports", 0, "name"),
        "family-typo": _put("IPv6", "addressType"),
        "family-missing": _drop("addressType"),
        "no-endpoints": _drop("endpoints"),
        "endpoints-null": _put(None, "endpoints"),
        "not-ready": lambda d: d["endpoints"][0].update(conditions={"ready": False}),
        "address-text": _put(["nowhere"], "endpoints", 0, "addresses"),
    },
    "grant": {
        "hosts-typo": _rename("hosts", "host", "spec"),
        "hosts-empty": _put([], "spec", "hosts"),
        "selector-typo": _rename("namespaceSelector", "namespaceselector", "spec"),
        "selector-empty": _put({}, "spec", "namespaceSelector"),
        "paths-wrong": lambda d: d["spec"].update(paths=["x"]),
        "backends-typo": lambda d: d["spec"].update(backends="service"),
        "addresses-typo": lambda d: d["spec"].update(addresses=[{"cdir": "10.0.0.0/8"}]),
    },
    "route": {
        "class-typo": _put("gatereve", "spec", "ingressClassName"),
        "host-case": _word(lambda v: v, "spec", "rules"),
        "model-typo": _put("kk", "spec", "rules", 0, "http", "paths", 0, "backend", "resource", "name"),
        "resource-kind-typo": _put("Modle", "spec", "rules", 0, "http", "paths", 0, "backend", "resource", "kind"),
        "to-the-service": _put({"service": {"name": "behind", "port": {"name": "http"}}}, "spec", "rules", 0, "http", "paths", 0, "backend"),
        "path-type-typo": _put("prefix", "spec", "rules", 0, "http", "paths", 0, "pathType"),
        "backend-null": _put(None, "spec", "rules", 0, "http", "paths", 0, "backend"),
    },
}  # fmt: skip
