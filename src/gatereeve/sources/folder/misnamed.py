"""Files under names that are not read, and that may be documents all the same.

`deny.yaml.bak` denies nothing, although its author may believe so. What such a file could speak of is
closed, unless the file of which it is a copy is beside it: editors leave such copies. Pure.
"""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections.abc import Iterator

from gatereeve.api import governance, parse, parsed, resemblance
from gatereeve.api.affected import broken_form
from gatereeve.api.world import AnyDoc, Broken
from gatereeve.core import findings, refs
from gatereeve.core.report import describe

MAX_BYTES = 1024 * 1024
"""So much of a file is looked into."""

_VIM = b"b0VIM "
"""So begins a swap file, in vim's own format: parts of what is being written."""

_HEAD = re.compile(r"^[-\s{\"']*apiVersion[\"']?\s*:\s*[\"']?([^\s\"',}]+)", re.MULTILINE)
_CLOSING = frozenset({"AccessPolicy", "Rollout", "Approval", ""})


def read(path: str, data: bytes) -> parsed.Parsed:
    """What a file under another name closes, with the line about it. data: its first MAX_BYTES."""
    text = "" if data.startswith(_VIM) else _text(data)
    if not any(resemblance.is_our_group(version) for version in _HEAD.findall(text)):
        return _line(path, describe("file-not-read.name"))
    closing = tuple(_closing(parse.parse_text(text, path)))
    if not closing:
        return _line(path, describe("file-not-read.documents"))
    return _line(path, describe("file-misnamed"), closing)


def copy_of(path: str, original: str) -> parsed.Parsed:
    """The line about a copy of a file that is read."""
    return _line(path, describe("file-not-read.copy", original=original))


def _line(path: str, problem: findings.Finding, broken: tuple[Broken, ...] = ()) -> parsed.Parsed:
    finding = dataclasses.replace(problem, where=refs.Where(path))
    part = parsed.Part(key=b"", before=0, findings=(finding,), broken=broken)
    return parsed.Parsed(file=path, parts=(part,))


def _text(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


def _closing(content: parsed.Parsed) -> Iterator[Broken]:
    yield from (broken for broken in content.broken if broken.ref.kind in _CLOSING)
    yield from (broken_form(doc) for doc in content.docs if _refuses(doc))


def _refuses(doc: AnyDoc) -> bool:
    """Whether the document takes something away from what others give."""
    spec = doc.spec
    if isinstance(spec, governance.AccessPolicySpec):
        return bool(spec.deny) and spec.mode == "enforce"
    if isinstance(spec, governance.ApprovalSpec):
        return spec.decision == "reject"
    return isinstance(spec, governance.RolloutSpec)
