"""What the name of a file says: whether it is read as documents, looked into, or passed over.

Read are `.yaml`, `.yml` and `.json`, in any case of letters, unless the name is hidden. Everything
else has a line. Looked into is what may be documents under a wrong name (`deny.yaml.bak`, `deny.yaml~`,
`.deny.yaml`, `deny`): a renamed policy must not open anything, whichever program renamed it. Passed
over is what cannot be one: prose, programs, keys, and temporary files of editors. Opens nothing.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

SUFFIXES = (".yaml", ".yml", ".json")

Role = Literal["document", "other", "passed"]

_PASSED = frozenset({
    ".md", ".markdown", ".rst", ".adoc", ".html", ".htm", ".css", ".svg", ".png", ".jpg",
    ".jpeg", ".gif", ".ico", ".pdf", ".py", ".pyc", ".sh", ".bash", ".go", ".rs", ".js", ".ts",
    ".java", ".c", ".h", ".rb", ".pl", ".lua", ".sql", ".toml", ".ini", ".cfg", ".lock",
    ".log", ".pem", ".crt", ".cer", ".key", ".csr", ".p12", ".jks", ".pub", ".mmdb", ".sha256",
    ".sig", ".asc", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".tar", ".7z", ".bin", ".so",
    ".db", ".sqlite", ".parquet", ".onnx", ".safetensors", ".pt", ".gguf",
})  # fmt: skip
"""Endings of files that quote documents, or hold none; see limits.md."""

_EDITORS = re.compile(r"4913|\.goutputstream-.*|\.DS_Store")
"""Vim and GNOME write these beside the file that is edited, and take them away again."""

_ORIGINAL = re.compile(r"[.#]?(?P<name>[^/]+?\.(?:yaml|yml|json))(?:[^/]*)", re.IGNORECASE)


def role(path: str) -> Role:
    """What is done with a file of that path, hidden folders on the way aside."""
    name = PurePosixPath(path).name
    if _EDITORS.fullmatch(name):
        return "passed"
    if not name.startswith(".") and name.casefold().endswith(SUFFIXES):
        return "document"
    return "passed" if PurePosixPath(name).suffix.casefold() in _PASSED else "other"


def why_passed(path: str) -> str:
    """Why a file is passed over, for people."""
    if _EDITORS.fullmatch(PurePosixPath(path).name):
        return "an editor's own file is not read"
    return f"files that end in {PurePosixPath(path).suffix} are not read"


def original_of(path: str) -> str:
    """The document that a file looks like a copy of: `deny.yaml` for `deny.yaml.bak`; "" for none."""
    place = PurePosixPath(path)
    match = _ORIGINAL.fullmatch(place.name)
    if match is None or match["name"] == place.name:
        return ""
    return str(place.with_name(match["name"]))


def is_in_hidden_folder(path: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(path).parts[:-1])
