"""Matches that are contained in others, taken out of their containers.

https://hl7.org/fhir/R4/search.html#contained
"""

from collections.abc import Iterator

from fhir_server.fhir import json_format
from fhir_server.interactions.request import Resource
from fhir_server.interactions.searching.finding import Found
from fhir_server.search.contained import in_slot
from fhir_server.search.containing import first_slot
from fhir_server.search.prepared import Prepared


def contained_matches(
    found: Found, prepared: Prepared, base_url: str
) -> Iterator[tuple[str, str, bytes]]:
    """Type, URL and content of each match; what is contained has its id behind a #."""
    (type_,) = prepared.scope.types
    first = first_slot(prepared)
    for version, part in zip(found.versions, found.parts, strict=True):
        url = f"{base_url}/{version.type}/{version.id}"
        if version.content is None:
            continue
        if part < first:
            yield type_, url, version.content
            continue
        contained = json_format.parse(version.content).get("contained")
        resource = in_slot(contained, type_, part - first)
        if resource is not None:
            yield type_, url + _fragment(resource), json_format.write(resource)


def _fragment(resource: Resource) -> str:
    """The id behind a #, as it stands within a JSON string."""
    id_ = resource.get("id")
    return f"#{json_format.write(id_)[1:-1].decode()}" if type(id_) is str else ""
