"""Reading: parts of definitions as they were stored.

What is not there is empty. What stands there in another shape than R4 gives it is NotLoaded: to
pass over a filter, say, would be to answer with codes that nobody chose.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

from fhir_server.errors import NotLoaded


def objects(within: Mapping[str, Any], name: str) -> Sequence[dict[str, Any]]:
    """The objects of an array."""
    return _all_of(dict, within, name, "an array of objects")


def texts(within: Mapping[str, Any], name: str) -> Sequence[str]:
    """The texts of an array."""
    return _all_of(str, within, name, "an array of texts")


def one(within: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object."""
    found: dict[str, Any] = _of(dict, within, name, {}, "an object")
    return found


def text(within: Mapping[str, Any], name: str) -> str:
    """A text."""
    found: str = _of(str, within, name, "", "a text")
    return found


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Says in front of a refusal what it is about."""
    try:
        yield
    except NotLoaded as error:
        told = copy(error)  # which may be kept somewhere, to be raised again
        told.message = f"{what}: {error.message}"
        raise told from None


def _all_of(kind: type, within: Mapping[str, Any], name: str, wanted: str) -> Sequence[Any]:
    found: Sequence[Any] = _of(list, within, name, [], wanted)
    if any(type(each) is not kind for each in found):
        raise _wrong(name, wanted)
    return found


def _of(kind: type, within: Mapping[str, Any], name: str, missing: object, wanted: str) -> Any:
    found = within.get(name, missing)
    if type(found) is not kind:
        raise _wrong(name, wanted)
    return found


def _wrong(name: str, wanted: str) -> NotLoaded:
    return NotLoaded(f"It is not written as R4 says: {name} is not {wanted}.")
