"""What the Helm chart takes from the code, and the reference page of its values.

The definitions and the controllers' rights are copied into the chart, because Helm reads nothing
outside of it. The page is made from the comments of values.yaml and the types of its schema.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from gatereeve.api import registry
from gatereeve.api.crd import crds
from gatereeve.runtime import manifests as plain
from gatereeve.sources.kube import rights

CHART = Path("deploy/chart/gatereeve")
MANIFESTS = Path("src/gatereeve/runtime/manifests.yaml")
_NOTE = "# Generated from src/gatereeve/sources/kube/rights.py by `make generate`; do not edit.\n"


def files() -> Iterator[tuple[Path, str]]:
    """(path below the root, text) of what the chart takes from the code."""
    for name, text in crds().items():
        yield CHART / "crds" / name, text
    everywhere, within = split(rights.cluster_rules())
    yield CHART / "files" / "cluster-rules.yaml", _rules(everywhere)
    yield CHART / "files" / "document-rules.yaml", _rules(within)
    yield CHART / "files" / "namespace-rules.yaml", _rules(rights.own_namespace_rules())


def split(rules: Iterable[rights.RbacRule]) -> tuple[list[rights.RbacRule], list[rights.RbacRule]]:
    """What must be granted in the whole cluster, and what can be granted in single namespaces.

    Events stay in the whole cluster: those about cluster kinds are written to `default`.
    """
    namespaced = {kind.plural for kind in registry.KINDS if kind.namespaced}
    parts: tuple[list[rights.RbacRule], list[rights.RbacRule]] = ([], [])
    for rule in rules:
        for inside in (False, True):
            names = [n for n in rule.resources if (n.partition("/")[0] in namespaced) is inside]
            if names:
                parts[inside].append(replace(rule, resources=tuple(names)))
    return parts


def _rules(rules: Iterable[rights.RbacRule]) -> str:
    """PolicyRules, each under the reason for it."""
    lines = [f"# {rule.why}\n- {json.dumps(rule.as_object())}\n" for rule in rules]
    return _NOTE + "".join(lines)


def manifests(root: Path, helm: Path) -> str:
    """What `gatereeve install manifests` prints, with words for what an installer chooses."""
    repository, _, tag = plain.IMAGE.partition(":")
    values = {
        "image": {"repository": repository, "tag": tag},
        "namespace": {"create": True},
        "gates": [{"name": plain.GATE}],
    }
    rendered = subprocess.run(  # noqa: S603 - Helm, and arguments of ours
        [
            *(str(helm), "template", "gatereeve", str(root / CHART), "--namespace", plain.NAMESPACE),
            *("--api-versions", "gateway.networking.k8s.io/v1/GatewayClass", "--values", "-"),
        ],
        input=json.dumps(values), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    lines = [
        line
        for line in rendered.splitlines()
        if line.strip() and line.strip() != "app.kubernetes.io/managed-by: Helm"
        and not line.startswith("# Source: ")
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def page(root: Path) -> str:
    """The reference page: every value with its type, its default and what values.yaml says of it."""
    text = (root / CHART / "values.yaml").read_text()
    schema = json.loads((root / CHART / "values.schema.json").read_text())
    comments, values = comments_of(text), yaml.safe_load(text)
    lines = [
        "# Helm chart: values\n",
        "Every value of `deploy/chart/gatereeve`, as in its `values.yaml`. Unknown keys and wrong types are",
        "refused by `values.schema.json` before anything is rendered.",
        "How to install, upgrade and remove: [install](../how-to/install.md).\n",
        "| value | type | default | what it says |\n|---|---|---|---|",
    ]
    lines += [
        f"| `{path}` | {_type(at(schema, path), schema)} | {_default(value)} | {comments.get(path, '')} |"
        for path, value in leaves(values, schema)
        if path in comments
    ]
    return "\n".join(lines) + "\n"


def comments_of(text: str) -> Mapping[str, str]:
    """Dotted path of a key to the comment right above it. Keys within a list have none."""
    found: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    above: list[str] = []
    for line in text.splitlines():
        comment = re.match(r" *# ?(.*)", line)
        key = re.match(r"( *)([A-Za-z]+):", line)
        if comment:
            above.append(comment[1])
            continue
        if key:
            indent = len(key[1])
            stack = [entry for entry in stack if entry[0] < indent]
            stack.append((indent, key[2]))
            if above:
                found[".".join(name for _, name in stack)] = " ".join(above)
        above = []
    return found


def leaves(
    values: Mapping[str, object], schema: Mapping[str, object], path: str = ""
) -> Iterator[tuple[str, object]]:
    """Every value that can be set by itself, in order, and the parts that hold several."""
    for name, value in values.items():
        here = f"{path}.{name}" if path else name
        yield here, value
        if isinstance(value, dict) and _properties(at(schema, here), schema):
            yield from leaves(value, schema, here)


def at(schema: Mapping[str, object], path: str) -> Mapping[str, object]:
    """The schema of one value. Raises KeyError for a path that it does not know."""
    found = schema
    for name in path.split("."):
        found = _properties(found, schema)[name]
    return found


def _properties(
    part: Mapping[str, object], schema: Mapping[str, object]
) -> dict[str, Mapping[str, object]]:
    properties = _resolved(part, schema).get("properties", {})
    assert isinstance(properties, dict)
    return properties


def _resolved(part: Mapping[str, object], schema: Mapping[str, object]) -> Mapping[str, object]:
    pointer = part.get("$ref")
    if not isinstance(pointer, str):
        return part
    found: object = schema
    for name in pointer.removeprefix("#/").split("/"):
        assert isinstance(found, dict)
        found = found[name]
    assert isinstance(found, dict)
    return found


def _type(part: Mapping[str, object], schema: Mapping[str, object]) -> str:
    part = _resolved(part, schema)
    if "enum" in part:
        choices = part["enum"]
        assert isinstance(choices, list)
        return " · ".join(f"`{choice}`" for choice in choices)
    if "anyOf" in part:
        return "string"
    kind = str(part["type"])
    if kind == "array":
        items = part["items"]
        assert isinstance(items, dict)
        return f"list of {_type(items, schema)}s"
    if kind == "object" and isinstance(part.get("additionalProperties"), dict):
        return "map"
    return kind


def _default(value: object) -> str:
    if isinstance(value, dict) and value and not all(_is_flat(v) for v in value.values()):
        return ""
    return f"`{json.dumps(value)}`"


def _is_flat(value: object) -> bool:
    return not isinstance(value, dict | list)
