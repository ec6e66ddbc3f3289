"""Trains the credit model: two versions that are in use, and a third that nobody has approved yet.

v1 is a logistic regression, v2 gradient boosting over the same seven features. v3 may also look at
marital status and household role: that makes it more accurate, and it also treats men and women more
differently, because a husband is always a man. The cards say so in numbers that are measured on
people the models have never seen; sex is never a feature, it is only used to measure.
Income above 50 000 dollars stands in for creditworthiness (see `adult`). Deterministic: same
libraries, same bytes.

    python -m examples.lending.models.train --out build/models
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from examples.lending.models import adult

SEED = 20_260
THRESHOLD = 0.5
NUMBERS = ("age", "education_years", "hours_per_week", "capital_gain", "capital_loss")
WORDS = ("workclass", "occupation")
HOUSEHOLD = ("marital_status", "relationship")


class Classifier(Protocol):
    """What scikit-learn's pipelines offer, as far as we use it."""

    def fit(self, features: NDArray[np.object_], wanted: NDArray[np.bool_]) -> object: ...
    def predict_proba(self, features: NDArray[np.object_]) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One version: its features (numbers, then words) and how it learns."""

    version: str
    method: str
    numbers: tuple[str, ...]
    words: tuple[str, ...]


RECIPES = (
    Recipe(version="v1", method="logistic regression", numbers=NUMBERS, words=WORDS),
    Recipe(version="v2", method="gradient boosting", numbers=NUMBERS, words=WORDS),
    Recipe(version="v3", method="gradient boosting", numbers=NUMBERS, words=WORDS + HOUSEHOLD),
)


def build(recipe: Recipe) -> Classifier:
    """An untrained pipeline: words one-hot encoded, numbers scaled, then the learner."""
    width = len(recipe.numbers)
    encode = ColumnTransformer(
        [
            ("numbers", StandardScaler(), list(range(width))),
            (
                "words",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                list(range(width, width + len(recipe.words))),
            ),
        ]
    )
    learner = (
        LogisticRegression(max_iter=1000)
        if recipe.method == "logistic regression"
        else HistGradientBoostingClassifier(random_state=SEED, max_iter=120)
    )
    pipeline: Classifier = Pipeline([("encode", encode), ("learn", learner)])
    return pipeline


def features_of(recipe: Recipe, people: adult.People) -> NDArray[np.object_]:
    """One row per person: numbers as float, words as text, in the order of the recipe."""
    table = np.empty((len(people.rows), len(recipe.numbers) + len(recipe.words)), dtype=object)
    for column, name in enumerate(recipe.numbers):
        table[:, column] = [float(row[name]) for row in people.rows]
    for column, name in enumerate(recipe.words, start=len(recipe.numbers)):
        table[:, column] = [row[name] for row in people.rows]
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Shares of the test people: right decisions; of women and of men that were selected."""

    people: int
    accuracy: float
    selected_women: float
    selected_men: float

    @property
    def impact_ratio(self) -> float:
        """Selection rate of women over that of men; the four-fifths rule asks for 0.8."""
        return self.selected_women / self.selected_men


def measure(scores: NDArray[np.float64], people: adult.People) -> Measured:
    """scores: probability per person, in the order of `people`; both sexes must occur."""
    selected = scores >= THRESHOLD
    women = np.array([row["sex"] == "Female" for row in people.rows])
    return Measured(
        people=len(people.rows),
        accuracy=float(np.mean(selected == np.array(people.above_50k))),
        selected_women=float(np.mean(selected[women])),
        selected_men=float(np.mean(selected[~women])),
    )


def train_all(out: Path) -> dict[str, Measured]:
    """Writes `credit-<version>.pickle` and `credit-<version>.card.json` for every recipe."""
    out.mkdir(parents=True, exist_ok=True)
    training, test = adult.read_training(), adult.read_test()
    measured = {}
    for recipe in RECIPES:
        model = build(recipe)
        model.fit(features_of(recipe, training), np.array(training.above_50k))
        result = measure(model.predict_proba(features_of(recipe, test))[:, 1], test)
        file = out / f"credit-{recipe.version}.pickle"
        file.write_bytes(pickle.dumps(model, protocol=5))
        card = _card(recipe, result, file)
        (out / f"credit-{recipe.version}.card.json").write_text(json.dumps(card, indent=2) + "\n")
        measured[recipe.version] = result
    return measured


def _card(recipe: Recipe, result: Measured, file: Path) -> dict[str, object]:
    return {
        "model": "credit",
        "version": recipe.version,
        "method": recipe.method,
        "library": f"scikit-learn {sklearn.__version__}",
        "artifact": {
            "file": file.name,
            "digest": "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest(),
        },
        "numbers": list(recipe.numbers),
        "words": list(recipe.words),
        "threshold": THRESHOLD,
        "data": "Adult census 1994 (doi:10.24432/C5XW20), income above 50 000 dollars as a stand-in "
        "for creditworthiness; for demonstration only",
        "measured_on_unseen_people": {
            "people": result.people,
            "accuracy": round(result.accuracy, 4),
            "selection_rate": {
                "female": round(result.selected_women, 4),
                "male": round(result.selected_men, 4),
            },
            "impact_ratio": round(result.impact_ratio, 4),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("build/models"))
    for version, result in train_all(parser.parse_args().out).items():
        print(
            f"credit {version}: accuracy {result.accuracy:.3f}, selected "
            f"{result.selected_women:.3f} of women and {result.selected_men:.3f} of men"
        )


if __name__ == "__main__":
    main()
