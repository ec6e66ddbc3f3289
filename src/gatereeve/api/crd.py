"""The CustomResourceDefinitions of our kinds, made from the types.

apiextensions.k8s.io/v1 with structural schemas: no `$ref`, no `anyOf` but for int-or-string, no
`additionalProperties` beside `properties`. What a schema cannot say (exactly one of two fields, the
keys of a map) is checked again when a document is read. Same types, same bytes; writes no file.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import TypeAlias, cast

import yaml

from gatereeve.api import registry
from gatereeve.api.yaml import Plain
from gatereeve.core.canonical import Json, digest

Schema: TypeAlias = dict[str, Plain]

LABELS = {"app.kubernetes.io/part-of": "gatereeve"}
"""Of every definition: by them all are found, and removed."""

SCHEMA_ANNOTATION = "gatereeve.dev/schema"
"""Of every definition: digest of its spec, for the chart to compare with the one in the cluster."""

HEADER = "# Generated from src/gatereeve/api by `make generate`; do not edit.\n"

_COPIED = (
    "type", "format", "pattern", "enum", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "minProperties", "maxProperties", "required",
    "x-kubernetes-validations",
)  # fmt: skip
_AGE = ("Age", "date", ".metadata.creationTimestamp")


def _condition(name: str) -> str:
    """Where the status of one condition stands."""
    return f'.status.conditions[?(@.type=="{name}")].status'


_COLUMNS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Gate": (
        ("Region", "string", ".spec.region"),
        ("Programmed", "string", _condition("Programmed")),
        ("Ready", "integer", ".status.ready"),
        ("Gates", "integer", ".status.gates"),
        ("HTTPS", "integer", ".spec.https.port"),
        ("HTTP", "integer", ".spec.http.port"),
    ),
    "HostGrant": (
        ("Hosts", "string", ".spec.hosts"),
        ("Paths", "string", ".spec.paths"),
        ("Accepted", "string", _condition("Accepted")),
        ("Namespaces", "integer", ".status.matched"),
    ),
    "Model": (
        ("Owner", "string", ".spec.owner"),
        ("Risk", "string", ".spec.riskClass"),
        ("Protocol", "string", ".spec.protocol"),
        ("Audit", "string", ".spec.audit"),
        ("Routed", "string", _condition("Routed")),
        ("Served", "string", ".status.served"),
    ),
    "ModelVersion": (
        ("Model", "string", ".spec.model"),
        ("Version", "string", ".spec.version"),
        ("Region", "string", ".spec.region"),
        ("Author", "string", ".spec.author"),
        ("Approved", "string", _condition("Approved")),
        ("Eligible", "string", _condition("Eligible")),
        ("Served", "string", _condition("Served")),
    ),
    "Approval": (
        ("Subject", "string", ".spec.subject.name"),
        ("Role", "string", ".spec.role"),
        ("Decision", "string", ".spec.decision"),
        ("Approver", "string", ".spec.approver"),
        ("In Force", "string", _condition("InForce")),
        ("Reason", "string", '.status.conditions[?(@.type=="InForce")].reason'),
        ("Expires", "date", ".spec.expires"),
    ),
    "AccessPolicy": (
        ("Models", "string", ".spec.models"),
        ("Mode", "string", ".spec.mode"),
        ("Accepted", "string", _condition("Accepted")),
        ("Enforced", "string", _condition("Enforced")),
    ),
    "GuardParameters": (("Hosts", "string", ".spec.grants[*].host"),),
    "Rollout": (
        ("Model", "string", ".spec.model"),
        ("Versions", "string", ".spec.split[*].version"),
        ("Weights", "string", ".spec.split[*].weight"),
        ("Effective", "string", _condition("Effective")),
    ),
}


def crds() -> dict[str, str]:
    """File name (`gatereeve.dev_models.yaml`) to the YAML text of one CustomResourceDefinition."""
    return {f"{kind.group}_{kind.plural}.yaml": _text(kind) for kind in defined()}


def defined() -> tuple[registry.Kind, ...]:
    """The kinds that a definition of ours makes."""
    return (*(kind for kind in registry.KINDS if kind.ours), registry.GUARD_PARAMETERS)


def spec_schema(kind: registry.Kind) -> Schema:
    """The structural schema of a kind's `spec`."""
    full = cast("Schema", kind.spec.model_json_schema(by_alias=True, mode="validation"))
    definitions = full.get("$defs")
    schema = _structural(full, definitions if isinstance(definitions, dict) else {})
    return {
        "description": _first_paragraph(kind),
        **{k: v for k, v in schema.items() if k != "description"},
    }


def _text(kind: registry.Kind) -> str:
    return HEADER + yaml.dump(
        definition(kind), Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True
    )


class _Dumper(yaml.SafeDumper):
    """Writes a value that occurs twice twice: no anchors."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def definition(kind: registry.Kind) -> Schema:
    """The CustomResourceDefinition of one kind."""
    spec = _spec(kind)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "labels": dict(LABELS),
            "annotations": {SCHEMA_ANNOTATION: digest(cast("Json", spec))},
        },
        "spec": spec,
    }


def _spec(kind: registry.Kind) -> Schema:
    return {
        "group": kind.group,
        "names": {
            "kind": kind.kind,
            "listKind": f"{kind.kind}List",
            "plural": kind.plural,
            "singular": kind.kind.lower(),
            **({"shortNames": list(kind.short)} if kind.short else {}),
            "categories": ["gatereeve"],
        },
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "versions": [_version(kind, name, index) for index, name in enumerate(kind.versions)],
    }


def _version(kind: registry.Kind, name: str, index: int) -> Schema:
    columns: list[Plain] = [
        {"name": title, "type": of, "jsonPath": path}
        for title, of, path in (*_COLUMNS.get(kind.kind, ()), _AGE)
    ]
    return {
        "name": name,
        "served": True,
        "storage": index == 0,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {
            "openAPIV3Schema": {
                "description": inspect.cleandoc(kind.spec.__doc__ or kind.kind),
                "type": "object",
                "required": ["spec"],
                "properties": {
                    **_described(_DOCUMENT),
                    "metadata": {
                        "type": "object"
                    },  # the API server describes it, and allows no text
                    "spec": spec_schema(kind),
                    "status": _status(kind.kind),
                },
            }
        },
    }


def _first_paragraph(kind: registry.Kind) -> str:
    return inspect.cleandoc(kind.spec.__doc__ or kind.kind).partition("\n\n")[0].replace("\n", " ")


def _structural(source: Mapping[str, Plain], definitions: Mapping[str, Plain]) -> Schema:
    """One schema in the form that Kubernetes accepts, without references."""
    schema = _resolved(source, definitions)
    branches = schema.pop("anyOf", None)
    if isinstance(branches, list):
        schema = {**_union(branches, definitions), **schema}
    result: Schema = {}
    if isinstance(schema.get("description"), str):
        result["description"] = inspect.cleandoc(str(schema["description"]))
    if "const" in schema:
        schema["enum"] = [schema["const"]]
    result.update({key: schema[key] for key in _COPIED if key in schema})
    for key in ("anyOf", "x-kubernetes-int-or-string"):
        if key in schema:
            result[key] = schema[key]
    if schema.get("default") is not None:
        result["default"] = _without_nulls(schema["default"])
    items, properties = schema.get("items"), schema.get("properties")
    if isinstance(items, dict):
        result["items"] = _structural(items, definitions)
    if isinstance(properties, dict) and properties:
        result["properties"] = {
            name: _structural(value, definitions)
            for name, value in properties.items()
            if isinstance(value, dict)
        }
        return result
    return result | _map(schema, definitions)


def _resolved(source: Mapping[str, Plain], definitions: Mapping[str, Plain]) -> Schema:
    """`source` with its `$ref` replaced by the definition it names; keys beside the `$ref` win."""
    schema = dict(source)
    reference = schema.pop("$ref", None)
    if isinstance(reference, str):
        target = definitions[reference.rpartition("/")[2]]
        if isinstance(target, dict):
            return {**_resolved(target, definitions), **schema}
    return schema


def _map(schema: Schema, definitions: Mapping[str, Plain]) -> Schema:
    """The part of a schema about keys and values of a map; a pattern of its keys becomes CEL."""
    patterns = schema.get("patternProperties")
    if isinstance(patterns, dict) and patterns:
        keys, values = next(iter(patterns.items()))
        rule = f"self.all(key, key.matches({json.dumps(keys)}))"
        rules: Schema = {
            "x-kubernetes-validations": [{"rule": rule, "message": f"the names must match {keys}"}]
        }
    else:
        values, rules = schema.get("additionalProperties"), {}
    if not isinstance(values, dict):
        return {}
    return {"additionalProperties": _structural(values, definitions), **rules}


def _union(branches: list[Plain], definitions: Mapping[str, Plain]) -> Schema:
    """The one schema for a choice: null is absence, words join, numbers and words are int-or-string."""
    members = [
        _resolved(branch, definitions)
        for branch in branches
        if isinstance(branch, dict) and branch.get("type") != "null"
    ]
    if len(members) == 1:
        return members[0]
    types = {str(member.get("type")) for member in members}
    if types == {"integer", "string"}:
        either: list[Plain] = [{"type": "integer"}, {"type": "string"}]
        return {"anyOf": either, "x-kubernetes-int-or-string": True}
    if types == {"string"}:
        pattern = "|".join(f"(?:{_pattern(m)})" for m in members)
        lengths = [n for m in members if isinstance(n := m.get("maxLength"), int)]
        return {"type": "string", "pattern": pattern, "maxLength": max(lengths, default=1024)}
    msg = f"no structural form for a choice of {sorted(types)}"
    raise ValueError(msg)


def _pattern(member: Schema) -> str:
    if "const" in member:
        text = "".join(f"\\{c}" if not c.isalnum() else c for c in str(member["const"]))
        return f"^{text}$"
    return str(member.get("pattern", ".*"))


def _without_nulls(value: Plain) -> Plain:
    """A default without the fields that are merely absent: null is no value of most types."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


_TEXT: Schema = {"type": "string"}
_HASH: Schema = {**_TEXT, "maxLength": 80}
_COUNT: Schema = {"type": "integer", "format": "int32", "minimum": 0}
_GENERATION: Schema = {"type": "integer", "format": "int64", "minimum": 0}
_NAMES: Schema = {"type": "array", "items": {"type": "string", "maxLength": 320}}

_Fields: TypeAlias = dict[str, tuple[Schema, str]]
"""Field name to its schema and its description."""

_STATUS: dict[str, _Fields] = {
    "Gate": {
        "wanted": (_HASH, "Hash of the configuration that the documents describe."),
        "active": (
            _HASH,
            "Hash of the configuration that every running gate has. Empty while they differ.",
        ),
        "ready": (_COUNT, "Number of gates that run the wanted configuration."),
        "gates": (_COUNT, "Number of gates."),
        "addresses": (_NAMES, "Addresses at which callers reach the gate."),
    },
    "HostGrant": {
        "namespaces": (_NAMES, "Namespaces that have this grant; the first hundred."),
        "matched": (_COUNT, "Number of namespaces that have this grant."),
    },
    "Model": {
        "gates": (_NAMES, "Gates on which a route reaches the model."),
        "eligible": (_NAMES, "Versions that may be served."),
        "served": (_NAMES, "Versions that answer requests."),
    },
    "ModelVersion": {"gates": (_NAMES, "Gates that serve the version.")},
    "Approval": {
        "subject": (_HASH, "Digest that the version has now. Empty if there is no such version.")
    },
    "AccessPolicy": {"models": (_NAMES, "Existing models that the policy applies to.")},
    "Rollout": {"versions": (_NAMES, "Versions of the Rollout that may be served.")},
}
"""Status fields of each kind besides conditions: the fields of `core.conditions` bodies."""

_DOCUMENT: _Fields = {
    "apiVersion": (_TEXT, "Version of the schema of this document: gatereeve.dev/v1alpha1."),
    "kind": (_TEXT, "Kind of this document."),
}
_CONDITION: _Fields = {
    "type": ({**_TEXT, "maxLength": 316}, "What the condition is about. Example: Accepted."),
    "status": (
        {**_TEXT, "enum": ["True", "False", "Unknown"]},
        "Whether the condition holds; Unknown if that cannot be decided.",
    ),
    "observedGeneration": (_GENERATION, "metadata.generation for which the condition was set."),
    "lastTransitionTime": (
        {**_TEXT, "format": "date-time"},
        "When the status of the condition last changed.",
    ),
    "reason": (
        {**_TEXT, "minLength": 1, "maxLength": 1024},
        "Reason for the status, in one word for programs.",
    ),
    "message": ({**_TEXT, "maxLength": 32768}, "Explanation for readers."),
}


def status_fields(kind: str) -> _Fields:
    """The fields of the status of a kind."""
    condition: Schema = {
        "type": "object",
        "required": ["type", "status", "lastTransitionTime", "reason", "message"],
        "properties": _described(_CONDITION),
    }
    conditions: Schema = {
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": condition,
    }
    return {
        "observedGeneration": (_GENERATION, "metadata.generation that this status describes."),
        "digest": (_TEXT, "Digest of the spec; an Approval refers to that of a ModelVersion."),
        **_STATUS.get(kind, {}),
        "conditions": (conditions, "State of the document, as Kubernetes conditions (KEP-1623)."),
    }


def _described(fields: _Fields) -> Schema:
    return {name: {**schema, "description": about} for name, (schema, about) in fields.items()}


def _status(kind: str) -> Schema:
    return {
        "description": "State of the document. Gatereeve writes it and never reads it.",
        "type": "object",
        "properties": _described(status_fields(kind)),
    }
