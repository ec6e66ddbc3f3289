"""P4: the reference decision and the real Envoy agree on every request.

Generated folders × generated requests: answer, chosen server, what that server got and what the
record says must be the same. Each kind of disagreement is told once, as a small folder and request.

    python -m pytest tests/differential                     2 000 cases, always the same
    make differential N=10000                               any number, another seed each time
    make differential N=10000 SEED=7                        the same again
"""

from __future__ import annotations

import os
import secrets

import pytest

from tests.differential.trial import Trial

pytestmark = pytest.mark.envoy

CASES = int(os.environ.get("GATEREEVE_DIFFERENTIAL_CASES", "2000"))
SEED = os.environ.get("GATEREEVE_DIFFERENTIAL_SEED", "1")


def test_the_reference_and_envoy_agree(trial: Trial) -> None:
    seed = secrets.randbelow(1_000_000) if SEED == "random" else int(SEED)
    outcome = trial.run(seed, CASES)
    print(  # noqa: T201  # the one figure a run is for
        f"{outcome.cases} cases in {outcome.folders} folders, seed {seed}, {outcome.seconds:.0f} s:",
        ", ".join(f"{name} {count}" for name, count in sorted(outcome.answers.items())),
    )
    for kind, count in outcome.counts.items():
        print(f"{count} x {' '.join(kind)}")  # noqa: T201
    if outcome.told:
        pytest.fail("\n\n=====\n".join(outcome.told), pytrace=False)
