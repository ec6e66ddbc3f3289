"""What every kind builds on: frozen types in Kubernetes' spelling, and bounded field types.

Unknown fields are errors here and become `unknown-field` findings in `parse`; a document with one
is not used, because what it meant is unknown. Patterns are Rust regexes, where `$` is the end of
the text and nothing else, so no newline or quote ever reaches a proxy's configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Annotated, ClassVar, Final, Self, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.alias_generators import to_camel, to_snake
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule:
    """One constraint: checked here by `is_met`, and by the API server as the CEL expression `cel`.

    `self` in `cel` is the value that `is_met` gets. Used in `rules=` of a Spec, and in `Annotated`
    for text.
    """

    cel: str
    message: str
    is_met: Callable[[object], bool]

    def check(self, value: T) -> T:
        """`value`, or ValueError with the message."""
        if not self.is_met(value):
            raise ValueError(self.message)
        return value

    @property
    def schema(self) -> dict[str, str]:
        """The entry of `x-kubernetes-validations`."""
        return {"rule": self.cel, "message": self.message}

    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "x-kubernetes-validations": [self.schema]}


def text_rule(cel: str, message: str, is_met: Callable[[str], bool]) -> Rule:
    """A rule for text, to be used in `Annotated`."""
    return Rule(cel, message, lambda value: isinstance(value, str) and is_met(value))


def exactly_one_of(*names: str) -> Rule:
    """Exactly one of these fields is set. names: as in documents."""
    *first, last = names
    present = ", ".join(f"has(self.{name})" for name in names)
    attributes = [to_snake(name) for name in names]
    return Rule(
        f"[{present}].exists_one(given, given)",
        f"exactly one of {', '.join(first)} and {last} is required",
        lambda part: sum(getattr(part, name) is not None for name in attributes) == 1,
    )


def at_least_one_of(*names: str, message: str) -> Rule:
    """One or more of these fields is set, and not all of them are empty lists or maps."""
    present = " || ".join(f"has(self.{name})" for name in names)
    attributes = [to_snake(name) for name in names]
    return Rule(present, message, lambda part: any(getattr(part, name) for name in attributes))


def distinct(field: str, key: str, message: str) -> Rule:
    """The entries of the list `field` differ in `key`. Both are names of one word."""

    def is_met(part: object) -> bool:
        entries: tuple[object, ...] = getattr(part, field)
        return len({getattr(entry, key) for entry in entries}) == len(entries)

    cel = (
        f"!has(self.{field}) || self.{field}.all(a, self.{field}.exists_one(b, b.{key} == a.{key}))"
    )
    return Rule(cel, message, is_met)


def immutable(message: str) -> Rule:
    """The API server refuses changes. A single document shows no change, so nothing is checked here."""
    return Rule("self == oldSelf", message, lambda _: True)


def must(cel: str, message: str) -> Callable[[Callable[[T], bool]], Callable[[T], bool]]:
    """Makes a method a rule of its Spec: it returns whether the rule is met."""

    def mark(method: Callable[[T], bool]) -> Callable[[T], bool]:
        _MARKS[method] = Rule(cel, message, cast("Callable[[object], bool]", method))
        return method

    return mark


_MARKS: dict[object, Rule] = {}


class Spec(BaseModel):
    """Base of every spec and part: frozen, camelCase outside, unknown fields refused.

    rules: constraints over several fields, as an argument of the class; methods marked `@must` add
    theirs.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        strict=False,
    )
    _rules: ClassVar[tuple[Rule, ...]] = ()

    def __init_subclass__(cls, *, rules: tuple[Rule, ...] = (), **kwargs: object) -> None:
        super().__init_subclass__()
        marked = (method for method in vars(cls).values() if isinstance(method, FunctionType))
        own = (_MARKS[method] for method in marked if method in _MARKS)
        cls._rules = (*cls._rules, *rules, *own)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler(source)
        if not cls._rules:
            return schema
        return core_schema.no_info_after_validator_function(cls._check_rules, schema)

    def _check_rules(self) -> Self:
        for rule in self._rules:
            rule.check(self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        made = handler(schema)
        if cls._rules:
            rules = [rule.schema for rule in cls._rules]
            handler.resolve_ref_schema(made)["x-kubernetes-validations"] = rules
        return made


class Lenient(BaseModel):
    """Base of foreign kinds (Service, Ingress, …), which carry fields that are not our business."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )


_S = StringConstraints

Name = Annotated[str, _S(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", max_length=253)]
"""An object name: DNS-1123 subdomain."""

Label = Annotated[str, _S(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", max_length=63)]
"""A DNS-1123 label: namespaces, provider names, rule names."""

Host = Annotated[
    str,
    _S(
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$",
        max_length=253,
    ),
]
"""A host, or `*.` and a host."""

HeaderName = Annotated[str, _S(pattern=r"^[a-zA-Z0-9][-a-zA-Z0-9]{0,127}$")]
"""A header name without underscores: `x_user` and `x-user` must not be confused."""

_TAKEN_HEADERS = frozenset(
    {
        "authorization", "connection", "content-encoding", "content-length", "content-type", "cookie",
        "host", "te", "transfer-encoding", "upgrade", "via",
    }
)  # fmt: skip
_TAKEN_PREFIXES = ("x-gatereeve-", "x-envoy-", "x-forwarded-", "x-request-id")


OwnHeaderName = Annotated[
    HeaderName,
    _S(max_length=128),
    text_rule(
        f"!(self.lowerAscii() in {sorted(_TAKEN_HEADERS)}) && "
        f"!{list(_TAKEN_PREFIXES)}.exists(taken, self.lowerAscii().startsWith(taken))",
        "this header already has a meaning of its own; use another name",
        lambda name: (
            name.lower() not in _TAKEN_HEADERS and not name.lower().startswith(_TAKEN_PREFIXES)
        ),
    ),
]
"""A header that a Gate gives a meaning: none that HTTP, Envoy or the gate itself uses."""

_FRAMING = ("connection", "content-encoding", "content-length", "content-type", "expect", "host", "te",
            "trailer", "transfer-encoding", "upgrade", "x-request-id")  # fmt: skip


def _leaves_framing(name: str) -> bool:
    lower = name.lower()
    if lower.endswith("*"):
        return not any(header.startswith(lower[:-1]) for header in _FRAMING)
    return lower not in _FRAMING


RemovedHeader = Annotated[
    str,
    _S(pattern=r"^[a-zA-Z0-9][-a-zA-Z0-9]{0,126}\*?$", max_length=128),
    text_rule(
        f"!{list(_FRAMING)}.exists(kept, self.endsWith('*') ? "
        "kept.startsWith(self.lowerAscii().substring(0, size(self) - 1)) : kept == self.lowerAscii())",
        "this would take off a header that HTTP or the gate needs; use another name",
        _leaves_framing,
    ),
]
"""A header that models do not get, or with `*` at the end, all headers that begin so."""

Text = Annotated[str, _S(max_length=1024)]

PathPrefix = Annotated[str, _S(pattern=r"^/[A-Za-z0-9._~!$&'()*+,=:@%/-]*$", max_length=1024)]
"""A path that begins with `/`."""

Token = Annotated[str, _S(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9._:/@+]{0,254})$", max_length=255)]
"""An identifier without white space, quotes or control characters: versions, purposes, claims."""

Identifier = Annotated[str, _S(pattern=r"^[^\x00-\x20\x7f\"\\]{1,255}$", max_length=255)]
"""An id as an identity provider issues it: no white space, control characters, quotes."""

_GROUP: Final = r"[^\x00-\x20\x7f\"\\]([^\x00-\x1f\x7f\"\\]{0,253}[^\x00-\x20\x7f\"\\])?"

Group = Annotated[str, _S(pattern=rf"^{_GROUP}$", max_length=255)]
"""A group as an identity provider issues it, like `Domain Users`: no control characters, no quotes."""

ProvidedName = Annotated[str, _S(pattern=r"^[a-z0-9-]{1,63}/[^\x00-\x20\x7f\"\\]{1,255}$")]
"""An identity provider and a caller's id."""

ProvidedGroup = Annotated[str, _S(pattern=rf"^[a-z0-9-]{{1,63}}/{_GROUP}$")]
"""An identity provider and a group."""

ClaimPath = Annotated[str, _S(pattern=r"^[A-Za-z0-9_/-]+(\.[A-Za-z0-9_/-]+){0,7}$", max_length=200)]
"""A claim; `.` descends into objects. No `:`, which separates in Envoy's formats."""

Region = Annotated[str, _S(pattern=r"^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$", max_length=32)]
"""A region or region group, lower case: `de`, `eu`, `us-east`."""

RelativeFile = Annotated[str, _S(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$", max_length=512)]
"""A file beside the documents; the source refuses `..` in it and links that leave the folder."""
