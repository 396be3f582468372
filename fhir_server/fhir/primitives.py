"""What each primitive type may look like in JSON.

https://hl7.org/fhir/R4/datatypes.html#primitive

A table of one rule a type. Rules look at form and calendar only; bindings, cardinalities and
the structure around a value belong to validation.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from fhir_server.fhir import temporal

Rule = Callable[[Any], bool]

_YEAR = r"(?!0000)\d{4}"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
_ZONE = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"

_LARGEST = 2**31 - 1
_LONGEST_STRING = 1024 * 1024

_is_id = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch


def is_valid(type_: str, value: Any) -> bool:
    """Whether a JSON value has the form of a primitive type; KeyError if there is no such type."""
    return RULES[type_](value)


def is_id(text: str) -> bool:
    """Whether a text can be the logical id of a resource."""
    return _is_id(text) is not None


def _pattern(pattern: str) -> Rule:
    matches = re.compile(pattern, re.ASCII).fullmatch
    return lambda value: isinstance(value, str) and matches(value) is not None


def _calendar(pattern: str) -> Rule:
    """The form, and a day that the month has."""
    has_form = _pattern(pattern)

    def rule(value: Any) -> bool:
        if not has_form(value):
            return False
        try:
            temporal.span(value)
        except ValueError:
            return False
        return True

    return rule


def _whole_number(least: int) -> Rule:
    # bool is an int in Python, and 1.0 is a decimal in FHIR: the class decides.
    return lambda value: type(value) is int and least <= value <= _LARGEST


_has_forbidden_control = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]").search


def _is_string(value: Any) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST_STRING
        and _has_forbidden_control(value) is None
    )


_URI = _pattern(r"\S+")

RULES: Mapping[str, Rule] = {
    "base64Binary": _pattern(r"\s*(?:[0-9a-zA-Z+/=]{4}\s*)+"),
    "boolean": lambda value: isinstance(value, bool),
    "canonical": _URI,
    "code": _pattern(r"[^\s]+(?:\s[^\s]+)*"),
    "date": _calendar(rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?"),
    "dateTime": _calendar(rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:T{_TIME}{_ZONE})?)?)?"),
    "decimal": lambda value: type(value) in {Decimal, int},
    "id": _pattern(r"[A-Za-z0-9\-.]{1,64}"),
    "instant": _calendar(rf"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}{_ZONE}"),
    "integer": _whole_number(-_LARGEST - 1),
    "markdown": _is_string,
    "oid": _pattern(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"),
    "positiveInt": _whole_number(1),
    "string": _is_string,
    "time": _pattern(_TIME),
    "unsignedInt": _whole_number(0),
    "uri": _URI,
    "url": _URI,
    "uuid": _pattern(r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "xhtml": _is_string,
}
