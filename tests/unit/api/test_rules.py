"""A Rule makes the validator and the CEL expression of a type."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gatereeve.api.spec import Spec, at_least_one_of, distinct, exactly_one_of, immutable, must


class Entry(Spec):
    name: str


class Part(
    Spec,
    rules=(
        exactly_one_of("left", "farRight"),
        at_least_one_of("left", "entries", message="left or entries"),
        distinct("entries", "name", "names differ"),
        immutable("never changes"),
    ),
):
    left: str | None = None
    far_right: str | None = None
    entries: tuple[Entry, ...] = ()

    @must("self.left != 'no'", "left is not no")
    def _is_not_no(self) -> bool:
        return self.left != "no"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "exactly one of left and farRight is required"),
        ({"left": "a", "farRight": "b"}, "exactly one of left and farRight is required"),
        ({"farRight": "a"}, "left or entries"),
        ({"left": "a", "entries": [{"name": "x"}, {"name": "x"}]}, "names differ"),
        ({"left": "no"}, "left is not no"),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused(content: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Part.model_validate(content)


def test_a_value_that_meets_every_rule_is_taken() -> None:
    part = Part.model_validate({"farRight": "a", "entries": [{"name": "x"}, {"name": "y"}]})
    assert [entry.name for entry in part.entries] == ["x", "y"]


def test_the_schema_has_every_rule() -> None:
    rules = Part.model_json_schema()["x-kubernetes-validations"]
    assert [rule["rule"] for rule in rules] == [
        "[has(self.left), has(self.farRight)].exists_one(given, given)",
        "has(self.left) || has(self.entries)",
        "!has(self.entries) || self.entries.all(a, self.entries.exists_one(b, b.name == a.name))",
        "self == oldSelf",
        "self.left != 'no'",
    ]


def test_a_subclass_keeps_the_rules_of_its_base() -> None:
    class Narrow(Part):
        pass

    with pytest.raises(ValidationError, match="left is not no"):
        Narrow.model_validate({"left": "no"})
