"""Files under names that are not read, and that may be documents all the same.

`deny.yaml.bak` denies nothing, although its author may believe so. What such a file could speak of is
closed, unless the file of which it is a copy is beside it: editors leave such copies. Pure.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from gatereeve.api import governance, parse, parsed, resemblance
from gatereeve.api.assemble import broken_form
from gatereeve.api.world import AnyDoc, Broken
from gatereeve.core import findings, refs

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
        return _line(path, "file-not-read", "its name does not end in .yaml, .yml or .json",
                     "nothing to do, unless it is meant to be read: then rename it")  # fmt: skip
    closing = tuple(_closing(parse.parse_text(text, path)))
    if not closing:
        return _line(path, "file-not-read", "it holds documents, and its name or folder keeps it from being read",
                     "rename it to end in .yaml if they are meant to be in force")  # fmt: skip
    return _line(path, "file-misnamed", "it holds rules that refuse, and its name or folder keeps it from being read; what they speak of is closed",
                 "rename it to end in .yaml, or delete it to withdraw the rules", closing)  # fmt: skip


def copy_of(path: str, original: str) -> parsed.Parsed:
    """The line about a copy of a file that is read."""
    return _line(path, "file-not-read", f"it is taken for a copy of {original}, which is read",
                 "nothing to do")  # fmt: skip


def _line(
    path: str, code: str, message: str, hint: str, broken: tuple[Broken, ...] = ()
) -> parsed.Parsed:
    finding = findings.Finding(
        code=findings.FindingCode(code), message=message, hint=hint, where=refs.Where(path)
    )
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
