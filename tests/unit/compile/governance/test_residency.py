"""One stage by itself: the residency of a Model and its versions to classes of callers."""

from __future__ import annotations

import pytest

from gatereeve.compile.governance.model_policy import Candidate, LawfulClass, lawful_classes
from tests.support.routes import at, version
from tests.support.worlds import world_of

MODEL = """
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: credit, namespace: shop}
spec: {owner: olga, purpose: credit, riskClass: minimal, protocol: json, residency: RESIDENCY}
"""
GROUPS = {"eu": ("de", "fr")}
REGIONS = {"1": "de", "2": "fr", "3": "us"}


def classes(residency: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    world = world_of(
        MODEL.replace("RESIDENCY", residency),
        *(version("credit", v, at(f"10.0.0.{v}"), ns="shop") for v in REGIONS),
    )
    candidates = tuple(
        Candidate(version=doc.spec.version, region=REGIONS[doc.spec.version], doc=doc, endpoints=())
        for _, doc in sorted(world.model_versions.items())
    )
    made = lawful_classes(world.models["shop", "credit"], candidates, GROUPS)
    assert all(isinstance(one, LawfulClass) for one in made)
    return [(one.regions, one.versions) for one in made]


EVERY, NONE = ("1", "2", "3"), ((), ())


@pytest.mark.parametrize(
    ("residency", "expected"),
    [
        ("[]", [((), EVERY)]),
        ("[{from: [de], process: [de]}]", [(("de",), ("1",)), NONE]),
        ("[{from: [eu], process: [eu]}]", [(("de", "eu", "fr"), ("1", "2")), NONE]),
        ("[{from: [de], process: [jp]}]", [(("de",), ()), NONE]),
        ("[{from: ['*'], process: [us]}]", [((), ("3",))]),
        ("[{from: [de], process: [de]}, {from: ['*'], process: [us]}]",
         [(("de",), ("1",)), ((), ("3",))]),
        ("[{from: [de, '*'], process: [de]}]", [(("de",), ("1",)), ((), ("1",))]),
        ("[{from: ['*'], process: [us]}, {from: [de], process: [de]}]", [((), ("3",))]),
    ],
)  # fmt: skip
def test_classes_in_order(
    residency: str, expected: list[tuple[tuple[str, ...], tuple[str, ...]]]
) -> None:
    assert classes(residency) == expected
