"""What `make conformance` makes of a report and a log: nothing that failed, or never ran, passes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml

from tests.cluster import conformance

MISS = next(iter(conformance.MISSES))


def report(
    *,
    passed: int = 1,
    failed: tuple[str, ...] = (MISS,),
    extended: Mapping[str, object] | None = None,
) -> str:
    core = {"failedTests": list(failed), "statistics": {"Passed": passed, "Failed": len(failed)}}
    more = {"statistics": {"Passed": 1}, "supportedFeatures": list(conformance.EXTENDED)}
    profile = {"name": conformance.PROFILE, "core": core, "extended": more | dict(extended or {})}
    return yaml.safe_dump({"profiles": [profile]})


def log(**results: str) -> str:
    return "".join(
        f"    --- {word}: TestConformance/{name} (0.10s)\n"
        f"        --- {word}: TestConformance/{name}/0_request (0.10s)\n"
        for name, word in results.items()
    )


GOOD = log(**{MISS: "FAIL", "Simple": "PASS", "Claimed": "PASS"})


def test_what_was_to_be_expected_is() -> None:
    assert conformance.judge(report(), GOOD) == []


def test_a_parallel_test_that_fails_after_the_report_is_not_passed() -> None:
    said = conformance.judge(report(), GOOD.replace("PASS: TestConformance/Claimed", "FAIL: TestConformance/Claimed"))  # fmt: skip
    assert said == ["Claimed failed", "the report counts 2 tests as passed, and 1 did"]


def test_a_suite_that_ends_before_its_parallel_tests_is_noticed() -> None:
    said = conformance.judge(report(), log(**{MISS: "FAIL", "Simple": "PASS"}))
    assert said == ["the report counts 2 tests as passed, and 1 did"]


def test_a_miss_that_passes_is_to_be_taken_from_the_list() -> None:
    said = conformance.judge(report(passed=2, failed=()), GOOD.replace("FAIL", "PASS"))
    assert said == [f"{MISS} passed: take it from MISSES"]


@pytest.mark.parametrize(
    ("extended", "said"),
    [
        ({"skippedTests": ["Claimed"]}, "Claimed was skipped"),
        ({"failedTests": ["Claimed"]}, "Claimed failed"),
        (
            {"supportedFeatures": list(conformance.EXTENDED[1:])},
            f"{conformance.EXTENDED[0]} is claimed, and was not tested",
        ),
    ],
)
def test_what_an_extended_part_must_not_say(extended: dict[str, object], said: str) -> None:
    assert said in conformance.judge(report(extended=extended), GOOD)


def test_a_report_without_an_extended_part_proves_no_claim() -> None:
    found = yaml.safe_load(report())
    del found["profiles"][0]["extended"]
    said = conformance.judge(yaml.safe_dump(found), GOOD)
    assert "there is no extended part" in said
    assert f"{conformance.EXTENDED[0]} is claimed, and was not tested" in said
