"""Golden folders: `in.yaml` compiles to `findings.yaml`, `ir.yaml` and, where they are there,
`statuses.yaml` (what `kubectl` would show once every gate runs it) and parts of what Envoy gets:
`envoy-hosts.yaml` (virtual hosts that documents ask for), `envoy-listeners.yaml`, `envoy-clusters.yaml`.

One folder per case, `tests/golden/<feature>/<case>/`; the first line of `in.yaml` says what it
shows, the second may name documents of `shared/` that belong to it. `make golden` rewrites.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatereeve import statuses
from gatereeve.api import parse
from gatereeve.cli.check import to_json
from gatereeve.compile import compiler
from gatereeve.runtime.dump import dump_envoy, dump_ir
from gatereeve.sources.store import assemble
from tests.support.golden import texts_of
from tests.support.statuses import dump, settled

HERE = Path(__file__).parent
CASES = sorted(
    path.parent
    for path in HERE.glob("*/*/in.yaml")
    if path.parent.parent.name not in ("audit", "guards")
)
AT = datetime(2026, 11, 1, tzinfo=UTC)


def hosts_of(dump: dict[str, Any]) -> dict[str, Any]:
    """By route configuration, its virtual hosts; not those that every gate has for unknown hosts."""
    return {
        name: configuration["virtual_hosts"]
        for name, configuration in dump["RDS"].items()
        if not name.endswith("/wild")
    }


ENVOY: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "hosts": hosts_of,
    "listeners": lambda dump: {
        "https": dump["LDS"]["https"]
    },  # that of plain HTTP has the same filters
    "clusters": lambda dump: dump["CDS"],
}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.parent.name}/{c.name}")
def test_golden(case: Path, *, update_golden: bool) -> None:
    parts = [parse.parse_text(text, name) for name, text in texts_of(case).items()]
    world = assemble(parts, at=AT)
    compiled = compiler.compile(world)
    found = {
        "findings.yaml": yaml.safe_dump(
            [{k: v for k, v in to_json(f).items() if v is not None} for f in compiled.findings],
            sort_keys=False,
            width=120,
        ),
        "ir.yaml": "".join(dump_ir(gate) for gate in compiled.ir.gates),
    }
    for part, select in ENVOY.items():
        if (case / f"envoy-{part}.yaml").exists():
            gates = [yaml.load(dump_envoy(g), yaml.CSafeLoader) for g in compiled.ir.gates]
            found[f"envoy-{part}.yaml"] = yaml.dump_all(
                map(select, gates), Dumper=yaml.CSafeDumper, sort_keys=False, width=120
            )
    if (case / "statuses.yaml").exists():
        told = statuses.derive(world, compiled, settled(compiled))
        found["statuses.yaml"] = dump(told)
    for name, actual in found.items():
        path = case / name
        if update_golden:
            path.write_text(actual)
        assert path.exists(), f"{path} is missing; `make golden` writes it"
        assert actual == path.read_text(), f"{path} differs; `make golden` and read the diff"


def test_there_are_cases() -> None:
    assert CASES
