"""Uris: character by character.

https://hl7.org/fhir/R4/search.html#uri
"""

from tests.support.brute_force.elements import Element
from tests.support.brute_force.query import unescape


def matches(value: str, element: Element) -> bool:
    """A canonical is found with its version and without."""
    asked = unescape(value)
    return asked in _written(element)


def below(value: str, element: Element) -> bool:
    """What begins with the value, at a boundary of path segments."""
    asked = unescape(value)
    inside = f"{asked.rstrip('/')}/"
    if element.is_a("canonical") and "|" in asked and str(element.value).startswith(f"{asked}."):
        return True
    return any(uri == asked or uri.startswith(inside) for uri in _written(element))


def above(value: str, element: Element) -> bool:
    """What the value begins with, at a boundary of path segments."""
    asked = unescape(value)
    return any(asked == uri or asked.startswith(f"{uri.rstrip('/')}/") for uri in _written(element))


def _written(element: Element) -> set[str]:
    uri = element.value
    if element.is_a("canonical") and uri.partition("|")[0]:
        return {uri, uri.partition("|")[0]}
    return {uri}
