"""`python -m tests.attacks`: the battery. Exit 1 when anything reached a server without a policy.

python -m tests.attacks                     everything; about 10 000 inputs
python -m tests.attacks --small             a selection, in seconds
python -m tests.attacks --only ID           what begins with this id, as a failure prints it
python -m tests.attacks --seed 7            other documents, other places to cut them
python -m tests.attacks --kind paths        one kind (several: give it again)
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.attacks import network
from tests.attacks.stages import KINDS, Plan, run

REPORT = Path(__file__).parent.parent.parent / "build" / "attacks.json"
SHOWN = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a selection that takes seconds")
    parser.add_argument("--only", metavar="ID", help="only attacks whose id begins so")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this kind")
    parser.add_argument("--scale", type=float, default=1.0, help="how many of the document attacks")
    parser.add_argument("--open", action="store_true", help="opens a hole on purpose")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the JSON report goes")
    given = parser.parse_args()
    network.enter()
    kinds = tuple(given.kind or ([given.only.split("/")[0]] if given.only else KINDS))
    plan = Plan(
        seed=given.seed, kinds=kinds, only=given.only, small=given.small, scale=given.scale,
        hole=given.open,
    )  # fmt: skip
    outcome = asyncio.run(run(plan))
    outcome.write(given.report, given.seed)
    for failure in outcome.failures[:SHOWN]:
        print(failure.tell())  # noqa: T201
    if len(outcome.failures) > SHOWN:
        print(f"… and {len(outcome.failures) - SHOWN} more in {given.report}")  # noqa: T201
    print(outcome.table())  # noqa: T201
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
