"""Contained resources, each looked at as if it stood alone.

https://hl7.org/fhir/R4/search.html#contained
"""

from collections.abc import Callable, Iterable
from typing import Any

from tests.support.brute_force.query import Query

Resource = dict[str, Any]


def matches(
    query: Query, resources: Iterable[Resource], is_match: Callable[[Resource, Query], bool]
) -> list[str]:
    """`Type/id` of containers, or `Type/id#id` of what they contain, as the query wants it."""
    controls = dict(query.controls)
    alone = controls.get("_containedType", "container") == "contained"
    found: dict[str, None] = {}
    for each in resources:
        place = f"{each['resourceType']}/{each['id']}"
        if controls["_contained"] == "both" and is_match(each, query):
            found[place] = None
        for one in each.get("contained", ()):
            if is_match(one, query):
                found[f"{place}#{one.get('id', '')}" if alone else place] = None
    return list(found)
