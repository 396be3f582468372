"""What a store must answer, by brute force over dicts: slow, plain, and sharing no code with one.

Every question of `storage/base.py` that has one right answer is answered here the way its
docstring reads. Where a store and this file differ, one of the two is wrong.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from fhir_server.storage.base import Conflict, GuardFailed
from fhir_server.storage.query import (
    AllOf,
    AnyOf,
    By,
    DriverIs,
    Guard,
    IdIs,
    IntervalIs,
    KeyHas,
    KeyIn,
    KeyIs,
    Not,
    Plan,
    Test,
    UpdatedIn,
)
from fhir_server.storage.versions import (
    NO_TERMS,
    Change,
    HistoryPosition,
    Key,
    Page,
    Position,
    Terms,
    Version,
)


@dataclass(frozen=True, slots=True)
class Row:
    version: Version
    terms: Terms


class Oracle:
    def __init__(self) -> None:
        self.resources: dict[tuple[str, str], list[Row]] = {}

    def get(self, type_: str, id_: str) -> Version | None:
        rows = self.resources.get((type_, id_))
        return rows[-1].version if rows else None

    def get_version(self, type_: str, id_: str, number: int) -> Version | None:
        rows = self.resources.get((type_, id_), [])
        return rows[number - 1].version if 1 <= number <= len(rows) else None

    def history(
        self,
        type_: str | None = None,
        id_: str | None = None,
        *,
        since: int | None = None,
        at: tuple[int, int] | None = None,
        after: HistoryPosition | None = None,
        limit: int = 50,
    ) -> Sequence[Version]:
        found: list[Version] = []
        for (of_type, of_id), rows in self.resources.items():
            if type_ not in {None, of_type} or id_ not in {None, of_id}:
                continue
            for number, row in enumerate(rows, 1):
                version = row.version
                superseded = rows[number].version.updated if number < len(rows) else None
                if since is not None and version.updated < since:
                    continue
                if at and version.updated > at[1]:
                    continue
                if at and superseded is not None and superseded <= at[0]:
                    continue
                if after is None or _place(version) < after:
                    found.append(version)
        return sorted(found, key=_place, reverse=True)[:limit]

    def commit(self, changes: Sequence[Change], guards: Sequence[Guard] = ()) -> None:
        for index, guard in enumerate(guards):
            ids = {row.version.id for row in self._matching(guard.plan)}
            if ids != guard.expected:
                raise GuardFailed(index)
        taken: set[int] = set()
        for index, change in enumerate(changes):
            if not self._follows(change.version) or change.version.ordinal in taken:
                raise Conflict(index)
            taken.add(change.version.ordinal)
        for change in changes:
            version = change.version
            terms = NO_TERMS if version.content is None else change.terms
            self.resources.setdefault((version.type, version.id), []).append(Row(version, terms))

    def find(self, plan: Plan) -> Page:
        def place(row: Row) -> Position:
            return _position(plan, row)

        rows = sorted(self._matching(plan), key=place, reverse=plan.order.descending)
        if plan.after is not None:
            after, down = plan.after, plan.order.descending
            rows = [row for row in rows if (place(row) < after if down else place(row) > after)]
        shown = rows[: plan.limit]
        more = len(rows) > len(shown) and bool(shown)
        versions, first = [row.version for row in shown], place(shown[0]) if shown else None
        return Page(versions, place(shown[-1]) if more else None, first)

    def find_ids(self, plan: Plan) -> Sequence[str]:
        return [version.id for version in self.find(plan).versions]

    def find_keys(self, plan: Plan, low: bytes, high: bytes) -> Sequence[bytes]:
        """All of them, whatever the limit."""
        carried = {key for row in self._matching(plan) for key in row.terms.keys}
        return sorted(key for key in carried if isinstance(key, bytes) and low <= key < high)

    def count(self, plan: Plan, cap: int | None = None) -> tuple[int, bool]:
        number = len(self._matching(plan))
        return (number, True) if cap is None or number <= cap else (cap, False)

    def scan(self, type_: str, after: str = "", limit: int = 1000) -> Sequence[Version]:
        rows = [row for row in self._live(type_) if row.version.id > after]
        return sorted((row.version for row in rows), key=lambda version: version.id)[:limit]

    def counts(self) -> Mapping[str, int]:
        numbers = {type_: len(self._live(type_)) for type_, _ in self.resources}
        return {type_: number for type_, number in numbers.items() if number}

    def retag(self, changes: Sequence[Change]) -> int:
        done = 0
        for change in changes:
            rows = self.resources.get((change.version.type, change.version.id))
            current = rows[-1].version if rows else None
            wanted = (change.version.number, change.version.ordinal)
            if rows and current and (current.number, current.ordinal) == wanted:
                terms = NO_TERMS if current.content is None else change.terms
                rows[-1] = Row(current, terms)
                done += 1
        return done

    def purge(self, type_: str, id_: str) -> bool:
        return self.resources.pop((type_, id_), None) is not None

    def _live(self, type_: str) -> list[Row]:
        current = [rows[-1] for (name, _), rows in self.resources.items() if name == type_]
        return [row for row in current if row.version.content is not None]

    def _matching(self, plan: Plan) -> list[Row]:
        tests = (*plan.tests, *([plan.drive] if plan.drive is not None else []))
        return [row for row in self._live(plan.type) if all(holds(test, row) for test in tests)]

    def _follows(self, version: Version) -> bool:
        rows = self.resources.get((version.type, version.id))
        if not rows:
            others = {rows[0].version.ordinal for rows in self.resources.values()}
            return version.number == 1 and version.ordinal not in others
        current = rows[-1].version
        return (version.number, version.ordinal) == (current.number + 1, current.ordinal)


def holds(test: Test, row: Row) -> bool:
    """Whether the test is true of the version and its terms."""
    return _MEANINGS[type(test)](test, row)


def _place(version: Version) -> HistoryPosition:
    return HistoryPosition(version.updated, version.ordinal, version.number)


def _position(plan: Plan, row: Row) -> Position:
    version = row.version
    values: dict[By, int | str] = {
        By.ORDINAL: version.ordinal,
        By.START: row.terms.start,
        By.UPDATED: version.updated,
        By.ID: version.id,
    }
    return Position(values[plan.order.by], version.ordinal)


def _same_kind(keys: Iterable[Key], kind: Key) -> Iterable[Key]:
    return (key for key in keys if isinstance(key, type(kind)))


def _key_has(test: KeyHas, row: Row) -> bool:
    texts = [key for key in row.terms.keys if isinstance(key, str)]
    return any(
        text.startswith(test.beginning) and test.part in text[len(test.beginning) :]
        for text in texts
    )


def _key_in(test: KeyIn, row: Row) -> bool:
    keys = _same_kind(row.terms.keys, test.low)
    return any(test.low <= key < test.high for key in keys)  # type: ignore[operator]  # of one kind


def _driver_is(test: DriverIs, row: Row) -> bool:
    terms = row.terms
    carried = any(driver in test.drivers for driver in terms.drivers)
    started = test.start[0] <= terms.start <= test.start[1]
    return carried and started and test.end[0] <= terms.end <= test.end[1]


def _interval_is(test: IntervalIs, row: Row) -> bool:
    return any(
        test.key[0] <= key <= test.key[1]
        and test.low[0] <= low <= test.low[1]
        and test.high[0] <= high <= test.high[1]
        for key, low, high in row.terms.intervals
    )


_MEANINGS = cast(
    "dict[type, Callable[[Test, Row], bool]]",
    {
        KeyIs: lambda test, row: any(key in test.keys for key in row.terms.keys),
        KeyIn: _key_in,
        KeyHas: _key_has,
        DriverIs: _driver_is,
        IntervalIs: _interval_is,
        IdIs: lambda test, row: row.version.id in test.ids,
        UpdatedIn: lambda test, row: test.low <= row.version.updated < test.high,
        Not: lambda test, row: not holds(test.test, row),
        AnyOf: lambda test, row: any(holds(part, row) for part in test.tests),
        AllOf: lambda test, row: all(holds(part, row) for part in test.tests),
    },
)
