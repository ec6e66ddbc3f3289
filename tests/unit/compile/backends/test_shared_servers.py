"""Models that share a server: equal policies, or nobody is answered."""

from __future__ import annotations

from pathlib import Path

import yaml

from gatereeve.compile import compiler
from gatereeve.ir.routes import Forward
from tests.support.golden import text_of
from tests.support.worlds import world_of

CASE = Path("tests/golden/governance/shared-server/in.yaml")


def _outcome(*, without: tuple[str, str] | None = None, **protocols: str) -> tuple[set[str], bool]:
    """Models with the finding, and whether a row for `chat` forwards."""
    docs = []
    for doc in yaml.safe_load_all(text_of(CASE.parent)):
        name = doc["metadata"]["name"]
        if doc["kind"] == "Model":
            doc["spec"]["protocol"] = protocols.get(name, doc["spec"]["protocol"])
        if (doc["kind"], name) != without:
            docs.append(doc)
    compiled = compiler.compile(world_of(yaml.safe_dump_all(docs)))
    found = {f.origin.ref.name for f in compiled.findings if f.code == "shared-server" and f.origin}
    rows = [
        r for listener in compiled.ir.gates[0].listeners for h in listener.hosts for r in h.routes
    ]
    return found, any(isinstance(row.action, Forward) for row in rows)


def test_unequal_policies_refuse_both_and_equal_ones_neither() -> None:
    assert _outcome() == ({"chat", "secret"}, False)


def test_a_version_whose_model_is_not_there_has_no_equal_policy() -> None:
    assert _outcome(without=("Model", "secret")) == ({"chat"}, False)


def test_without_the_rules_of_one_the_policies_are_not_equal() -> None:
    assert _outcome(without=("AccessPolicy", "secret")) == ({"chat", "secret"}, False)


def test_it_takes_one_openai_model() -> None:
    assert _outcome(secret="kserve-v2") == ({"chat", "secret"}, False)
    found, _ = _outcome(chat="kserve-v2", secret="json")
    assert found == set()


def test_a_server_of_its_own_ends_it() -> None:
    assert _outcome(without=("ModelVersion", "secret-1")) == (set(), True)
