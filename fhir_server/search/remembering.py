"""Remembering: what an element gives, looked up by what it says.

Records repeat themselves: the same codes, units, references and dates come again and again. To
write a small element as JSON and look that up takes a fraction of the time of indexing it for
each of its parameters. What an element gives must depend on nothing else.
"""

from collections.abc import Callable
from typing import Any, Final
from weakref import WeakSet

import msgspec

from fhir_server.search.gathering import Gathered, Visit
from fhir_server.storage.versions import Interval, Key

_REMEMBERED: Final = 16_384
"""Elements remembered by all parameters together: about as many kilobytes."""
_LONGEST: Final = 500
"""Bytes of an element that is remembered."""
_LITTLE: Final = 100
"""Elements after which it shows whether remembering helps."""

_said = msgspec.json.Encoder(decimal_format="number").encode

_Further = tuple[list[str], list[Key], list[Key]]
"""Members, codes and categories."""
_Given = tuple[list[Key], list[Interval], _Further | None]
"""What one element gives."""


class Memory:
    """What elements give, for all walks of one indexer. It forgets everything when it is full."""

    def __init__(self, most: int = _REMEMBERED) -> None:
        self._most = most
        self._size = 0
        self._places = WeakSet[_Place]()

    def of_each(self, visit: Visit) -> Visit:
        """The same for a member's value, an array or not, whose elements `visit` knows."""
        place = _Place(visit, self._make_room)
        self._places.add(place)
        return place.recall

    def _make_room(self) -> None:
        """For one element more."""
        if self._size >= self._most:
            for place in self._places:
                place.forget()
            self._size = 0
        self._size += 1


class _Place:
    """One place of a walk, and what was met there."""

    __slots__ = ("__weakref__", "_helps", "_hits", "_known", "_make_room", "_misses", "_visit")

    def __init__(self, visit: Visit, make_room: Callable[[], None]) -> None:
        self._visit = visit
        self._make_room = make_room
        self._known: dict[bytes | str, _Given] = {}
        self.forget()

    def forget(self) -> None:
        self._known.clear()
        self._hits = self._misses = 0
        self._helps = True

    def recall(self, value: Any, gathered: Gathered) -> None:
        """Collect what each element gives; visit those that are not known."""
        known, helps = self._known.get, self._helps
        for item in value if type(value) is list else (value,):
            if not helps:
                self._visit(item, gathered)
                continue
            try:
                said = item if type(item) is str else _said(item)
            except (ValueError, TypeError, RecursionError):  # no JSON, which no store keeps
                self._visit(item, gathered)
                continue
            given = known(said)
            if given is None:
                self._meet(item, said, gathered)
                continue
            self._hits += 1
            keys, intervals, further = given
            gathered.keys += keys
            if intervals:
                gathered.intervals += intervals
            if further:
                _add(further, gathered)

    def _meet(self, item: Any, said: bytes | str, gathered: Gathered) -> None:
        """Visit an element; where remembering helps, know it from now on.

        It does not at identifiers and the like, of which hardly one comes again.
        """
        if not self._helps or len(said) > _LONGEST:
            self._visit(item, gathered)
            return
        self._make_room()
        self._known[said] = _visited(item, self._visit, gathered)
        self._misses += 1
        if self._misses > _LITTLE and self._misses > 2 * self._hits:
            self._known.clear()
            self._helps = False


def _visited(item: Any, visit: Visit, gathered: Gathered) -> _Given:
    """Visit an element, and tell what it gave."""
    keys, intervals = gathered.keys, gathered.intervals
    members, codes, categories = gathered.members, gathered.codes, gathered.categories
    k, i, m, c, g = len(keys), len(intervals), len(members), len(codes), len(categories)
    visit(item, gathered)
    further = (members[m:], codes[c:], categories[g:])
    return keys[k:], intervals[i:], further if any(further) else None


def _add(further: _Further, gathered: Gathered) -> None:
    members, codes, categories = further
    gathered.members += members
    gathered.codes += codes
    gathered.categories += categories
