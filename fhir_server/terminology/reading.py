"""Reading: parts of definitions as they were stored, whatever stands in their place.

Nobody checked a stored CodeSystem or ValueSet yet: a part of the wrong kind is not there.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def objects(within: Mapping[str, Any], name: str) -> Sequence[dict[str, Any]]:
    """The objects of an array; none when it is no array."""
    found = within.get(name)
    return [each for each in found if type(each) is dict] if type(found) is list else ()


def one(within: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object; empty when it is none."""
    found = within.get(name)
    return found if type(found) is dict else {}


def text(within: Mapping[str, Any], name: str) -> str:
    """A text; empty when it is none."""
    found = within.get(name)
    return found if type(found) is str else ""


def texts(within: Mapping[str, Any], name: str) -> Sequence[str]:
    """The texts of an array; none when it is no array."""
    found = within.get(name)
    return [each for each in found if type(each) is str] if type(found) is list else ()
