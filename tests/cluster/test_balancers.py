"""Which Service gets which address: one each, for good, and a wish where it is free."""

from __future__ import annotations

from typing import Any

from tests.cluster import balancers


def service(name: str, *, has: str = "", wants: str = "") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "a", "name": name},
        "spec": {"loadBalancerIP": wants} if wants else {},
        "status": {"loadBalancer": {"ingress": [{"ip": has}] if has else []}},
    }


def test_each_gets_another_one_and_keeps_it() -> None:
    given = balancers.assignments([service("x"), service("y", has="10.240.1.1"), service("z")])

    assert given == {
        "/api/v1/namespaces/a/services/x": "10.240.1.2",
        "/api/v1/namespaces/a/services/z": "10.240.1.3",
    }


def test_a_wish_is_granted_where_it_is_free_and_ours_to_give() -> None:
    given = balancers.assignments(
        [
            service("x", wants="10.240.1.7"),
            service("y", wants="10.240.1.7"),
            service("z", wants="192.0.2.1"),
        ]
    )

    assert list(given.values()) == ["10.240.1.7", "10.240.1.1", "10.240.1.2"]


def test_when_all_are_given_the_next_one_waits() -> None:
    services = [service(f"s{number}") for number in range(300)]

    assert len(balancers.assignments(services)) == 254
