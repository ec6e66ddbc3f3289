"""One real gate for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.trial import Trial


@pytest.fixture(scope="package")
def trial() -> Iterator[Trial]:
    made = Trial()
    yield made
    made.close()
