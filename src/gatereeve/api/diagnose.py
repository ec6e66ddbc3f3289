"""Turns the validation errors of one spec into diagnoses: path, message and hint.

Values of Secrets are never quoted. The types decide what is valid; this module only explains.
"""

from __future__ import annotations

import difflib
import json
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gatereeve.api import spec
from gatereeve.api.yaml import Plain
from gatereeve.core.findings import Finding
from gatereeve.core.report import describe

MAX_DIAGNOSES = 25
"""Largest number for one document; further ones are only counted."""

Step = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A finding without its place. path: inside the document, like `spec.allow[0].regions`."""

    path: str
    finding: Finding


def _pattern_of(annotated: object) -> str:
    return str(typing.get_args(annotated)[1].pattern)


_PATTERNS: dict[str, str] = {
    _pattern_of(spec.Name): "a name: lower-case letters, digits, `-` and `.`, like `credit-v2`",
    _pattern_of(spec.Label): "a name: lower-case letters, digits and `-`, at most 63 characters",
    _pattern_of(spec.Host): "a host in lower case, like `models.example.com` or `*.example.com`",
    _pattern_of(spec.HeaderName): "a header name: letters, digits and `-`, no `_`",
    _pattern_of(spec.Token): "a word without spaces and quotes",
    _pattern_of(spec.Identifier): "an id without spaces, quotes and control characters",
    _pattern_of(spec.Group): "a group without quotes, control characters and spaces at its ends",
    _pattern_of(spec.ProvidedName): "`provider/id`, like `corp/anna`",
    _pattern_of(spec.ProvidedGroup): "`provider/group`, like `corp/lending`",
    _pattern_of(spec.ClaimPath): "a claim name, with `.` for a claim inside a claim",
    _pattern_of(spec.Region): "a region in lower case, like `de`, `eu` or `us-east`",
    _pattern_of(spec.RelativeFile): "a file beside the documents, like `keys/jwks.json`",
    r"^sha256:[0-9a-f]{64}$": "`sha256:` and 64 hexadecimal digits in lower case",
}
_TIME = "a time with a time zone, like `2027-01-31T12:00:00Z`"
_WORDS: dict[str, str] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "`true` or `false`",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "timezone_aware": _TIME,
}


def diagnose(
    error: ValidationError,
    value: Mapping[str, Plain],
    model: type[BaseModel],
    *,
    prefix: str,
    confidential: bool,
) -> tuple[Diagnosis, ...]:
    """One diagnosis per place and code, at most MAX_DIAGNOSES.

    value: what was validated against `model`. prefix: where it stands in the document (`spec`).
    """
    places: dict[tuple[str, str], list[tuple[ErrorDetails, tuple[Step, ...]]]] = {}
    for item in error.errors(include_url=False):
        steps = _steps(item, value)
        path = join(prefix, steps)
        places.setdefault((path, _code(item["type"])), []).append((item, steps))
    _drop_consequences(places)
    diagnoses = [
        Diagnosis(
            path=path,
            finding=_describe(code, path, items, model, prefix=prefix, confidential=confidential),
        )
        for (path, code), items in places.items()
    ]
    if len(diagnoses) > MAX_DIAGNOSES:
        rest = len(diagnoses) - MAX_DIAGNOSES
        more = Diagnosis(path=prefix, finding=describe("invalid-field.more", number=rest))
        diagnoses = [*diagnoses[:MAX_DIAGNOSES], more]
    return tuple(diagnoses)


def _drop_consequences(
    places: dict[tuple[str, str], list[tuple[ErrorDetails, tuple[Step, ...]]]],
) -> None:
    """Drops 'too short' for a list whose entries are wrong: pydantic reports both."""
    paths = [path for path, _ in places]
    for key, items in list(places.items()):
        is_wrong_inside = any(path.startswith(f"{key[0]}[") for path in paths)
        if is_wrong_inside and all(item["type"] == "too_short" for item, _ in items):
            del places[key]


def join(prefix: str, steps: Iterable[Step]) -> str:
    """`spec`, (`allow`, 0, `regions`) → `spec.allow[0].regions`."""
    path = prefix
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path = f"{path}.{step}" if path else step
    return path


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known word that is most similar, without regard to case; None if none is."""
    folded = {item.lower().replace("_", ""): item for item in known}
    close = difflib.get_close_matches(
        word.lower().replace("_", "")[:64], folded, n=1, cutoff=cutoff
    )
    return folded[close[0]] if close else None


def shown(value: object) -> str:
    """A value as one short line without control characters."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


def _code(kind: str) -> str:
    return {"extra_forbidden": "unknown-field", "missing": "missing-field"}.get(
        kind, "invalid-field"
    )


def _steps(item: ErrorDetails, value: Plain | Mapping[str, Plain]) -> tuple[Step, ...]:
    """The location without the names that pydantic gives to the members of a union."""
    steps: list[Step] = []
    here: object = value
    location = item["loc"]
    for index, part in enumerate(location):
        last_missing = item["type"] == "missing" and index == len(location) - 1
        inside = (isinstance(here, Mapping) and part in here) or (
            isinstance(here, list) and isinstance(part, int) and 0 <= part < len(here)
        )
        if inside or (last_missing and isinstance(here, Mapping)):
            steps.append(part)
        if inside:
            here = cast("Mapping[Step, object]", here)[part]
    return tuple(steps)


def _describe(
    code: str,
    path: str,
    items: Sequence[tuple[ErrorDetails, tuple[Step, ...]]],
    model: type[BaseModel],
    *,
    prefix: str,
    confidential: bool,
) -> Finding:
    item, steps = items[0]
    if code == "unknown-field":
        name = str(steps[-1]) if steps else path
        return unknown_field(path, name, _fields(_model_at(model, steps[:-1])))
    if code == "missing-field":
        place = join(prefix, steps[:-1])
        if steps and place:
            return describe("missing-field.below", field=path, name=steps[-1], place=place)
        return describe("missing-field", field=path)
    if item["type"] == "value_error":
        rule = str(item.get("ctx", {}).get("error", item["msg"]))
        return describe("invalid-field.rule", field=path, rule=rule)
    return describe(
        "invalid-field",
        field=path,
        value="the value" if confidential else shown(item["input"]),
        wanted=" or ".join(dict.fromkeys(_wanted(each) for each, _ in items)),
        remark=_extra_hint(items, confidential=confidential),
    )


def unknown_field(path: str, name: str, known: Sequence[str]) -> Finding:
    """A field `name` at `path` that is none of `known`."""
    near = nearest(name, known)
    if near:
        return describe("unknown-field.near", field=path, near=near)
    return describe("unknown-field", field=path, known=list(known))


def _wanted(item: ErrorDetails) -> str:
    """What the place wants, as the end of the sentence "it must be …"."""
    kind, context = item["type"], item.get("ctx", {})
    if kind in _WORDS:
        return _WORDS[kind]
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "`")
    if kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        return _PATTERNS.get(pattern, f"text that matches {pattern}")
    if kind in ("too_short", "too_long"):
        bound = context["min_length"] if kind == "too_short" else context["max_length"]
        return f"a list of at {'least' if kind == 'too_short' else 'most'} {bound}"
    if kind in ("string_too_short", "string_too_long"):
        bound = context["min_length"] if kind == "string_too_short" else context["max_length"]
        return f"text of at {'least' if kind == 'string_too_short' else 'most'} {bound} characters"
    if kind == "greater_than_equal":
        return f"{context['ge']} or more"
    if kind == "less_than_equal":
        return f"{context['le']} or less"
    return item["msg"]


def _extra_hint(
    items: Sequence[tuple[ErrorDetails, tuple[Step, ...]]], *, confidential: bool
) -> str:
    if confidential or len(items) > 1:
        return ""
    for item, _ in items:
        value = item["input"]
        if item["type"] == "string_type" and isinstance(value, bool | int | float):
            return f'; put it in quotes: "{shown(value)}"'
        if item["type"] == "literal_error" and isinstance(value, str):
            words = [w.strip(" '") for w in str(item.get("ctx", {})["expected"]).split(",")]
            near = nearest(value, [w for part in words for w in part.split("' or '")])
            return f"; did you mean `{near}`?" if near else ""
        if item["type"] in ("int_type", "bool_type") and isinstance(value, str):
            return ", without quotes"
    return ""


def _fields(model: type[BaseModel] | None) -> list[str]:
    if model is None:
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(model: type[BaseModel], steps: Iterable[Step]) -> type[BaseModel] | None:
    """The type of the value at `steps`; None if it is not one of ours."""
    here: type[BaseModel] | None = model
    for step in steps:
        if isinstance(step, int):
            continue
        if here is None:
            return None
        field = {f.alias or name: f for name, f in here.model_fields.items()}.get(step)
        here = _model_in(field.annotation) if field is not None else None
    return here


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in typing.get_args(annotation):
        model = _model_in(part)
        if model is not None:
            return model
    return None
