"""Token values: Coding, CodeableConcept, Identifier, ContactPoint, code, boolean, string, id, uri.

https://hl7.org/fhir/R4/search.html#token

A token is indexed under its system and under no system at all, so that each way of writing it
is one key:

    system|code     the code in this system       code     the code in whatever system
    |code           the code where no system is   system|  anything in this system

Codes compare without regard to case, since the specification asks for that when in doubt.
Identifiers and plain strings compare exactly, and share no form with codes.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from fhir_server.search import keys
from fhir_server.search.values.escapes import split, unescape, wrong
from fhir_server.search.values.forms import Form, key_is
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.search.values.token_forms import (
    FORMS,
    INDEXERS,
    LONGEST_TEXT,
    base_form,
    base_of,
    exact_value,
    folded_text,
    folded_value,
    of_type_form,
)
from fhir_server.storage.query import AnyOf, Test

MIME_TYPES: Final = "urn:ietf:bcp:13"
SPECIAL_VALUES = "http://terminology.hl7.org/CodeSystem/special-values"
"""The system that booleans imply."""

_EXACT_TYPES = frozenset({"Identifier", "string", "id", "uri", "url", "canonical", "oid", "uuid"})
_IMPLIED_TYPES = frozenset({"code", "boolean"})
"""Elements that are a code without saying of which system."""


def forms_searched(parameter: Parameter, value: str) -> Sequence[Form]:
    """Forms of which a match has one, for `code`, `system|code` and `|code`."""
    return _forms_of(parameter, value, *_read(parameter, value))


def _forms_of(parameter: Parameter, value: str, system: str | None, code: str) -> Sequence[Form]:
    if not code:
        raise wrong(parameter, value, "a code is needed here, as in `code` or `system|code`")
    if parameter.types == {"boolean"} and code not in {"true", "false"}:
        raise wrong(parameter, value, "it is either true or false")
    groups = _groups(parameter, system)
    values = [value_of(code) for value_of in _ways_to_compare(parameter.types)]
    return [group + value_ for group in groups for value_ in values]


def test(parameter: Parameter, value: str, _: Context) -> Test:
    """The test for one value: `code`, `system|code`, `|code` or `system|`."""
    system, code = _read(parameter, value)
    if system and not code:
        groups = _groups(parameter, system)
        tests = tuple(keys.of_group(parameter.indexed, group) for group in groups)
        return tests[0] if len(tests) == 1 else AnyOf(tests)
    return key_is(parameter.indexed, _forms_of(parameter, value, system, code))


def test_text(parameter: Parameter, value: str) -> Test:
    """The test for `:text`: a display, a concept's text or an identifier type's begins so."""
    folded = folded_text(unescape(value))
    if not folded:
        raise wrong(parameter, value, "it has no letter, digit or sign to look for")
    if len(unescape(value)) > LONGEST_TEXT:
        raise wrong(parameter, value, f"at most {LONGEST_TEXT} characters can be looked for")
    return keys.text_beginning(parameter.indexed.text + folded)


def test_of_type(parameter: Parameter, value: str) -> Test:
    """The test for `:of-type`: `system|code|value`, type and value of one identifier."""
    match [unescape(piece) for piece in split(value, "|")]:
        case [system, code, text] if code and text:
            return key_is(parameter.indexed, (of_type_form(system, code, text),))
    raise wrong(
        parameter, value, "write `system|code|value`: the identifier's type, then its value"
    )


def test_concepts(parameter: Parameter, concepts: Sequence[tuple[str, str]]) -> Test:
    """The test that some code is one of these, each of its system; none holds of no concepts."""
    forms = [
        group + folded_value(code)
        for system, code in concepts
        for group in _groups(parameter, system)
    ]
    return key_is(parameter.indexed, forms) if forms else AnyOf(())


def concept_searched(parameter: Parameter, value: str) -> tuple[str, str]:
    """System and code of `system|code`; the system may be left out where the element implies it."""
    system, code = _read(parameter, value)
    meant = parameter.system if system is None else system
    if not meant or not code:
        raise wrong(parameter, value, "the system is needed as well, as in `system|code`")
    return meant, code


def holds_mime_types(parameter: Parameter) -> bool:
    return parameter.system == MIME_TYPES


def test_mime_below(parameter: Parameter, value: str) -> Test:
    """The test for `:below` of a mime type: it is the value, or that with parameters.

    https://hl7.org/fhir/R4/search.html#mimetype
    """
    mime_type = _mime_type(parameter, value)
    found = [keys.ANY + folded_value(mime_type)]
    if ";" not in mime_type:
        found.append(base_form(mime_type))
    return key_is(parameter.indexed, found)


def test_mime_above(parameter: Parameter, value: str) -> Test:
    """The test for `:above` of a mime type: it is the value, or that without parameters."""
    mime_type = _mime_type(parameter, value)
    above = mime_type, base_of(mime_type)
    return key_is(parameter.indexed, [keys.ANY + folded_value(each) for each in above])


def _mime_type(parameter: Parameter, value: str) -> str:
    system, mime_type = concept_searched(parameter, value)
    type_, _, subtype = base_of(mime_type).partition("/")
    if system != MIME_TYPES or not type_ or not subtype:
        raise wrong(parameter, value, "a mime type is needed, such as text/xml")
    return mime_type


def present(parameter: Parameter) -> Test:
    """The test that the parameter has any value."""
    return keys.of_parameter(parameter.indexed)


def _read(parameter: Parameter, value: str) -> tuple[str | None, str]:
    """System (None: not stated; empty: stated that there is none) and code."""
    if "|" not in value:
        return None, unescape(value)
    match [unescape(piece) for piece in split(value, "|")]:
        case [code]:
            return None, code
        case [system, code] if system or code:
            return system, code
    raise wrong(parameter, value, "write `code` or `system|code`, and `\\|` for a bar inside")


def _groups(parameter: Parameter, system: str | None) -> Sequence[bytes]:
    if system is None:
        return (keys.ANY,)
    group = keys.group(system)
    return (group, keys.NONE) if _implies(parameter, system) else (group,)


def _implies(parameter: Parameter, system: str) -> bool:
    """Whether an element that is only a code may be meant to be of this system."""
    if system == parameter.system:
        return True
    if parameter.types == {"boolean"}:
        return system == SPECIAL_VALUES
    # What the elements imply is not known, so that the system asked for cannot be held wrong.
    return parameter.system is None and parameter.types == {"code"}


@lru_cache(maxsize=64)
def _ways_to_compare(types: frozenset[str]) -> Sequence[Callable[[str], bytes]]:
    if not types:
        return (folded_value, exact_value)
    exact = bool(types & _EXACT_TYPES)
    folded = bool(types - _EXACT_TYPES)
    return (*((folded_value,) if folded else ()), *((exact_value,) if exact else ()))


__all__ = [
    "FORMS",
    "INDEXERS",
    "concept_searched",
    "forms_searched",
    "holds_mime_types",
    "present",
    "test",
    "test_concepts",
    "test_mime_above",
    "test_mime_below",
    "test_of_type",
    "test_text",
]
