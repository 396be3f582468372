r"""What each primitive type may look like, as JSON Schema.

https://hl7.org/fhir/R4/datatypes.html#primitive

The same rules as `fhir.primitives` has in Python, said once more for the fast pass; a test holds
that both say the same. Patterns run in linear time: no look-around, no references back, so that
the calendar is spelled out, leap years and all. Draft 4 is what tells `1.0` from an integer.

A pattern costs ten times what a type costs, but for `^\S*$`, which the library does without an
engine. It refuses the blanks of Unicode too, which FHIR allows in a uri: the slow pass says so.
"""

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

_LARGEST: Final = 2**31 - 1
_LONGEST_STRING: Final = 1024 * 1024

_YEAR: Final = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP_YEAR: Final = (
    "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
)
_MONTH: Final = "(?:0[1-9]|1[0-2])"
_DATE: Final = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP_YEAR}-02-29)"
)
_TIME: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE: Final = "(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_BLANK: Final = r" \t\n\r\f\x0b"
_HEX: Final = "[0-9a-f]"


def _pattern(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _whole_number(least: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": _LARGEST}


_URI: Final[Schema] = {"type": "string", "minLength": 1, "pattern": r"^\S*$"}
_STRING: Final[Schema] = {
    "type": "string",
    "maxLength": _LONGEST_STRING,
    "pattern": r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]+$",
}

GRAMMAR: Final[Mapping[str, Schema]] = {
    "base64Binary": _pattern(f"[{_BLANK}]*(?:[0-9a-zA-Z+/=]{{4}}[{_BLANK}]*)+"),
    "boolean": {"type": "boolean"},
    "canonical": _URI,
    "code": {"anyOf": [_URI, _pattern(f"[^{_BLANK}]+(?:[{_BLANK}][^{_BLANK}]+)+")]},
    "date": _pattern(f"{_YEAR}(?:-{_MONTH})?|{_DATE}"),
    "dateTime": _pattern(f"{_YEAR}(?:-{_MONTH})?|{_DATE}(?:T{_TIME}{_ZONE})?"),
    "decimal": {"type": "number"},
    "id": _pattern(r"[A-Za-z0-9\-.]{1,64}"),
    "instant": _pattern(f"{_DATE}T{_TIME}{_ZONE}"),
    "integer": _whole_number(-_LARGEST - 1),
    "markdown": _STRING,
    "oid": _pattern(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"),
    "positiveInt": _whole_number(1),
    "string": _STRING,
    "time": _pattern(_TIME),
    "unsignedInt": _whole_number(0),
    "uri": _URI,
    "url": _URI,
    "uuid": _pattern(f"urn:uuid:{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"),
    "xhtml": _STRING,
}
"""Type to the schema of its JSON value."""
