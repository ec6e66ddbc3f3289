"""The reference page of the kinds, from the types: fields, defaults, bounds, what each says."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gatereeve.api import crd, registry


def kinds_page() -> str:
    """One section per kind of ours, one table per part."""
    lines = [
        "# Kinds\n",
        "The documents of `gatereeve.dev/v1alpha1`. Unknown fields are refused; fields without a",
        "default are required. Beside ours Gatereeve reads: "
        + ", ".join(f"`{k.kind}`" for k in registry.KINDS if not k.ours)
        + ".\n",
    ]
    for kind in registry.EVERY:
        if not kind.ours:
            continue
        scope = "namespaced" if kind.namespaced else "cluster-scoped"
        if kind in registry.IN_FOLDERS:
            scope = "without a namespace; in folders only"
        lines.append(f"## {kind.kind}\n\n{scope}\n\n{_doc(kind.spec)}\n")
        for path, part in _parts(kind.spec, "spec"):
            lines.append(
                f"**`{path}`** {_doc(part) if part is not kind.spec else ''}\n".rstrip() + "\n"
            )
            lines.append("| field | type | default | description |\n|---|---|---|---|")
            lines += [_row(name, field) for name, field in part.model_fields.items()]
            lines.append("")
        if kind not in registry.IN_FOLDERS:
            lines.append("**`status`**\n\n| field | description |\n|---|---|")
            fields = crd.status_fields(kind.kind).items()
            lines += [f"| `{name}` | {about} |" for name, (_, about) in fields]
            lines.append("")
    return "\n".join(lines)


def _doc(part: type[BaseModel]) -> str:
    return inspect.cleandoc(part.__doc__ or "").replace("\n\n", "\n").strip()


def _row(name: str, field: FieldInfo) -> str:
    about = (field.description or "").replace("|", "\\|")
    default = "required" if field.is_required() else f"`{_shown(field.default)}`"
    return f"| `{field.alias or name}` | {_type(field.annotation)} | {default} | {about} |"


def _shown(value: object) -> str:
    if isinstance(value, BaseModel):
        return "{}"
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "{}" if "Undefined" in repr(value) else str(value)


def _type(annotation: object) -> str:
    origin = typing.get_origin(annotation)
    arguments = [a for a in typing.get_args(annotation) if a is not type(None)]
    if origin in (types.UnionType, typing.Union):
        return " or ".join(dict.fromkeys(_type(a) for a in arguments))
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return " · ".join(f"`{a}`" for a in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"map of {_type(arguments[0])} to {_type(arguments[1])}"
    names = {"str": "string", "int": "integer", "bool": "boolean"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, name)


def _parts(spec: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, spec
    for name, field in spec.model_fields.items():
        for part, suffix in _models(field.annotation):
            yield from _parts(part, f"{path}.{field.alias or name}{suffix}")


def _models(annotation: object) -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, ""
        return
    suffix = "[]" if typing.get_origin(annotation) is tuple else ""
    for argument in typing.get_args(annotation):
        for part, inner in _models(argument):
            yield part, suffix + inner
