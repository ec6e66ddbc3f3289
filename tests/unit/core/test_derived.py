"""Tables compute again what read something that changed, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gatereeve.core.derived import Clock, Computed, Derived, Grouped, Ordered, Reader, Source, Stage

AT = datetime(2026, 11, 1, tzinfo=UTC)


class Prices(Stage):
    """Each cart costs what its fruits cost; a fruit without a price costs nothing."""

    def __init__(self) -> None:
        self.prices = Source[str, str]()
        self.carts = Source[str, str]()
        self.costs = Derived(self._cost)
        self.by_cost = Grouped(self.costs, lambda cost: [(cost % 2 == 0, cost)])
        self.total = Computed(lambda read: sum(read.all(self.costs).values()))
        self.computed: list[str] = []

    def update(self, prices: dict[str, str], carts: dict[str, str]) -> None:
        self.begin()
        self.prices.update(prices)
        self.carts.update(carts)
        self.costs.update(self.carts)
        self.by_cost.update()
        self.total.update()

    def _cost(self, key: str, read: Reader) -> int:
        self.computed.append(key)
        return sum(int(read.get(self.prices, fruit) or 0) for fruit in read.row(self.carts, key))


def test_only_what_read_a_changed_row_is_computed_again() -> None:
    shop = Prices()
    carts = {"one": "ab", "two": "bc", "three": "d"}
    shop.update({"a": "1", "b": "2"}, carts)
    assert shop.costs.rows == {"one": 3, "two": 2, "three": 0}
    shop.computed.clear()
    shop.update({"a": "5", "b": "2"}, carts)
    assert shop.computed == ["one"]
    assert shop.costs.changed == {"one"}
    assert shop.total.value == 9


def test_a_row_that_was_missing_when_it_was_read_counts() -> None:
    shop = Prices()
    carts = {"three": "d"}
    shop.update({}, carts)
    shop.update({"d": "7"}, carts)
    assert shop.costs.rows == {"three": 7}


def test_an_equal_value_stops_a_change() -> None:
    shop = Prices()
    carts = {"one": "ab"}
    shop.update({"a": "1", "b": "2"}, carts)
    shop.update({"a": "2", "b": "1"}, carts)
    assert shop.costs.changed == set()
    assert shop.total.changed == set()


def test_rows_that_are_gone_leave_their_groups() -> None:
    shop = Prices()
    shop.update({"a": "1", "b": "2"}, {"one": "a", "two": "b"})
    assert shop.by_cost.rows == {False: (1,), True: (2,)}
    shop.update({"a": "1", "b": "2"}, {"two": "b"})
    assert shop.by_cost.rows == {True: (2,)}
    assert shop.by_cost.changed == {False}


def test_a_snapshot_does_not_change() -> None:
    shop = Prices()
    shop.update({"a": "1"}, {"one": "a"})
    before = shop.costs.snapshot()
    shop.update({"a": "2"}, {"one": "a"})
    assert before == {"one": 1}
    assert shop.costs.snapshot() == {"one": 2}
    shop.update({"a": "2"}, {"one": "a"})
    assert shop.costs.snapshot() is shop.costs.snapshot()


def test_the_rows_of_fresh_tables_stand_in_the_order_of_their_keys() -> None:
    """Not in that of a set, which differs from process to process."""
    words = Source[str, str]()
    words.update({f"w{(n * 7) % 50}": "" for n in range(50)})
    derived = Derived[str, tuple[str, str]](lambda key, read: (key, read.row(words, key)))
    derived.update(words)
    grouped: Grouped[str, str] = Grouped(derived, lambda row: [(row[0], row[0])])
    grouped.update()
    again = Derived[str, tuple[str, ...]](lambda key, read: read.row(grouped, key))
    again.update(grouped)
    assert list(derived.rows) == list(grouped.rows) == list(again.rows) == list(words.rows)


def test_a_moment_that_passes_is_a_change() -> None:
    clock, computed = Clock(), []

    def is_over(key: str, read: Reader) -> bool:
        computed.append(key)
        return read.is_past(clock, AT + timedelta(hours=int(key)))

    over = Derived(is_over)
    for hours, expected, again in ((0, [], ["1", "2"]), (1, ["1"], ["1"]), (3, ["1", "2"], ["2"])):
        clock.passed.begin()
        over.begin()
        computed.clear()
        clock.update(AT + timedelta(hours=hours))
        over.update(("1", "2"))
        assert sorted(key for key, value in over.rows.items() if value) == expected
        assert sorted(computed) == again


fruits = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"))
carts = st.dictionaries(st.sampled_from(["one", "two", "three"]), st.text("abcd", max_size=3))


@given(st.lists(st.tuples(fruits, carts), min_size=1, max_size=6))
def test_fresh_tables_give_the_same_rows(
    revisions: list[tuple[dict[str, str], dict[str, str]]],
) -> None:
    shop = Prices()
    for prices, baskets in revisions:
        shop.update(prices, baskets)
        fresh = Prices()
        fresh.update(prices, baskets)
        assert shop.costs.rows == fresh.costs.rows
        assert shop.by_cost.rows == fresh.by_cost.rows
        assert shop.total.value == fresh.total.value
        assert shop.costs.snapshot() == fresh.costs.rows


def test_ordered_values_follow_their_keys_and_what_changed() -> None:
    rows = {"a": 1, "b": 2}
    asked: list[str] = []

    def get(key: str) -> int:
        asked.append(key)
        return rows[key]

    ordered = Ordered(get)
    keys = ("b", "a")
    ordered.update(keys, set())
    assert ordered.values == (2, 1)
    before = ordered.values
    ordered.update(keys, set())
    assert ordered.values is before
    rows["a"] = 3
    asked.clear()
    ordered.update(keys, {"a", "gone"})
    assert (ordered.values, asked) == ((2, 3), ["a"])
    ordered.update(("a",), set())
    assert list(ordered.values) == [3]


def test_a_grouped_table_without_groups_looks_at_rows_once() -> None:
    source = Source[str, int]()
    looked: list[int] = []

    def split(row: int) -> list[tuple[str, int]]:
        looked.append(row)
        return []

    grouped: Grouped[str, int] = Grouped(source, split)
    source.update({"a": 1, "b": 2})
    grouped.update()
    source.begin()
    grouped.begin()
    source.patch({"b": 3})
    grouped.update()
    assert (looked, grouped.rows) == ([1, 2, 3], {})
    assert source.rows == {"a": 1, "b": 3}
