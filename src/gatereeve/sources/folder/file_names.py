"""What the name of a file says: whether it is read as documents, looked into, or passed over.

Read are `.yaml`, `.yml` and `.json`, in any case of letters, unless the name is hidden. Everything
else has a line. Looked into is what may be documents under a wrong name (`deny.yaml.bak`, `deny.yaml~`,
`.deny.yaml`, `deny`, `.old/deny.yaml`): a renamed policy must not open anything, whichever program renamed it. Passed
over is what cannot be one: prose, programs, keys, and temporary files of editors. Opens nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
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

_TOOLS = frozenset({
    ".git", ".hg", ".svn", ".bzr", ".jj", ".venv", ".tox", ".nox", ".cache", ".terraform", ".idea",
    ".vscode", ".direnv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".npm", ".yarn", ".gradle",
})  # fmt: skip
"""Hidden folders of programs. Kubernetes' own, which begin with `..`, are reached by their links."""

_ORIGINAL = re.compile(r"[.#]?(?P<name>[^/]+?\.(?:yaml|yml|json))(?:[^/]*)", re.IGNORECASE)


def is_entered(folder: str) -> bool:
    """Whether files in a folder of that name are looked at; in a hidden one none is in force."""
    return not folder.startswith("..") and folder not in _TOOLS


@lru_cache(maxsize=1 << 17)
def role(path: str) -> Role:
    """What is done with a file of that path."""
    name = PurePosixPath(path).name
    if is_in_hidden_folder(path):
        entered = all(map(is_entered, PurePosixPath(path).parts[:-1]))
        return "other" if entered and _ORIGINAL.fullmatch(name) else "passed"
    if _EDITORS.fullmatch(name):
        return "passed"
    if not name.startswith(".") and name.casefold().endswith(SUFFIXES):
        return "document"
    return "passed" if PurePosixPath(name).suffix.casefold() in _PASSED else "other"


def why_passed(path: str) -> str:
    """Why a file is passed over, for people."""
    if is_in_hidden_folder(path):
        return "it is in a hidden folder, and has no name of a document"
    if _EDITORS.fullmatch(PurePosixPath(path).name):
        return "an editor's own file is not read"
    return f"files that end in {PurePosixPath(path).suffix} are not read"


def original_of(path: str) -> str:
    """The document that a file looks like a copy of: `deny.yaml` for `deny.yaml.bak` and for
    `.old/deny.yaml`; "" for none."""
    *folders, name = PurePosixPath(path).parts
    match = _ORIGINAL.fullmatch(name)
    if match is None:
        return ""
    shown = [folder for folder in folders if not folder.startswith(".")]
    original = str(PurePosixPath(*shown, match["name"]))
    return "" if original == path else original


def is_in_hidden_folder(path: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(path).parts[:-1])
