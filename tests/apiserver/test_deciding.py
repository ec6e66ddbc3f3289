"""`gatereeve approve` and `reject` straight into a guarded API server, as the people whom it knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from gatereeve.api import objects
from gatereeve.cli import app
from gatereeve.core.errors import GatereeveError
from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane
from tests.support import guarded
from tests.support.reviews import plain

runner = CliRunner()
VERSION = guarded.version(author="admin")
DECISION = ("--role", "owner", "--reason", "Measured on the holdout; see the card.")


@pytest.fixture(scope="module", autouse=True)
def _guards(root: Api, crds: None, gateway_crds: None) -> Iterator[None]:
    with guarded.guarded(root, guarded.generated()):
        for text in (guarded.model(), VERSION):
            root.apply(text).ok()
        yield
        for text in (VERSION, guarded.model()):
            root.delete(text)


class Person:
    """Types commands as one user; what was made is deleted by the test's end."""

    def __init__(self, apiserver: ControlPlane, root: Api) -> None:
        self.apiserver = apiserver
        self.root = root

    def types(self, user: str, *arguments: str) -> str:
        kubeconfig = str(self.apiserver.kubeconfig(user))
        done = runner.invoke(
            app, [*arguments, "--kubeconfig", kubeconfig], catch_exceptions=False
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        return done.stdout

    def approvals(self) -> list[dict[str, str]]:
        found = self.root.all_of("gatereeve.dev/v1alpha1", "Approval", everywhere=True).ok()
        return [one["spec"] for one in found["items"]]


@pytest.fixture
def person(apiserver: ControlPlane, root: Api) -> Iterator[Person]:
    yield Person(apiserver, root)
    for one in root.all_of("gatereeve.dev/v1alpha1", "Approval", everywhere=True).ok()["items"]:
        root.delete(one)


def digest() -> str:
    doc = objects.read(plain(VERSION)).doc
    assert doc is not None
    return doc.digest


def test_who_decides_is_who_the_api_server_says(person: Person) -> None:
    said = person.types("max", "approve", "lending/credit-v1", *DECISION)
    assert said.startswith(f"max approved ModelVersion lending/credit-v1 as owner, {digest()}")
    (made,) = person.approvals()
    assert (made["approver"], made["decision"]) == ("max", "approve")
    with pytest.raises(GatereeveError, match="max has decided so already"):
        person.types("max", "approve", "lending/credit-v1", *DECISION)


def test_a_rejection_is_made_the_same_way(person: Person) -> None:
    said = person.types(
        "rosa", "reject", "lending/credit-v1", "--role", "risk", "--reason", "It is not fair."
    )
    assert said.startswith("rosa rejected ModelVersion lending/credit-v1 as risk")


@pytest.mark.parametrize(
    ("user", "arguments", "said"),
    [
        ("max", ("lending/credit-v1", "--role", "risk"), "approver-not-named"),
        ("max", ("lending/credit-v1", "--approver", "selma"), "approver-not-you"),
        ("admin", ("lending/credit-v1",), "admin is the author of lending/credit-v1"),
        ("max", ("lending/credit-v7",), "there is no ModelVersion lending/credit-v7"),
        ("mallory", ("lending/credit-v1",), "forbidden"),
        (
            "max",
            ("lending/credit-v1", "--digest", "sha256:" + "0" * 64),
            "is not what you looked at",
        ),
    ],
)
def test_what_is_refused_is_told_with_a_hint(
    person: Person, user: str, arguments: tuple[str, ...], said: str
) -> None:
    given = ("approve", arguments[0], *DECISION, *arguments[1:])
    with pytest.raises(GatereeveError) as told:
        person.types(user, *given)
    assert said in str(told.value)
    assert told.value.hint
    assert person.approvals() == []
