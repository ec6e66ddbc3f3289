"""One trained credit model in memory: loads it, checks its digest, and scores rows.

Pickles run code, so only a file that this example wrote itself is loaded, and only when its SHA-256
is the one in the card beside it. Speaks rows and columns; HTTP and protocol words live in `serve`.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Scorer(Protocol):
    """A trained pipeline: probability of both classes per row, shape (rows, 2)."""

    def predict_proba(self, features: NDArray[np.object_]) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditModel:
    """numbers, words: the feature names, in the order in which the pipeline wants the columns."""

    version: str
    method: str
    numbers: tuple[str, ...]
    words: tuple[str, ...]
    threshold: float
    scorer: Scorer

    def score(self, columns: Sequence[Sequence[float | str]]) -> list[float]:
        """The probability of being creditworthy per row, each in [0, 1].

        columns: one per feature (numbers, then words), all of the same length, at least one row.
        """
        table = np.empty((len(columns[0]), len(columns)), dtype=object)
        for index, column in enumerate(columns):
            table[:, index] = list(column)
        return [float(score) for score in self.scorer.predict_proba(table)[:, 1]]


def load(card_file: Path) -> CreditModel:
    """The model of a card. Raises ValueError when the artifact is not the one the card names."""
    card = json.loads(card_file.read_text(encoding="utf-8"))
    artifact = card_file.parent / card["artifact"]["file"]
    content = artifact.read_bytes()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    if digest != card["artifact"]["digest"]:
        msg = f"{artifact} is {digest}, its card says {card['artifact']['digest']}"
        raise ValueError(msg)
    return CreditModel(
        version=card["version"],
        method=card["method"],
        numbers=tuple(card["numbers"]),
        words=tuple(card["words"]),
        threshold=card["threshold"],
        scorer=pickle.loads(content),
    )
