"""Remembering: what elements give, looked up by what they say.

Records repeat themselves: the same codes, units, references and dates come again and again. To
write a small element as JSON and look that up takes a fraction of the time of indexing it for
each of its parameters. What elements give must depend on nothing else.

Nothing depends on what is remembered: what is not known is looked at. A place where hardly
anything comes again is found out, and no longer remembers.
"""

from collections.abc import Callable
from typing import Any, Final
from weakref import WeakSet

import msgspec

from fhir_server.search.gathering import Gathered, Visit
from fhir_server.storage.versions import Interval, Key

_REMEMBERED: Final = 16 * 1024 * 1024
"""Bytes of all that is remembered together, roughly."""
_ENTRY: Final = 400
"""Bytes of what is known of one element, beside what it says and gives."""
_TERM: Final = 50
"""Bytes of one key or interval."""
_LONGEST: Final = 1000
"""Bytes of an element that is remembered."""
_LITTLE: Final = 100
"""Elements after which it shows whether remembering helps."""

_said = msgspec.json.Encoder(decimal_format="number").encode

_Further = tuple[list[str], list[Key], list[Key]]
"""Members, codes and categories."""
_Given = tuple[list[Key], list[Interval], _Further | None]
"""What one element gives, or several together."""


class Memory:
    """What elements give, for all walks of one indexer. It forgets everything when it is full."""

    def __init__(self, most: int = _REMEMBERED) -> None:
        self._most = most
        self._size = 0
        self._places = WeakSet[_Place]()

    def of_each(self, visit: Visit) -> Visit:
        """The same for a member's value, an array or not, whose elements `visit` knows."""
        recall = self.of(visit)

        def recall_each(value: Any, gathered: Gathered) -> None:
            if type(value) is list:
                for item in value:
                    recall(item, gathered)
            else:
                recall(value, gathered)

        return recall_each

    def of(self, visit: Visit) -> Visit:
        """The same, looked up where it is known."""
        place = self._place(visit)
        known, meet = place.known.get, place.meet

        def recall(value: Any, gathered: Gathered) -> None:
            said = _said_if_any(value) if place.helps else None
            if said is None:
                visit(value, gathered)
                return
            given = known(said)
            if given is None:
                meet(value, said, gathered)
                return
            place.hits += 1
            keys, intervals, further = given
            gathered.keys += keys
            if intervals:
                gathered.intervals += intervals
            if further:
                _add(further, gathered)

        return recall

    def _place(self, visit: Visit) -> "_Place":
        place = _Place(visit, self._make_room)
        self._places.add(place)
        return place

    def _make_room(self, size: int) -> None:
        """For so many bytes more."""
        if self._size + size > self._most:
            for place in self._places:
                place.forget()
            self._size = 0
        self._size += size


class _Place:
    """One place of a walk, and what was met there."""

    __slots__ = ("__weakref__", "_make_room", "_misses", "_visit", "helps", "hits", "known")

    def __init__(self, visit: Visit, make_room: Callable[[int], None]) -> None:
        self._visit = visit
        self._make_room = make_room
        self.known: dict[bytes | str, _Given] = {}
        self.forget()

    def forget(self) -> None:
        self.known.clear()
        self.hits = self._misses = 0
        self.helps = True

    def meet(self, what: Any, said: bytes | str, gathered: Gathered) -> None:
        """Visit what was not met yet; know it from now on, unless it is long.

        It is found out here when remembering does not help, as with identifiers, of which hardly
        one comes again.
        """
        self._misses += 1
        if self._misses > _LITTLE and self._misses > 2 * self.hits:
            self.known.clear()
            self.helps = False
        if not self.helps or len(said) > _LONGEST:
            self._visit(what, gathered)
            return
        new = Gathered(resource=gathered.resource)
        self._visit(what, new)
        further = (new.members, new.codes, new.categories)
        gathered.keys += new.keys
        gathered.intervals += new.intervals
        _add(further, gathered)
        keys = list(dict.fromkeys(new.keys))
        self._make_room(_ENTRY + len(said) + _TERM * (len(keys) + len(new.intervals)))
        self.known[said] = keys, new.intervals, further if any(further) else None


def _said_if_any(value: Any) -> bytes | str | None:
    try:
        return value if type(value) is str else _said(value)
    except (ValueError, TypeError, RecursionError):  # no JSON, which no store keeps
        return None


def _add(further: _Further, gathered: Gathered) -> None:
    members, codes, categories = further
    if members:
        gathered.members += members
    if codes:
        gathered.codes += codes
    if categories:
        gathered.categories += categories
