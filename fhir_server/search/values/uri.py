"""Uri values: uri, url, canonical, oid, uuid.

https://hl7.org/fhir/R4/search.html#uri

They compare exactly, character by character. A canonical is found with and without its version.

    url:below=http://a/b      http://a/b and what begins with http://a/b/
    _profile:below=http://a|1 http://a|1 and what begins with http://a|1.
    url:above=http://a/b/c    http://a/b/c, http://a/b, http://a: with a last slash or without
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from fhir_server.kit.remembering import text_remembered
from fhir_server.search import keys
from fhir_server.search.entries import Entries, Index, Indexed, Indexer
from fhir_server.search.values.escapes import unescape, wrong
from fhir_server.search.values.forms import Form, Forms, key_is
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.storage.query import AnyOf, KeyIs, Test

LONGEST: Final = 255
"""Characters of a uri that are indexed for comparison by beginning."""
_NEEDED: Final = "a uri such as http://example.org/x is needed"

GROUP = keys.NONE
"""The group of every uri."""


def forms_searched(parameter: Parameter, value: str) -> Sequence[Form]:
    """The form of a uri."""
    uri = unescape(value)
    if not uri:
        raise wrong(parameter, value, _NEEDED)
    return (_form(uri),)


def test(parameter: Parameter, value: str, _: Context) -> Test:
    """The test for one uri, whole."""
    return key_is(parameter.indexed, forms_searched(parameter, value))


def test_below(parameter: Parameter, value: str) -> Test:
    """The test for `:below`: some uri is the value, or goes on behind it with a slash.

    The version of a canonical goes on with a dot: 1.2 lies below 1.
    """
    text, uri = parameter.indexed.text, _searched(parameter, value)
    inside = [keys.text_beginning(f"{text}{uri.rstrip('/')}/")]
    if "canonical" in parameter.types and "|" in uri:
        inside.append(keys.text_beginning(f"{text}{uri}."))
    return AnyOf((KeyIs((text + uri,)), *inside))


def test_above(parameter: Parameter, value: str) -> Test:
    """The test for `:above`: the value is some uri, or goes on behind it with a slash."""
    text, uri = parameter.indexed.text, _searched(parameter, value)
    slashes = [at for at, character in enumerate(uri) if character == "/"]
    beginnings = (uri[:end] for at in slashes for end in (at, at + 1))
    return KeyIs(tuple(dict.fromkeys(text + each for each in (uri, *beginnings) if each)))


def _searched(parameter: Parameter, value: str) -> str:
    uri = unescape(value)
    if not uri:
        raise wrong(parameter, value, _NEEDED)
    if len(uri) > LONGEST:
        raise wrong(parameter, value, f"at most {LONGEST} characters can be compared by beginning")
    return uri


def present(parameter: Parameter) -> Test:
    """The test that the parameter has any value."""
    return keys.of_parameter(parameter.indexed)


def _uri(uri: Any) -> Sequence[Form]:
    return _forms(uri) if type(uri) is str and uri else ()


def _canonical(canonical: Any) -> Sequence[Form]:
    return _canonical_forms(canonical) if type(canonical) is str and canonical else ()


def _form(uri: str) -> Form:
    return GROUP + keys.value(uri)


@text_remembered(1024)
def _forms(uri: str) -> tuple[Form, ...]:
    return (_form(uri),)


@text_remembered(1024)
def _canonical_forms(canonical: str) -> tuple[Form, ...]:
    url, bar, _ = canonical.partition("|")
    return (_form(canonical), _form(url)) if bar and url else (_form(canonical),)


FORMS: Mapping[str, Forms] = {
    **dict.fromkeys(("uri", "url", "oid", "uuid"), _uri),
    "canonical": _canonical,
}


def _index(forms: Forms, parameter: Indexed) -> Index:
    """Keys of a uri, and the uri itself as a text, so that its beginning can be looked for."""
    prefix, beginning = parameter.prefix, parameter.text

    def index(uri: Any, entries: Entries) -> None:
        found = forms(uri)
        if found:
            entries.keys += [prefix + form for form in found]
            entries.keys.append(beginning + uri[:LONGEST])
            if len(found) > 1:
                entries.keys.append(beginning + uri.partition("|")[0][:LONGEST])

    return index


INDEXERS: Mapping[str, Indexer] = {type_: partial(_index, forms) for type_, forms in FORMS.items()}
