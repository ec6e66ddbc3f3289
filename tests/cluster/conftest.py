"""The cluster that `make cluster` started, or the one of USE_EXISTING_CLUSTER, for tests on real pods."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """It must run already: whoever starts one, ends it."""
    found = Cluster()
    if not found.is_up():
        pytest.skip("no cluster runs here: `make cluster`, or USE_EXISTING_CLUSTER and KUBECONFIG")
    return found


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """One for each test, deleted with everything in it."""
    name = f"test-{os.getpid()}-{next(_numbers)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
