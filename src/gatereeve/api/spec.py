"""What every kind builds on: frozen types in Kubernetes' spelling, and bounded field types.

Unknown fields are errors here and become `unknown-field` findings in `parse`; a document with one
is not used, because what it meant is unknown. Patterns are Rust regexes, where `$` is the end of
the text and nothing else, so no newline or quote ever reaches a proxy's configuration.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from pydantic.alias_generators import to_camel


class Spec(BaseModel):
    """Base of every spec and part: frozen, camelCase outside, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        strict=False,
    )


def rules(*pairs: tuple[str, str]) -> ConfigDict:
    """What a validator of ours says, once more in CEL, for the API server: (expression, message).

    Stands beside the validator that it mirrors; `crd` writes it into the schema. `self` is the part
    itself. The messages are those of the validator.
    """
    return ConfigDict(json_schema_extra={"x-kubernetes-validations": _rules(pairs)})


def _rules(pairs: tuple[tuple[str, str], ...]) -> list[JsonValue]:
    return [{"rule": rule, "message": message} for rule, message in pairs]


def one_of(*names: str) -> str:
    """CEL: exactly one of these fields is there."""
    return "[" + ", ".join(f"has(self.{name})" for name in names) + "].exists_one(given, given)"


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


def _is_free(name: str) -> str:
    lower = name.lower()
    if lower in _TAKEN_HEADERS or lower.startswith(_TAKEN_PREFIXES):
        msg = f"header {name} already has a meaning of its own; use another name"
        raise ValueError(msg)
    return name


_TAKEN = (
    f"!(self.lowerAscii() in {sorted(_TAKEN_HEADERS)}) && "
    f"!{list(_TAKEN_PREFIXES)}.exists(taken, self.lowerAscii().startsWith(taken))"
)

OwnHeaderName = Annotated[
    HeaderName,
    AfterValidator(_is_free),
    Field(
        max_length=128,
        json_schema_extra={
            "x-kubernetes-validations": _rules(
                ((_TAKEN, "the header already has a meaning of its own; use another name"),)
            )
        },
    ),
]
"""A header that a Gate gives a meaning: none that HTTP, Envoy or the gate itself uses."""

_FRAMING = ("connection", "content-encoding", "content-length", "content-type", "expect", "host", "te",
            "trailer", "transfer-encoding", "upgrade", "x-request-id")  # fmt: skip


def _leaves_framing(name: str) -> str:
    lower = name.lower()
    if any(
        kept.startswith(lower[:-1]) if lower.endswith("*") else kept == lower for kept in _FRAMING
    ):
        msg = f"{name} would take off a header that HTTP or the gate needs; use another name"
        raise ValueError(msg)
    return name


_FRAMED = (
    f"!{list(_FRAMING)}.exists(kept, self.endsWith('*') ? "
    "kept.startsWith(self.lowerAscii().substring(0, size(self) - 1)) : kept == self.lowerAscii())"
)

RemovedHeader = Annotated[
    str,
    _S(pattern=r"^[a-zA-Z0-9][-a-zA-Z0-9]{0,126}\*?$"),
    AfterValidator(_leaves_framing),
    Field(
        max_length=128,
        json_schema_extra={
            "x-kubernetes-validations": _rules(
                (
                    (
                        _FRAMED,
                        "it would take off a header that HTTP or the gate needs; use another name",
                    ),
                )
            )
        },
    ),
]
"""A header that models do not get, or with `*` at the end, all headers that begin so."""

Text = Annotated[str, _S(max_length=1024)]

Token = Annotated[str, _S(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9._:/@+]{0,254})$", max_length=255)]
"""An identifier without white space, quotes or control characters: versions, purposes, claims."""

Identifier = Annotated[str, _S(pattern=r"^[^\x00-\x20\x7f\"\\]{1,255}$", max_length=255)]
"""An id or group as an identity provider issues it: no white space, control characters, quotes."""

ClaimPath = Annotated[str, _S(pattern=r"^[A-Za-z0-9_/-]+(\.[A-Za-z0-9_/-]+){0,7}$", max_length=200)]
"""A claim; `.` descends into objects. No `:`, which separates in Envoy's formats."""

Region = Annotated[str, _S(pattern=r"^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$", max_length=32)]
"""A region or region group, lower case: `de`, `eu`, `us-east`."""

RelativeFile = Annotated[str, _S(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$", max_length=512)]
"""A file beside the documents; the source refuses `..` in it and links that leave the folder."""
