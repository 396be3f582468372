"""Token values: Coding, CodeableConcept, Identifier, ContactPoint, code, boolean, string, id, uri.

https://hl7.org/fhir/R4/search.html#token

A token is indexed under its system and under no system at all, so that each way of writing it
is one key:

    system|code     the code in this system       code     the code in whatever system
    |code           the code where no system is   system|  anything in this system

Codes compare without regard to case, since the specification asks for that when in doubt.
Identifiers and plain strings compare exactly, and share no form with codes.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from fhir_server.search import keys
from fhir_server.search.entries import Indexer
from fhir_server.search.values.escapes import split, unescape, wrong
from fhir_server.search.values.forms import NO_VALUE, PRESENT, Form, Forms, indexers, key_is
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.storage.query import AnyOf, Test

SPECIAL_VALUES = "http://terminology.hl7.org/CodeSystem/special-values"
"""The system that booleans imply."""

_EXACT_TYPES = frozenset({"Identifier", "string", "id", "uri", "url", "canonical", "oid", "uuid"})
_IMPLIED_TYPES = frozenset({"code", "boolean"})
"""Elements that are a code without saying of which system."""


def forms_searched(parameter: Parameter, value: str) -> Sequence[Form]:
    """Forms of which a match has one, for `code`, `system|code` and `|code`."""
    system, code = _read(parameter, value)
    if not code:
        raise wrong(parameter, value, "a code is needed here, as in `code` or `system|code`")
    if parameter.types == {"boolean"} and code not in {"true", "false"}:
        raise wrong(parameter, value, "it is either true or false")
    groups = _groups(parameter, system)
    values = [value_of(code) for value_of in _ways_to_compare(parameter)]
    return [group + value_ for group in groups for value_ in values]


def test(parameter: Parameter, value: str, _: Context) -> Test:
    """The test for one value: `code`, `system|code`, `|code` or `system|`."""
    system, code = _read(parameter, value)
    if system and not code:
        groups = _groups(parameter, system)
        tests = tuple(keys.of_group(parameter.indexed, group) for group in groups)
        return tests[0] if len(tests) == 1 else AnyOf(tests)
    return key_is(parameter.indexed, forms_searched(parameter, value))


def present(parameter: Parameter) -> Test:
    """The test that the parameter has any value."""
    return keys.of_parameter(parameter.indexed)


def _read(parameter: Parameter, value: str) -> tuple[str | None, str]:
    """System (None: not stated; empty: stated that there is none) and code."""
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


def _ways_to_compare(parameter: Parameter) -> Sequence[Any]:
    if not parameter.types:
        return (_folded_value, _exact_value)
    exact = bool(parameter.types & _EXACT_TYPES)
    folded = bool(parameter.types - _EXACT_TYPES)
    return (*((_folded_value,) if folded else ()), *((_exact_value,) if exact else ()))


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
        exact = _exact_value(value)
        return (keys.group(system if type(system) is str else "") + exact, keys.ANY + exact)
    return _system_only(system)


def _contact_point(contact: Any) -> Sequence[Form]:
    if type(contact) is not dict:
        return ()
    value = contact.get("value")
    return _folded_forms("", value) if type(value) is str else PRESENT


def _code(code: Any) -> Sequence[Form]:
    return _folded_forms("", code) if type(code) is str else ()


def _boolean(value: Any) -> Sequence[Form]:
    return _folded_forms("", "true" if value else "false") if type(value) is bool else ()


def _string(text: Any) -> Sequence[Form]:
    return _exact_forms(text) if type(text) is str else ()


def _system_only(system: Any) -> Sequence[Form]:
    return (keys.group(system) + NO_VALUE,) if type(system) is str else PRESENT


@lru_cache(maxsize=8192)
def _folded_forms(system: str, code: str) -> tuple[Form, Form]:
    value = _folded_value(code)
    return keys.group(system) + value, keys.ANY + value


@lru_cache(maxsize=1024)
def _exact_forms(text: str) -> tuple[Form, Form]:
    value = _exact_value(text)
    return keys.NONE + value, keys.ANY + value


def _folded_value(code: str) -> bytes:
    return keys.value(code.casefold())


def _exact_value(text: str) -> bytes:
    # A code cannot contain this character, so no folded value is an exact one as well.
    return keys.value("\0" + text)


FORMS: Mapping[str, Forms] = {
    "Coding": _coding,
    "CodeableConcept": _concept,
    "Identifier": _identifier,
    "ContactPoint": _contact_point,
    "code": _code,
    "boolean": _boolean,
    **dict.fromkeys(("string", "id", "uri", "url", "canonical", "oid", "uuid"), _string),
}
INDEXERS: Mapping[str, Indexer] = indexers(FORMS)
