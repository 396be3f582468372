"""Reference values: Reference, canonical, uri, and resources that are contained whole.

https://hl7.org/fhir/R4/search.html#reference

A reference to this server, however it is written, is one form: the group is the type, the value
the id; the version it may name is left aside. Any other reference is a form of its url.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from fhir_server.fhir.primitives import is_id
from fhir_server.fhir.reference import Elsewhere, Local, parse, relative
from fhir_server.kit.remembering import text_remembered
from fhir_server.search import keys
from fhir_server.search.entries import Indexer
from fhir_server.search.values import forms
from fhir_server.search.values.escapes import split, unescape, wrong
from fhir_server.search.values.forms import PRESENT, Form, Forms, key_is
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.storage.query import Test

URL = keys.group("url")
"""The group of references that are a url and nothing else."""
_IDENTIFIER = keys.group("identifier")
_VERSION = keys.group("version")
"""The group of canonicals with each version that theirs lies below."""
MOST_VERSION_PARTS: Final = 16
"""Parts of a version, between dots, by which it is found with `:below`."""


def forms_searched(parameter: Parameter, value: str, base_url: str) -> Sequence[Form]:
    """Forms of which a match has one; an id alone may be of any type the parameter points to."""
    text = unescape(value)
    if is_id(text):
        if not parameter.targets:
            raise wrong(parameter, value, "the type is needed as well, as in Patient/1")
        return [local_form(type_, text) for type_ in parameter.targets]
    match parse(text, base_url):
        case Local(type_, id_):
            return (local_form(type_, id_),)
        case Elsewhere(url, version):
            return (_url_form(f"{url}|{version}" if version else url),)
        case _:
            advice = "write an id, Type/id, or an absolute url"
            raise wrong(parameter, value, advice)


def test(parameter: Parameter, value: str, context: Context) -> Test:
    """The test for one reference: `id`, `Type/id`, an absolute url, or `url|version`."""
    return key_is(parameter.indexed, forms_searched(parameter, value, context.base_url))


def test_identifier(parameter: Parameter, value: str) -> Test:
    """The test for `:identifier`: `system|value`, `|value` or `value` of Reference.identifier."""
    match [unescape(piece) for piece in split(value, "|")]:
        case [text] if text:
            return key_is(parameter.indexed, (_identifier_form(None, text),))
        case [system, text] if text:
            return key_is(parameter.indexed, (_identifier_form(system, text),))
    raise wrong(parameter, value, "write `value` or `system|value`, and `\\|` for a bar inside")


def test_below(parameter: Parameter, value: str, base_url: str) -> Test:
    """The test for `:below` of a canonical: in this version, or in one that goes on behind it."""
    match parse(unescape(value), base_url):
        case Elsewhere(url, str() as version):
            if version.count(".") >= MOST_VERSION_PARTS:
                raise wrong(parameter, value, f"at most {MOST_VERSION_PARTS} parts are compared")
            return key_is(parameter.indexed, (_version_form(url, version),))
    return key_is(parameter.indexed, forms_searched(parameter, value, base_url))


def present(parameter: Parameter) -> Test:
    """The test that the parameter has any value."""
    return keys.of_parameter(parameter.indexed)


def local_form(type_: str, id_: str) -> Form:
    """The form of a reference to a resource of this server."""
    return keys.group(type_) + keys.value(id_)


@cache
def forms_of(base_url: str = "") -> Mapping[str, Forms]:
    """Forms by FHIR type. `base_url` is where our own resources live; empty: not known."""
    of_text = _reader(base_url)

    def of_reference(reference: Any) -> Sequence[Form]:
        if type(reference) is not dict:
            return ()
        text = reference.get("reference")
        found = of_text(text) if type(text) is str else PRESENT
        return (*found, *_identifier(reference)) if "identifier" in reference else found

    def of_uri(uri: Any) -> Sequence[Form]:
        return of_text(uri) if type(uri) is str else ()

    return {
        "Reference": of_reference,
        "canonical": of_uri,
        "uri": of_uri,
        "Resource": _resource,
    }


def indexers(base_url: str = "") -> Mapping[str, Indexer]:
    """Indexers by FHIR type."""
    return forms.indexers(forms_of(base_url))


def _reader(base_url: str) -> Callable[[str], tuple[Form, ...]]:
    """Forms of a reference's text; PRESENT for what leads to nothing that can be asked for."""

    @text_remembered(8192)
    def read(text: str) -> tuple[Form, ...]:
        local = relative(text)
        if local is not None:
            return (local_form(*local),)
        match parse(text, base_url):
            case Local(type_, id_):
                return (local_form(type_, id_),)
            case Elsewhere(url, None, str() as type_):
                # The second says which type it names, for whom only that is asked.
                return _url_form(url), local_form(type_, url)
            case Elsewhere(url, None):
                return (_url_form(url),)
            case Elsewhere(url, str() as version):
                return (
                    _url_form(f"{url}|{version}"),
                    _url_form(url),
                    *_version_forms(url, version),
                )
            case _:
                return PRESENT

    return read


def _resource(resource: Any) -> Sequence[Form]:
    if type(resource) is not dict:
        return ()
    type_, id_ = resource.get("resourceType"), resource.get("id")
    return (local_form(type_, id_),) if type(type_) is str and type(id_) is str else PRESENT


def _identifier(reference: dict[str, Any]) -> Sequence[Form]:
    identifier = reference["identifier"]
    value = identifier.get("value") if type(identifier) is dict else None
    if type(value) is not str:
        return ()
    system = identifier.get("system")
    stated = system if type(system) is str else ""
    return _identifier_form(stated, value), _identifier_form(None, value)


def _identifier_form(system: str | None, value: str) -> Form:
    """One group for all, so that they cannot be taken for references by themselves."""
    return _IDENTIFIER + keys.value(value if system is None else f"{system}\0{value}")


def _version_forms(url: str, version: str) -> Iterator[Form]:
    """Forms of a version and of those it lies below: 1.2.3 lies below 1.2 and 1."""
    parts = version.split(".", MOST_VERSION_PARTS)[:MOST_VERSION_PARTS]
    for count in range(1, len(parts) + 1):
        yield _version_form(url, ".".join(parts[:count]))


def _version_form(url: str, version: str) -> Form:
    return _VERSION + keys.value(f"{url}|{version}")


def _url_form(url: str) -> Form:
    return URL + keys.value(url)


INDEXERS: Mapping[str, Indexer] = indexers()
