"""Every value of the chart is said to mean something, and the schema knows exactly those."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from docs import generate_chart

ROOT = Path(__file__).parents[2]
VALUES = (ROOT / generate_chart.CHART / "values.yaml").read_text()
SCHEMA: dict[str, Any] = json.loads(
    (ROOT / generate_chart.CHART / "values.schema.json").read_text()
)


def paths(part: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, value in part.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here
        yield from paths(resolved(value), here)


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    pointer = part.get("$ref")
    if pointer is None:
        return part
    found: Any = SCHEMA
    for name in pointer.removeprefix("#/").split("/"):
        found = found[name]
    return resolved(found)


def test_schema_and_values_know_the_same() -> None:
    values = {path for path, _ in generate_chart.leaves(yaml.safe_load(VALUES), SCHEMA)}
    assert set(paths(SCHEMA)) - {"global"} == values


def test_every_value_is_explained() -> None:
    """By a comment above it; or it holds others that are, or stands on the one line of a comment."""
    comments = generate_chart.comments_of(VALUES)
    for path, _ in generate_chart.leaves(yaml.safe_load(VALUES), SCHEMA):
        parent = path.rpartition(".")[0]
        holds = any(one.startswith(f"{path}.") for one in comments)
        together = parent in comments and not any(one.startswith(f"{parent}.") for one in comments)
        assert path in comments or holds or together, f"{path} has no comment in values.yaml"


def test_a_gate_can_be_told_all_that_gates_can_be_told() -> None:
    gate = set(SCHEMA["properties"]["gates"]["items"]["properties"]) - {"name", "document"}
    assert gate == set(SCHEMA["properties"]["gateDefaults"]["properties"])
    for name in gate:
        entry = SCHEMA["properties"]["gates"]["items"]["properties"][name]
        assert entry == {"$ref": f"#/properties/gateDefaults/properties/{name}"}


def test_nothing_takes_what_it_does_not_know() -> None:
    def closed(part: Any) -> None:
        if isinstance(part, dict):
            if "properties" in part and part.get("type") == "object":
                assert part["additionalProperties"] is False
            for value in part.values():
                closed(value)
        if isinstance(part, list):
            for value in part:
                closed(value)

    closed(SCHEMA)
