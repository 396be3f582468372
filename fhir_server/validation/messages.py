"""What validation has to say: one row a message, with its stable name.

https://hl7.org/fhir/R4/valueset-issue-type.html

A sentence tells what would be right. It names elements, types and codes of the specification,
never what the resource holds: an outcome may be logged where no patient's data belong.
"""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Final, NamedTuple

from fhir_server.definitions.elements import Element
from fhir_server.fhir.outcome import Issue, Severity

_LONGEST_NAME: Final = 64
_MOST_NAMED: Final = 20


class Message(NamedTuple):
    id: str
    code: str
    """The issue type."""
    words: str
    """With the names of what `issue` is given in braces."""
    severity: Severity = "error"


UNKNOWN_ELEMENT: Final = Message(
    "unknown-element", "structure", "{type} has no element {name}; {advice}"
)
MISSING_ELEMENT: Final = Message("missing-element", "required", "{type} must have {name}{ways}.")
ONE_TYPE_AT_A_TIME: Final = Message(
    "several-types", "structure", "{name}[x] has one type at a time; leave one of {ways} out."
)
ARRAY_EXPECTED: Final = Message(
    "array-expected", "structure", "{name} may repeat, so it is an array, even for a single value."
)
NO_ARRAY: Final = Message(
    "array-unexpected", "structure", "{name} does not repeat, so it is no array."
)
OBJECT_EXPECTED: Final = Message(
    "object-expected", "structure", "{name} is an object, with members such as {members}."
)
NO_EMPTY_ARRAY: Final = Message(
    "empty-array", "structure", "An array is never empty; give {name} a value or leave it out."
)
NO_EMPTY_OBJECT: Final = Message(
    "empty-object", "structure", "An object is never empty; give {name} members or leave it out."
)
NO_NULL: Final = Message(
    "null-unexpected",
    "structure",
    "null stands for nothing here; leave it out. It only fills a place in an array of primitive "
    "values of which the array of extensions has something at the same place, or the other way.",
)
UNEQUAL_ARRAYS: Final = Message(
    "unequal-arrays",
    "structure",
    "{name} and _{name} must be of one length; null fills a place that has nothing.",
)
ONLY_AN_ID: Final = Message(
    "only-an-id", "invariant", "{name} must have more than an id (ele-1); leave it out."
)
VALUE_OR_EXTENSIONS: Final = Message(
    "value-or-extensions",
    "invariant",
    "An extension has either a value[x] or extensions inside, and not both (ext-1).",
)
WRONG_FORM: Final = Message("wrong-form", "value", "{name} must be {form}.")
NOT_ALLOWED: Final = Message(
    "not-in-value-set", "code-invalid", "{name} must be a code of {value_set}: {codes}."
)
NO_TYPE: Final = Message(
    "missing-resource-type", "required", "A resource must say its type in resourceType."
)
UNKNOWN_TYPE: Final = Message(
    "unknown-resource-type",
    "structure",
    "resourceType must be the name of a resource type of FHIR R4, such as Patient.",
)
AND_MORE: Final = Message(
    "and-more",
    "incomplete",
    "There is more to tell; mend what the {shown} issues before are about.",
    "information",
)

FORMS: Final[Mapping[str, str]] = {
    "base64Binary": "a string in base64, such as 'SGVsbG8='",
    "boolean": "true or false, without quotes",
    "canonical": "a string without blanks: a URL, with |version behind it if need be",
    "code": "a string without blanks at its ends or two of them together",
    "date": "a date that the calendar has: YYYY, YYYY-MM or YYYY-MM-DD",
    "dateTime": (
        "a date that the calendar has: YYYY, YYYY-MM, YYYY-MM-DD or, with time and zone, "
        "YYYY-MM-DDThh:mm:ssZ or YYYY-MM-DDThh:mm:ss+hh:mm"
    ),
    "decimal": "a number, without quotes",
    "id": "a string of 1 to 64 of the characters A-Z, a-z, 0-9, '-' and '.'",
    "instant": (
        "a date that the calendar has, with time and zone: YYYY-MM-DDThh:mm:ssZ or "
        "YYYY-MM-DDThh:mm:ss+hh:mm"
    ),
    "integer": "a whole number from -2147483648 to 2147483647, without quotes and decimal point",
    "markdown": "a string that is not empty, of at most 1048576 characters, none a control one",
    "oid": "a string such as 'urn:oid:1.2.3.4'",
    "positiveInt": "a whole number from 1 to 2147483647, without quotes and decimal point",
    "string": "a string that is not empty, of at most 1048576 characters, none a control one",
    "time": "a time of day: hh:mm:ss",
    "unsignedInt": "a whole number from 0 to 2147483647, without quotes and decimal point",
    "uri": "a string that is not empty and has no blanks",
    "url": "a string that is not empty and has no blanks",
    "uuid": "a string such as 'urn:uuid:c757873d-ec9a-4326-a141-556f43239520', in lower case",
    "xhtml": "a string with a div in the namespace http://www.w3.org/1999/xhtml",
}
"""Primitive type to what a value of it is."""


def issue(message: Message, place: str, **words: str) -> Issue:
    """The message about a place (FHIRPath; empty for none), filled with these words."""
    told = message.words.format(**words)
    return Issue(message.severity, message.code, told, (place,) if place else (), message.id)


def listed(names: Iterable[str]) -> str:
    """Some names, and how many more there are."""
    names = list(names)
    left = len(names) - _MOST_NAMED
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown} and {left} more" if left > 0 else shown


def quoted(name: str) -> str:
    """A name that the sender chose, cut short."""
    return repr(name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…")


def advice(name: str, elements: Collection[Element]) -> str:
    """What may have been meant by the name of a member that is none of these elements'."""
    for each in elements:
        if each.choice and each.name == name:
            return f"its type belongs to the name: {listed(each.keys)}."
        if name.startswith("_") and name[1:] in each.keys:
            return f"{name[1:]} has no extensions beside it."
    known = [key for each in elements for key in each.keys]
    close = get_close_matches(name[:_LONGEST_NAME], known, 1)
    return f"did you mean {close[0]}?" if close else "leave it out, or say it in an extension."
