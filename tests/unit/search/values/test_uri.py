"""Uris: whole and exact."""

from typing import Any

import pytest

from fhir_server.errors import BadRequest
from fhir_server.search.values import uri
from tests.support.searching import ask, entries, finds, meets, parameter


@pytest.mark.parametrize(
    ("value", "type_", "element", "found"),
    [
        ("http://x.org/a", "uri", "http://x.org/a", True),
        ("http://x.org/A", "uri", "http://x.org/a", False),
        ("http://x.org/", "uri", "http://x.org/a", False),
        ("http://x.org/a/", "uri", "http://x.org/a", False),
        ("urn:oid:1.2", "oid", "urn:oid:1.2", True),
        (r"http://x.org/a\,b", "url", "http://x.org/a,b", True),
        ("http://x.org/p", "canonical", "http://x.org/p|1", True),
        ("http://x.org/p|1", "canonical", "http://x.org/p|1", True),
        ("http://x.org/p|2", "canonical", "http://x.org/p|1", False),
        ("http://x.org/p|1", "canonical", "http://x.org/p", False),
    ],
)
def test_a_uri_finds(value: str, type_: str, element: str, *, found: bool) -> None:
    assert finds("uri", value, type_, element) is found


def test_an_empty_uri_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"a uri such as http://example.org/x is needed"):
        ask("uri", "")


@pytest.mark.parametrize("type_", sorted(uri.FORMS))
@pytest.mark.parametrize("element", [None, 7, [], {}, "", ["http://x.org"]])
def test_malformed_elements_are_passed_over(type_: str, element: Any) -> None:
    assert entries("uri", [(type_, element)]).keys == []


def test_presence_is_any_uri() -> None:
    present = uri.present(parameter())
    assert meets(present, entries("uri", [("uri", "x")]))
    assert not meets(present, entries("uri", []))
