"""`python -m tests.faults.tlog_child DIRECTORY`: appends batches of odd sizes until it is killed.

Entries are numbered: `entry-0`, `entry-1`, … Prints the size of the log after each batch.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from gatereeve.ledger.tlog import recovery
from tests.support import tlogs


def main() -> None:
    writer = recovery.open_log(Path(sys.argv[1]), tlogs.SIGNER)
    while True:
        batch = tlogs.entries(writer.size, writer.size + random.choice((1, 7, 100, 256, 700)))
        sys.stdout.write(f"{writer.append(batch).size}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
