"""Whether a search value finds stored elements.

The real modules index and test; the store's oracle judges.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, tzinfo
from typing import Any

from fhir_server.search.criterion import Criterion
from fhir_server.search.entries import Entries
from fhir_server.search.keys import indexed
from fhir_server.search.searching import Searching
from fhir_server.search.values import composite
from fhir_server.search.values.parameter import Component, Context, Parameter
from fhir_server.search.values.table import VALUES, indexers
from fhir_server.storage.query import Test
from fhir_server.storage.versions import Terms, Version
from tests.support.oracle import Row, holds

NOW = 1_795_600_000_000
"""2026-11-25T09:46:40Z"""
CODE = "wanted"
MARK = indexed("Thing", CODE)
OTHER = indexed("Thing", "other")


def parameter(**facts: Any) -> Parameter:
    return Parameter(CODE, MARK, **facts)


def entries(
    search_type: str,
    elements: Iterable[tuple[str, Any]],
    *,
    zone: tzinfo = UTC,
    base_url: str = "",
) -> Entries:
    """What these elements, each with its FHIR type, are indexed as."""
    table = indexers(zone, base_url)[search_type]
    gathered = Entries()
    for type_, element in elements:
        table[type_](MARK)(element, gathered)
        # The same for another parameter: nothing may be found that is only there.
        table[type_](OTHER)(element, gathered)
    return gathered


def tuple_entries(parts: Sequence[tuple[str, str]], elements: Sequence[Any]) -> Entries:
    """What the parts of a composite, each a search type and a FHIR type, are indexed as."""
    index = composite.indexer(parts)
    assert index is not None
    gathered = Entries()
    index(MARK)(elements, gathered)
    index(OTHER)(elements, gathered)
    return gathered


def ask(
    search_type: str,
    value: str,
    *,
    asked: Parameter | None = None,
    zone: tzinfo = UTC,
    base_url: str = "",
    now: int = NOW,
) -> Test:
    return VALUES[search_type].test(asked or parameter(), value, Context(now, zone, base_url))


def meets(test: Test, gathered: Entries) -> bool:
    """Whether a resource with these entries meets the test."""
    terms = Terms(keys=gathered.keys, intervals=gathered.intervals)
    return holds(test, Row(Version("Thing", "1", 1, 1, 1, "PUT", b"{}"), terms))


def finds(
    search_type: str,
    value: str,
    type_: str,
    element: Any,
    *,
    asked: Parameter | None = None,
    zone: tzinfo = UTC,
    base_url: str = "",
    now: int = NOW,
) -> bool:
    """Whether a search value finds a resource whose one element is this."""
    test = ask(search_type, value, asked=asked, zone=zone, base_url=base_url, now=now)
    return meets(test, entries(search_type, [(type_, element)], zone=zone, base_url=base_url))


def component(search_type: str, **facts: Any) -> Component:
    return Component(search_type, Parameter("part", indexed("Thing", "part"), **facts))


def plain_criteria(
    searching: Searching, type_: str, pairs: Sequence[tuple[str, str]]
) -> tuple[Criterion, ...]:
    """Criteria of which none has to ask a store first."""
    criteria = searching.prepare_criteria(type_, pairs)
    plain = tuple(each for each in criteria if isinstance(each, Criterion))
    assert len(plain) == len(criteria)
    return plain
