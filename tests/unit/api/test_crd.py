"""The CRDs: one per kind of ours, structural, deterministic, saying what the types say."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from gatereeve.api import crd, registry
from tests.unit.api import documents

ALLOWED = {
    "description", "type", "format", "pattern", "enum", "minimum", "maximum", "minLength",
    "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "required", "default",
    "items", "properties", "additionalProperties", "anyOf", "x-kubernetes-int-or-string",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations",
}  # fmt: skip


def schemas(schema: dict[str, object], path: str = "") -> Iterator[tuple[str, dict[str, object]]]:
    yield path, schema
    properties = schema.get("properties", {})
    assert isinstance(properties, dict)
    for name, value in properties.items():
        yield from schemas(value, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        value = schema.get(key)
        if isinstance(value, dict):
            yield from schemas(value, f"{path}.{key}")


def definitions() -> dict[str, dict[str, object]]:
    return {name: yaml.safe_load(text) for name, text in crd.crds().items()}


def root(definition: dict[str, object]) -> dict[str, object]:
    spec = definition["spec"]
    assert isinstance(spec, dict)
    schema = spec["versions"][0]["schema"]["openAPIV3Schema"]
    assert isinstance(schema, dict)
    return schema


def test_every_kind_of_ours_has_one() -> None:
    documents = [f"gatereeve.dev_{k.plural}.yaml" for k in registry.KINDS if k.ours]
    assert list(crd.crds()) == [*documents, "gatereeve.dev_guardparameters.yaml"]


def test_it_is_the_same_text_every_time_and_uses_no_anchors() -> None:
    assert crd.crds() == crd.crds()
    assert not any(re.search(r"(^|\s)[&*]id\d", text) for text in crd.crds().values())


@pytest.mark.parametrize("name", crd.crds())
def test_schemas_are_structural(name: str) -> None:
    for path, schema in schemas(root(definitions()[name])):
        assert set(schema) <= ALLOWED, path
        if "x-kubernetes-int-or-string" in schema:
            assert schema["anyOf"] == [{"type": "integer"}, {"type": "string"}], path
            assert "type" not in schema, path
        else:
            assert isinstance(schema.get("type"), str), path
            assert "anyOf" not in schema, path
        assert not ("properties" in schema and "additionalProperties" in schema), path
        assert (schema["type"] == "array") == ("items" in schema) if "type" in schema else True
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        assert isinstance(properties, dict)
        assert isinstance(required, list)
        assert set(required) <= set(properties), path


@pytest.mark.parametrize("name", crd.crds())
def test_defaults_are_values_of_their_own_schema(name: str) -> None:
    for path, schema in schemas(root(definitions()[name])):
        if "default" in schema:
            check(schema["default"], schema, path)


def check(value: object, schema: dict[str, object], path: str) -> None:
    """As much of validation as defaults need: no nulls, types, known and required fields."""
    types = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    assert isinstance(value, types[str(schema["type"])]), path
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        assert isinstance(properties, dict)
        assert isinstance(required, list)
        assert set(required) <= set(value), path
        for name, item in value.items():
            check(item, properties[name], f"{path}.{name}")
    if isinstance(value, list):
        items = schema["items"]
        assert isinstance(items, dict)
        for item in value:
            check(item, items, path)
    if "enum" in schema:
        assert value in schema["enum"], path  # type: ignore[operator]  # a list, from YAML


def test_fields_of_the_examples_are_in_the_schemas() -> None:
    kinds = {
        k.kind: definitions()[f"gatereeve.dev_{k.plural}.yaml"] for k in registry.KINDS if k.ours
    }
    for text in documents.ALL:
        document = yaml.safe_load(text)
        if document["kind"] in kinds:
            spec = root(kinds[document["kind"]])["properties"]["spec"]  # type: ignore[index]
            assert set(document["spec"]) <= set(spec["properties"])


def test_names_scope_and_columns() -> None:
    spec = definitions()["gatereeve.dev_modelversions.yaml"]["spec"]
    assert isinstance(spec, dict)
    assert spec["names"]["shortNames"] == ["mv"]
    assert spec["names"]["categories"] == ["gatereeve"]
    assert spec["scope"] == "Namespaced"
    assert spec["versions"][0]["subresources"] == {"status": {}}
    assert spec["versions"][0]["additionalPrinterColumns"][-1]["name"] == "Age"
    gate = definitions()["gatereeve.dev_gates.yaml"]["spec"]
    assert isinstance(gate, dict)
    assert gate["scope"] == "Cluster"


def test_choices_become_one_type() -> None:
    hosts = root(definitions()["gatereeve.dev_hostgrants.yaml"])["properties"]["spec"]  # type: ignore[index]
    pattern = hosts["properties"]["hosts"]["items"]["pattern"]
    assert re.search(pattern, "*")
    assert re.search(pattern, "*.example.com")
    assert not re.search(pattern, "**")
    version = root(definitions()["gatereeve.dev_modelversions.yaml"])["properties"]["spec"]  # type: ignore[index]
    port = version["properties"]["backend"]["properties"]["port"]
    assert port["x-kubernetes-int-or-string"] is True
