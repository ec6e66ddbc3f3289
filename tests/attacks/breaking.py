"""Ways to break one file of a folder: its bytes, its document, and the file itself.

A `Blow` changes the file in place and may leave anything; nothing that it does is a grant. The
table is data: another way to break is another row.
"""

from __future__ import annotations

import contextlib
import copy
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gatereeve.sources.folder import listing
from tests.attacks import edits

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


_SAYS_NOTHING = ("empty", "blank", "only-comments", "only-a-separator", "only-an-end", "null")
"""Readable, and without a document: what stood there was taken out."""


def _padded(original: bytes, size: int) -> Change:
    return lambda path: _replace(path, original + b"#" * (size - len(original)))


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
        "listed": b"".join(b"- " * (n == 0) + b"  " * (n > 0) + line + b"\n" for n, line in enumerate(original.splitlines())),
        "list-without-items": b"apiVersion: v1\nkind: List\nitem:\n- " + original.replace(b"\n", b"\n  ").rstrip(b" "),
        "open-bracket": b"[" + original,
        "open-quote": original.replace(b"spec:", b'spec: "', 1),
        "tab": original.replace(b"\n  ", b"\n\t", 1),
        "block-text": b"text: |\n" + b"".join(b"  " + line + b"\n" for line in original.splitlines()),
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
        "one-line": original.replace(b"\n", b" "),
        "carriage-returns": original.replace(b"\n", b"\r"),
        "next-lines": original.replace(b"\n", b"\xc2\x85"),
        "wide-colons": text.replace(":", "\uff1a").encode(),
        "wide-spaces": text.replace("  ", "\u3000").encode(),
        "direction": text.replace("kind: ", "kind: \u202e").encode(),
        "invisible": text.replace("kind: ", "kind: \u200b").encode(),
    }  # fmt: skip
    for name, data in damaged.items():
        yield Blow(name=name, strike=_write(data), deletes=name in _SAYS_NOTHING)
    for name, size in {"too-large": listing.MAX_FILE_BYTES + 1, "too-many-characters": 9 << 20}.items():  # fmt: skip
        yield Blow(name=name, strike=_padded(original, size))
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
        yield Blow(
            name=f"renamed-{label}", strike=renamed(name), deletes=label in ("outside", "git")
        )
    yield Blow(name="deleted", strike=lambda path: path.unlink(), deletes=True)
    for name, put in {
        "a-folder": lambda path: path.mkdir(),
        "link-nowhere": lambda path: path.symlink_to("nowhere.yaml"),
        "link-to-itself": lambda path: path.symlink_to(path.name),
        "link-to-null": lambda path: path.symlink_to("/dev/null"),
        "pipe": os.mkfifo,
    }.items():  # type: str, Change
        yield Blow(name=name, strike=_instead(put))
    yield Blow(name="link-out", strike=_link_out)
    yield Blow(name="saved-by-delete", strike=_saved_by_delete, cold=False)
    yield Blow(name="saved-slowly", strike=_saved_slowly, cold=False)
    yield Blow(name="saved-by-rename", strike=_saved_by_rename, cold=False)
    if os.geteuid() != 0:
        yield Blow(name="no-rights", strike=lambda path: path.chmod(0))


def _instead(put: Change) -> Change:
    def strike(path: Path) -> None:
        path.unlink()
        put(path)

    return strike


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
    """Nothing for a file of several documents. Written only when it strikes: there are thousands."""
    listed = list(yaml.load_all(original, Loader=yaml.CSafeLoader))
    if len(listed) != 1:
        return
    for name, change in edits.of(what).items():
        document, changed = copy.deepcopy(listed[0]), None
        with contextlib.suppress(LookupError, TypeError, AttributeError):  # it lacks that place
            changed = change(document)
        if changed is not None or document != listed[0]:
            yield Blow(name=name, strike=_written([document] if changed is None else changed))


def _written(documents: list[Any]) -> Change:
    return lambda path: _replace(
        path, yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=False).encode()
    )
