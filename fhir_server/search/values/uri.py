"""Uri values: uri, url, canonical, oid, uuid.

https://hl7.org/fhir/R4/search.html#uri

They compare exactly, character by character. A canonical is found with and without its version.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from fhir_server.search import keys
from fhir_server.search.entries import Indexer
from fhir_server.search.values.escapes import unescape, wrong
from fhir_server.search.values.forms import Form, Forms, indexers, key_is
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.storage.query import Test

GROUP = keys.NONE
"""The group of every uri."""


def forms_searched(parameter: Parameter, value: str) -> Sequence[Form]:
    """The form of a uri."""
    uri = unescape(value)
    if not uri:
        raise wrong(parameter, value, "a uri such as http://example.org/x is needed")
    return (_form(uri),)


def test(parameter: Parameter, value: str, _: Context) -> Test:
    """The test for one uri, whole."""
    return key_is(parameter.indexed, forms_searched(parameter, value))


def present(parameter: Parameter) -> Test:
    """The test that the parameter has any value."""
    return keys.of_parameter(parameter.indexed)


def _uri(uri: Any) -> Sequence[Form]:
    return _forms(uri) if type(uri) is str and uri else ()


def _canonical(canonical: Any) -> Sequence[Form]:
    return _canonical_forms(canonical) if type(canonical) is str and canonical else ()


def _form(uri: str) -> Form:
    return GROUP + keys.value(uri)


@lru_cache(maxsize=1024)
def _forms(uri: str) -> tuple[Form, ...]:
    return (_form(uri),)


@lru_cache(maxsize=1024)
def _canonical_forms(canonical: str) -> tuple[Form, ...]:
    url, bar, _ = canonical.partition("|")
    return (_form(canonical), _form(url)) if bar and url else (_form(canonical),)


FORMS: Mapping[str, Forms] = {
    **dict.fromkeys(("uri", "url", "oid", "uuid"), _uri),
    "canonical": _canonical,
}
INDEXERS: Mapping[str, Indexer] = indexers(FORMS)
