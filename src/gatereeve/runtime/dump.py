"""IR and Envoy configuration as YAML for people, with every secret redacted."""

from __future__ import annotations

import dataclasses

import yaml

from gatereeve.core import canonical
from gatereeve.ir.gates import Gate
from gatereeve.proxy import configuration

_SECRET_FIELDS = frozenset({"secret", "key"})
_PEM_FIELDS = frozenset({"chain", "ca"})


def dump_ir(gate: Gate) -> str:
    """One gate in our own words; defaults (None, empty, False) left out."""
    return yaml.dump(
        _plain(gate), Dumper=yaml.CSafeDumper, sort_keys=False, width=120, allow_unicode=True
    )


def dump_envoy(gate: Gate) -> str:
    """One gate as the xDS resources that its Envoy gets."""
    return configuration.dump(gate)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain: dict[str, object] = {}
        kind = type(value).__name__
        if kind in _TAGGED:
            plain["is"] = kind
        for item in dataclasses.fields(value):
            part = getattr(value, item.name)
            if item.name == "origin":
                plain["origin"] = str(part)
            elif item.name in _SECRET_FIELDS and not item.repr:
                plain[item.name] = "(redacted)"
            elif item.name in _PEM_FIELDS and isinstance(part, str):
                plain[item.name] = f"(PEM, {canonical.sha256(part.encode())})"
            elif part not in (None, (), "", False) and part != item.default:
                plain[item.name] = _plain(part)
        return plain
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


_TAGGED = frozenset(
    {
        "Forward", "Redirect", "Refuse", "IsPrincipal", "InGroup", "FromProvider", "IsAnonymous",
        "StickyHeader", "StickyPrincipal", "StickyAddress", "ClaimSource", "HeaderSource", "CidrSource",
    }
)  # fmt: skip
"""Types that stand beside others in one place, so the dump says which one it is."""
