"""One object, as an API server sends it, read as documents in files are: same kinds, same findings.

What a line is to a file, a path is to an object: findings have an origin and no line. Bounded like
files are. Reads no text.
"""

from __future__ import annotations

import dataclasses
from array import array

from gatereeve.api import document, yaml
from gatereeve.api.yaml import Plain


def is_bounded(value: Plain) -> bool:
    """Whether an object keeps the bounds of a document: depth and number of values."""
    level: list[Plain] = [value]
    left = yaml.MAX_NODES
    for _ in range(yaml.MAX_DEPTH + 1):
        left -= len(level)
        if not level or left < 0:
            break
        level = [
            inner
            for node in level
            if isinstance(node, dict | list)
            for inner in (node.values() if isinstance(node, dict) else node)
        ]
    return not level and left >= 0


def read(value: Plain) -> document.Outcome:
    """The document that `value` is. At most one of doc and broken, as from a file."""
    tree = yaml.Tree(
        value=value,
        lines=yaml.Lines({"": 0}, array("I", [0]), 0),
        problems=(),
        words=frozenset(),
    )
    outcome = document.read(tree, "", 0)
    findings = tuple(dataclasses.replace(finding, where=None) for finding in outcome.findings)
    return dataclasses.replace(outcome, findings=findings)
