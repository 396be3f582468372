"""URLs with a query."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from fhir_server.kit.url import with_query

PAIRS = [
    [("name", "Müller & Söhne")],
    [("code", "http://loinc.org|8302-2"), ("date", "ge2015-01-01T10:00:00+01:00")],
    [("a", ""), ("a", "b=c#d?e")],
    [("value", "5.4|http://unitsofmeasure.org|mg,\\,"), ("x" * 300, "y z" * 200)],
]


@pytest.mark.parametrize("pairs", PAIRS, ids=range(len(PAIRS)))
def test_a_query_says_the_pairs(pairs: list[tuple[str, str]]) -> None:
    url = with_query("http://h/fhir/Patient", pairs)
    assert url.isascii()
    assert parse_qsl(urlsplit(url).query, keep_blank_values=True) == pairs


def test_without_pairs_a_url_stays_as_it_is() -> None:
    assert with_query("http://h/fhir/Patient", ()) == "http://h/fhir/Patient"
