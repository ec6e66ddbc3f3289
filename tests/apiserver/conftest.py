"""A real etcd and kube-apiserver for the session, a namespace and users for each test.

Which programs, and from where, is said in `tests.cluster.tools`. No controllers run: what a controller
would do (finalise a namespace, make endpoints) does not happen. Where the programs can neither be found
nor built, the tests are skipped by name, and in CI they fail: CI that skips them proves nothing.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from tests.cluster import manifests, tools
from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane

_numbers = itertools.count(1)

AsUser = Callable[[str], Api]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "apiserver" in item.path.parts:
            item.add_marker(pytest.mark.apiserver)


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The server itself: kubeconfigs, its address and certificate, kubectl. Nothing installed in it."""
    _need(tools.missing(*tools.ENVTEST))
    plane = ControlPlane(
        state=tmp_path_factory.mktemp("apiserver"),
        extra=(
            # No controllers: pods would wait for service accounts that nobody makes.
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
        ),
    )
    plane.extra = (*plane.extra, plane.webhook_client())
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def root(apiserver: ControlPlane) -> Iterator[Api]:
    """The administrator for what a whole session shares; nothing of it is tidied away."""
    with apiserver.api("admin") as api:
        yield api


@pytest.fixture(scope="session")
def crds(root: Api) -> None:
    """Our kinds, as deploy/ ships them."""
    root.install_crds(manifests.gatereeve_crds())


@pytest.fixture(scope="session")
def gateway_crds(root: Api) -> None:
    """Gateway API's kinds and admission policies, from its own module."""
    _need(tools.missing_go("the CRDs of Gateway API come from its Go module"))
    root.install_crds(manifests.gateway_crds())


@pytest.fixture
def namespace(root: Api) -> str:
    """One for each test. It stays: nothing here finalises namespaces."""
    name = f"test-{next(_numbers)}"
    root.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).ok()
    return name


@pytest.fixture
def as_user(apiserver: ControlPlane, namespace: str) -> Iterator[AsUser]:
    """`as_user("mallory")` acts as that user of `tests.cluster.users`, in the test's namespace.

    What anybody created is deleted after the test, cluster-wide objects too.
    """
    made: dict[str, Api] = {}

    def act(name: str) -> Api:
        if name not in made:
            made[name] = apiserver.api(name, namespace=namespace)
        return made[name]

    yield act
    admin = act("admin")
    for api in [*made.values()][::-1]:
        if api is not admin:
            admin.made += api.made
    admin.tidy()
    for api in made.values():
        api.close()


@pytest.fixture
def admin(as_user: AsUser) -> Api:
    """The administrator in the test's namespace."""
    return as_user("admin")


def _need(lacking: str | None) -> None:
    if lacking and os.environ.get("CI"):
        pytest.fail(f"CI runs against a real API server: {lacking}")
    if lacking:
        pytest.skip(lacking)
