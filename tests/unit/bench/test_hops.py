"""The hops of a change are measured on a change that really changes what is sent."""

from __future__ import annotations

from bench import hops


def test_a_change_of_one_policy_is_followed_through_the_hops() -> None:
    found = hops.measure(3)
    assert found["resources"] >= 1
    assert found["bytes"] > 0
    assert min(found["read"], found["compile"], found["build"]) > 0
