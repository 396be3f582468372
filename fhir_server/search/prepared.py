"""A search understood, before anything is asked of a store."""

from collections.abc import Mapping, Sequence

import msgspec

from fhir_server.search.controls import Controls
from fhir_server.search.criterion import Criterion
from fhir_server.search.paging import Place
from fhir_server.search.planning import Ways
from fhir_server.search.query_string import Pair
from fhir_server.search.resolving import Deferred
from fhir_server.search.scopes import Scope
from fhir_server.search.sorting import ByIndex, ByValues
from fhir_server.storage.query import Plan

Parts = Sequence[Sequence[Plan]]
"""The result is one part after the other; the plans of a part, one a type, are merged."""


class Prepared(msgspec.Struct, frozen=True):
    """What must hold, how to answer, and how to speak of it in links."""

    scope: Scope
    criteria: Mapping[str, tuple[Criterion | Deferred, ...]]
    """By type."""
    controls: Controls
    order: ByIndex | ByValues
    asked: tuple[Pair, ...]
    """The criteria as they were sent, without what was dropped."""
    further: tuple[Pair, ...]
    """The controls as they were carried out, without the place."""
    url: str
    """Where its first page is."""
    dropped: tuple[str, ...]
    """Names that lenient handling left out, as they were sent."""
    place: Place | None = None
    """Where the page begins or ends; None for the first page."""
    ways: Mapping[str, Ways] = {}
    """By type, what a plan chooses from, if there is a choice and no other search comes first."""
    parts: Parts | None = None
    """What `Searching.plans` gives, where nothing has to be asked of a store for it."""

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """What was understood, for self and next links."""
        return self.asked + self.further
