"""Forms of tokens: what an element is indexed as, and what its texts are.

https://hl7.org/fhir/R4/search.html#token

Codes are met again and again, so that their forms are remembered.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fhir_server.kit.remembering import remembered, text_remembered
from fhir_server.kit.text import fold
from fhir_server.search import keys
from fhir_server.search.entries import Entries, Index, Indexed, Indexer
from fhir_server.search.values.forms import NO_VALUE, PRESENT, Form, Forms, indexers

LONGEST_TEXT: Final = 128
"""Code points of a folded text that are indexed, and that can be searched for."""
_FOLDED_AT_ONCE: Final = 8 * 1024
"""A text is cut before it is folded: what lies further on hardly ever reaches the first 128."""
_OF_TYPE: Final = keys.group("\0of-type")
"""The group of identifiers with their type; no system can be called so."""
_BASE: Final = keys.group("\0base")
"""The group of mime types with parameters, by what stands before them; likewise."""


def of_type_form(system: str, code: str, value: str) -> Form:
    """The form of an identifier's value together with its type."""
    return _OF_TYPE + keys.value(f"{system}\0{code.casefold()}\0{value}")


def base_of(mime_type: str) -> str:
    """A mime type without its parameters."""
    return mime_type.partition(";")[0].rstrip()


def base_form(base: str) -> Form:
    """The form of a mime type with parameters, by what stands before them."""
    return _BASE + folded_value(base)


def folded_value(code: str) -> bytes:
    return keys.value(code.casefold())


def exact_value(text: str) -> bytes:
    # A code cannot contain this character, so no folded value is an exact one as well.
    return keys.value("\0" + text)


def folded_text(text: str) -> str:
    """How a text is indexed for `:text`; empty for one that has nothing to look for."""
    return fold(text[:_FOLDED_AT_ONCE])[:LONGEST_TEXT]


def _coding(coding: Any) -> Sequence[Form]:
    if type(coding) is not dict:
        return ()
    code, system = coding.get("code"), coding.get("system")
    if type(code) is str:
        return _folded_forms(system if type(system) is str else "", code)
    return _system_only(system)


def _concept(concept: Any) -> Sequence[Form]:
    if type(concept) is not dict:
        return ()
    codings = concept.get("coding")
    if type(codings) is not list or not codings:
        return PRESENT
    if len(codings) == 1:
        return _coding(codings[0])
    return [form for coding in codings for form in _coding(coding)]


def _identifier(identifier: Any) -> Sequence[Form]:
    if type(identifier) is not dict:
        return ()
    value, system = identifier.get("value"), identifier.get("system")
    if type(value) is str:
        # Hardly one identifier is met twice: their values are not worth remembering.
        exact = exact_value(value)
        forms = keys.group(system if type(system) is str else "") + exact, keys.ANY + exact
        return (*forms, *_typed(identifier, value)) if "type" in identifier else forms
    return _system_only(system)


def _typed(identifier: dict[str, Any], value: str) -> Iterator[Form]:
    """Forms of the value with each coding of the identifier's type, for `:of-type`."""
    concept = identifier["type"]
    codings = concept.get("coding") if type(concept) is dict else None
    for coding in codings if type(codings) is list else ():
        if type(coding) is dict and type(coding.get("code")) is str:
            system = coding.get("system")
            yield of_type_form(system if type(system) is str else "", coding["code"], value)


def _contact_point(contact: Any) -> Sequence[Form]:
    if type(contact) is not dict:
        return ()
    value = contact.get("value")
    return _folded_forms("", value) if type(value) is str else PRESENT


def _code(code: Any) -> Sequence[Form]:
    if type(code) is not str:
        return ()
    found = _folded_forms("", code)
    return (*found, base_form(base_of(code))) if ";" in code else found


def _boolean(value: Any) -> Sequence[Form]:
    return _folded_forms("", "true" if value else "false") if type(value) is bool else ()


def _string(text: Any) -> Sequence[Form]:
    return _exact_forms(text) if type(text) is str else ()


def _system_only(system: Any) -> Sequence[Form]:
    return (keys.group(system) + NO_VALUE,) if type(system) is str else PRESENT


@remembered(8192)
def _folded_forms(system: str, code: str) -> tuple[Form, Form]:
    value = folded_value(code)
    return keys.group(system) + value, keys.ANY + value


@text_remembered(1024)
def _exact_forms(text: str) -> tuple[Form, Form]:
    value = exact_value(text)
    return keys.NONE + value, keys.ANY + value


FORMS: Mapping[str, Forms] = {
    "Coding": _coding,
    "CodeableConcept": _concept,
    "Identifier": _identifier,
    "ContactPoint": _contact_point,
    "code": _code,
    "boolean": _boolean,
    **dict.fromkeys(("string", "id", "uri", "url", "canonical", "oid", "uuid"), _string),
}


def _text_keys(parameter: Indexed, text: Any) -> tuple[str, ...]:
    folded = folded_text(text) if type(text) is str else ""
    return (parameter.text + folded,) if folded else ()


def _index_coding(parameter: Indexed) -> Index:
    prefix = parameter.prefix

    def index(coding: Any, entries: Entries) -> None:
        if type(coding) is dict:
            entries.keys += [prefix + form for form in _coding(coding)]
            if "display" in coding:
                entries.keys += _text_keys(parameter, coding["display"])

    return index


def _index_concept(parameter: Indexed) -> Index:
    index_coding, present = _index_coding(parameter), parameter.prefix + PRESENT[0]

    def index(concept: Any, entries: Entries) -> None:
        if type(concept) is not dict:
            return
        codings = concept.get("coding")
        if type(codings) is list and codings:
            for coding in codings:
                index_coding(coding, entries)
        else:
            entries.keys.append(present)
        if "text" in concept:
            entries.keys += _text_keys(parameter, concept["text"])

    return index


def _index_identifier(parameter: Indexed) -> Index:
    prefix = parameter.prefix

    def index(identifier: Any, entries: Entries) -> None:
        entries.keys += [prefix + form for form in _identifier(identifier)]
        kind = identifier.get("type") if type(identifier) is dict else None
        if type(kind) is dict and "text" in kind:
            entries.keys += _text_keys(parameter, kind["text"])

    return index


INDEXERS: Final[Mapping[str, Indexer]] = {
    **indexers(FORMS),
    "Coding": _index_coding,
    "CodeableConcept": _index_concept,
    "Identifier": _index_identifier,
}
