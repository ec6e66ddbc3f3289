"""Every field of our documents has a description, in the types and in the CRDs."""

from __future__ import annotations

import typing
from collections.abc import Iterator

import pytest
import yaml
from pydantic import BaseModel

from gatereeve.api import crd, registry

KINDS = (*(kind for kind in registry.EVERY if kind.ours), registry.GUARD_PARAMETERS)


def models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models(argument)


def undescribed(part: type[BaseModel]) -> Iterator[str]:
    for name, field in part.model_fields.items():
        if not (field.description or "").strip().endswith((".", "…")):
            yield f"{part.__name__}.{name}"
        for inner in models(field.annotation):
            yield from undescribed(inner)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_field_of_a_type_is_described(kind: registry.Kind) -> None:
    assert list(undescribed(kind.spec)) == []


@pytest.mark.parametrize("name", crd.crds())
def test_every_field_of_a_definition_is_described(name: str) -> None:
    def lacking(schema: dict[str, typing.Any], path: str) -> Iterator[str]:
        for field, inner in schema.get("properties", {}).items():
            if not inner.get("description") and f"{path}.{field}" != ".metadata":
                yield f"{path}.{field}"
            yield from lacking(inner, f"{path}.{field}")
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                yield from lacking(schema[key], path)

    definition = yaml.safe_load(crd.crds()[name])
    for version in definition["spec"]["versions"]:
        assert list(lacking(version["schema"]["openAPIV3Schema"], "")) == []


def test_an_optional_field_says_what_its_absence_means() -> None:
    """A field whose default is no value says what happens without it."""

    def silent(part: type[BaseModel]) -> Iterator[str]:
        for name, field in part.model_fields.items():
            about = field.description or ""
            empty = not field.is_required() and field.default in (None, ())
            if empty and not any(word in about for word in ("Absent", "Required if")):
                yield f"{part.__name__}.{name}"
            for inner in models(field.annotation):
                yield from silent(inner)

    lacking = sorted({name for kind in KINDS for name in silent(kind.spec)})
    choices = ("Jwks.", "FileOrSecretKey.", "CertificateIdentity.", "RegionSource.", "PurposeSource.",
               "Subject.", "Person.")  # fmt: skip
    assert [name for name in lacking if not name.startswith(choices)] == []
