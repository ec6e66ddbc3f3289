"""Tables of values that are computed from other tables, key by key, and again only where an input changed.

A computation reads through a `Reader`, which notes every table and key that it hands out. What a
computation did not read it cannot depend on, so an input cannot be forgotten. Tables are updated in
the order in which they read each other; `begin` starts the next revision of all of them. Fresh
tables give the same rows, slower; a test says so. The rows of fresh tables stand in the order of their
keys, in every process; later ones come last, in any order. Holds no domain knowledge and does no I/O.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    ValuesView,
)
from collections.abc import Set as AbstractSet
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar, cast

K = TypeVar("K")
V = TypeVar("V")
G = TypeVar("G")
T = TypeVar("T")

_ABSENT: Final = object()
_EVERY_ROW: Final = object()
"""Stands for all keys of a table in the notes of what was read."""


def changed_keys(before: Mapping[K, V], after: Mapping[K, V]) -> set[K]:
    """The keys that came, went, or have another object as their value."""
    get = before.get
    changed = {key for key, value in after.items() if get(key, _ABSENT) is not value}
    if changed or len(before) != len(after):
        changed.update(before.keys() - after.keys())
    return changed


class Table(Generic[K, V]):
    """Rows by key.

    rows: the values now. changed: keys whose row came, went or became another value in this revision.
    """

    def __init__(self) -> None:
        self.rows: Mapping[K, V] = {}
        self.changed: set[K] = set()
        self._snapshot: Mapping[K, V] | None = None

    def begin(self) -> None:
        """Start the next revision."""
        if self.changed:
            self.changed = set()

    def snapshot(self) -> Mapping[K, V]:
        """The rows as they are now, in an object that later updates leave alone."""
        if self._snapshot is None or self.changed:
            self._snapshot = dict(self.rows)
        return self._snapshot


class Source(Table[K, V]):
    """Rows that come from outside. Values are compared by identity."""

    def update(self, rows: Mapping[K, V]) -> None:
        """Take over `rows`, which must not change afterwards."""
        if rows is not self.rows:
            self.changed |= changed_keys(self.rows, rows)
            self.rows = rows

    def patch(self, rows: Mapping[K, V]) -> None:
        """Take over these rows; all others stay."""
        self.changed |= {
            key for key, value in rows.items() if self.rows.get(key, _ABSENT) is not value
        }
        self.rows = {**self.rows, **rows}


class Values(Source[K, V]):
    """As `Source`, but values are compared with `==`, and of equal ones the old object stays."""

    def update(self, rows: Mapping[K, V]) -> None:
        """Take over `rows`, which must not change afterwards."""
        before = self.rows
        same = {key: before[key] for key, value in rows.items() if before.get(key) == value}
        super().update(before if len(same) == len(rows) == len(before) else {**rows, **same})


class Value(Table[str, V]):
    """A table with one row, which comes from outside. Compared with `==`."""

    def update(self, value: V) -> None:
        """Take over `value`."""
        if self.rows and (value is self.rows[""] or value == self.rows[""]):
            return
        self.rows = {"": value}
        self.changed.add("")

    @property
    def value(self) -> V:
        """The row."""
        return self.rows[""]


class Clock:
    """The instant of a revision, as far as computations ask whether a moment is over."""

    def __init__(self) -> None:
        self.at: datetime | None = None
        self.moments: set[datetime] = set()
        self.passed = Source[datetime, bool]()

    def update(self, at: datetime) -> None:
        """Move to `at`, which may also lie earlier."""
        self.at = at
        self.passed.update({moment: moment <= at for moment in self.moments})

    def is_past(self, moment: datetime) -> bool:
        """Whether `moment` is over; noted, so that the answer is compared at the next update."""
        answer = self.at is not None and moment <= self.at
        if moment not in self.moments:
            self.moments.add(moment)
            self.passed.rows = {**self.passed.rows, moment: answer}
        return answer


class Reader:
    """Hands out what a computation may read, and notes it."""

    __slots__ = ("reads",)

    def __init__(self) -> None:
        self.reads: list[tuple[Table[Any, Any], object]] = []

    def get(self, table: Table[K, V], key: K) -> V | None:
        """The row of `key`, or None."""
        self.reads.append((table, key))
        return table.rows.get(key)

    def row(self, table: Table[K, V], key: K) -> V:
        """The row of `key`, which is there."""
        self.reads.append((table, key))
        return table.rows[key]

    def value(self, table: Table[str, V]) -> V:
        """The only row of a table with one row."""
        self.reads.append((table, ""))
        return table.rows[""]

    def all(self, table: Table[K, V]) -> Mapping[K, V]:
        """Every row: any change of the table counts as a change."""
        self.reads.append((table, _EVERY_ROW))
        return table.rows

    def is_past(self, clock: Clock, moment: datetime) -> bool:
        """Whether `moment` is over."""
        answer = clock.is_past(moment)
        self.reads.append((clock.passed, moment))
        return answer

    def mapping(self, table: Table[K, V]) -> Mapping[K, V]:
        """The table as a mapping, for functions that look keys up in one."""
        return _Looked(self, table)


class _Looked(Mapping[K, V]):
    """A table behind a reader. Iteration reads every row."""

    __slots__ = ("_reader", "_table")

    def __init__(self, reader: Reader, table: Table[K, V]) -> None:
        self._reader = reader
        self._table = table

    def __getitem__(self, key: K) -> V:
        self._reader.reads.append((self._table, key))
        return self._table.rows[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._reader.all(self._table))

    def __len__(self) -> int:
        return len(self._reader.all(self._table))

    def keys(self) -> KeysView[K]:
        return self._reader.all(self._table).keys()

    def values(self) -> ValuesView[V]:
        return self._reader.all(self._table).values()

    def items(self) -> ItemsView[K, V]:
        return self._reader.all(self._table).items()


class Derived(Table[K, V]):
    """Values that are computed from other tables.

    compute: from a key and a reader. It must be pure, and read tables through the reader only. A new
    value that equals the old one counts as unchanged, and the old object stays.
    """

    def __init__(self, compute: Callable[[K, Reader], V]) -> None:
        super().__init__()
        self.rows: dict[K, V] = {}
        self._compute = compute
        self._readers: dict[Table[Any, Any], dict[object, object]] = {}

    def update(self, keys: Table[K, Any] | Collection[K]) -> None:
        """Compute what is new and what read something that changed; drop keys that are gone.

        keys: the keys that there are to be: those of a table, or a collection.
        """
        wanted = keys.rows.keys() if isinstance(keys, Table) else keys
        rows = self.rows
        if isinstance(keys, Table) and len(rows) + len(keys.changed) >= len(wanted) and rows:
            new = [key for key in keys.changed if key not in rows and key in wanted]
            gone = [key for key in keys.changed if key in rows and key not in wanted]
        else:
            same = isinstance(wanted, AbstractSet) and rows.keys() == wanted
            new = [] if same else [key for key in wanted if key not in rows]
            gone = (
                [] if len(rows) + len(new) == len(wanted) else [k for k in rows if k not in wanted]
            )
        for key in gone:
            del rows[key]
            self.changed.add(key)
        for key in self._affected().difference(new):
            if key in wanted:
                self._make(key)
        for key in new:
            self._make(key)

    def _affected(self) -> set[K]:
        affected: set[K] = set()
        for table, readers in self._readers.items():
            if not table.changed:
                continue
            every = readers.get(_EVERY_ROW)
            if every is not None:
                _collect(affected, every)
            for key in table.changed:
                if (of_key := readers.get(key)) is not None:
                    _collect(affected, of_key)
        return affected

    def _make(self, key: K) -> None:
        reader = Reader()
        value = self._compute(key, reader)
        for table, read in reader.reads:
            readers = self._readers.get(table)
            if readers is None:
                readers = self._readers[table] = {}
            known = readers.get(read, _ABSENT)
            if known is _ABSENT:
                readers[read] = key
            elif isinstance(known, set):
                known.add(key)
            elif known != key:
                readers[read] = {known, key}
        before = self.rows.get(key, _ABSENT)
        if before is _ABSENT or (before is not value and before != value):
            self.rows[key] = value
            self.changed.add(key)


class Computed(Derived[str, V]):
    """A table with one row, which is computed."""

    def __init__(self, compute: Callable[[Reader], V]) -> None:
        super().__init__(lambda _, read: compute(read))

    def update(self, keys: Table[str, Any] | Collection[str] = ("",)) -> None:
        """Compute the row if something changed that it read."""
        super().update(keys)

    @property
    def value(self) -> V:
        """The row."""
        return self.rows[""]


class Grouped(Table[G, tuple[T, ...]]):
    """What the rows of a table give, by group.

    split: from a row to pairs of group and item. A group's items come in the order of `order`, else in
    the order of the table's keys.
    """

    def __init__(
        self,
        source: Table[K, V],
        split: Callable[[V], Iterable[tuple[G, T]]],
        order: Callable[[T], Any] | None = None,
    ) -> None:
        super().__init__()
        self.rows: dict[G, tuple[T, ...]] = {}
        self._source = cast("Table[Any, Any]", source)
        self._split = cast("Callable[[Any], Iterable[tuple[G, T]]]", split)
        self._order = order
        self._groups: dict[object, tuple[G, ...]] = {}
        self._members: dict[G, dict[tuple[Any, int], T]] = {}
        self._is_begun = False

    def update(self) -> None:
        """Follow the changes of the source."""
        affected: dict[G, None] = {}
        rows = self._source.rows
        keys, self._is_begun = self._source.changed if self._is_begun else rows, True
        for key in keys:
            for number, group in enumerate(self._groups.pop(key, ())):
                members = self._members[group]
                del members[key, number]
                affected[group] = None
            if key in rows:
                pairs = tuple(self._split(rows[key]))
                if pairs:
                    self._groups[key] = tuple(group for group, _ in pairs)
                for number, (group, item) in enumerate(pairs):
                    self._members.setdefault(group, {})[key, number] = item
                    affected[group] = None
        for group in affected:
            self._settle(group)

    def _settle(self, group: G) -> None:
        members = self._members[group]
        if not members:
            del self._members[group]
            if self.rows.pop(group, None) is not None:
                self.changed.add(group)
            return
        items = [item for _, item in sorted(members.items(), key=itemgetter(0))]
        if self._order is not None:
            items.sort(key=self._order)
        value = tuple(items)
        if self.rows.get(group) != value:
            self.rows[group] = value
            self.changed.add(group)


class Ordered(Generic[K, V]):
    """What a function gives for each of some keys, in their order. Only changed keys are asked again."""

    def __init__(self, get: Callable[[K], V]) -> None:
        self._get = get
        self._keys: tuple[K, ...] = ()
        self._places: dict[K, int] = {}
        self.values: tuple[V, ...] = ()

    def update(self, keys: tuple[K, ...], changed: Collection[K]) -> None:
        """keys: the same object as before, as long as they are the same. changed: since then."""
        if keys is not self._keys:
            self._keys = keys
            self._places = {key: place for place, key in enumerate(keys)}
            self.values = tuple(map(self._get, keys))
        elif changed:
            values = list(self.values)
            for key in changed:
                if key in self._places:
                    values[self._places[key]] = self._get(key)
            self.values = tuple(values)


def _collect(affected: set[Any], readers: object) -> None:
    if isinstance(readers, set):
        affected |= readers
    else:
        affected.add(readers)


class Stage:
    """Tables that are attributes of one object."""

    def begin(self) -> None:
        """Start the next revision of all of them."""
        for table in vars(self).values():
            if isinstance(table, Table):
                table.begin()
            elif isinstance(table, Clock):
                table.passed.begin()
