"""Subsetting: a part of a resource in place of the whole, marked as such.

https://hl7.org/fhir/R4/search.html#summary and https://hl7.org/fhir/R4/search.html#elements

Whatever is asked for, what a resource must have stays, and `meta.tag` says SUBSETTED. Only
`_summary=true` looks below the top; everything else copies members as they are stored.
"""

from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

import msgspec

from fhir_server.definitions.elements import Element, ElementTable
from fhir_server.errors import UnknownParameter
from fhir_server.fhir import json_format
from fhir_server.search.clause import shown
from fhir_server.search.controls import Controls, Summary

SUBSETTED: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
Show = Callable[[str, bytes], bytes]
"""From a type and a stored resource to the bytes that are shown."""

_ALWAYS: Final = frozenset({"resourceType", "id", "meta"})
_MOST_NEAREST: Final = 3
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Subsetting:
    def __init__(self, elements: ElementTable) -> None:
        self._elements = elements
        self._top = lru_cache(maxsize=2048)(self._wanted)

    def show(self, controls: Controls) -> Show | None:
        """How resources are shown; None when they are shown whole."""
        if controls.elements:
            return lambda type_, content: self._chosen(content, self._top(type_, controls.elements))
        match controls.summary:
            case Summary.TRUE:
                return lambda _, content: self._summary(content)
            case Summary.TEXT:
                return lambda type_, content: self._chosen(content, self._top(type_, None))
            case Summary.DATA:
                return lambda _, content: _without_text(content)
            case _:
                return None

    def require_elements(self, types: Sequence[str], names: Sequence[str]) -> None:
        """UnknownParameter for the name of an element that none of the types has."""
        for name in names:
            if not any(self._keys(type_, name) for type_ in types):
                known = sorted({each for type_ in types for each in self._elements.children(type_)})
                close = get_close_matches(name[:64], known, _MOST_NEAREST)
                advice = f" Did you mean {' or '.join(close)}?" if close else ""
                where = types[0] if len(types) == 1 else "Every type searched"
                what = "has no element" if len(types) == 1 else "is without an element"
                raise UnknownParameter(f"_elements: {where} {what} {shown(name)!r}.{advice}")

    def _wanted(self, type_: str, names: tuple[str, ...] | None) -> Collection[str]:
        """JSON members at the top: those named and what must be there; None names the text."""
        wanted = set(_ALWAYS)
        for element in self._elements.children(type_).values():
            if element.min or (element.modifier and names is not None):
                wanted.update(element.keys)
        for name in names or ("text",):
            wanted.update(self._keys(type_, name))
        return frozenset(wanted)

    def _keys(self, type_: str, name: str) -> Collection[str]:
        """The JSON members of an element, named as such or by one of its members."""
        element = self._elements.child(type_, name)
        if element is not None:
            return element.keys.keys()
        return (name,) if name in self._elements.by_key(type_) else ()

    def _chosen(self, content: bytes, wanted: Collection[str]) -> bytes:
        found = _members(content)
        return _marked({key: raw for key, raw in found.items() if key.removeprefix("_") in wanted})

    def _summary(self, content: bytes) -> bytes:
        return json_format.write(_tagged(self._of(json_format.parse(content), "Resource")))

    def _of(self, value: Any, type_: str) -> Any:
        """What a summary keeps of a value of a type; of a list, of each of its items."""
        if type(value) is list:
            return [self._of(item, type_) for item in value]
        if type(value) is not dict:
            return value
        known = self._elements.by_key(str(value.get("resourceType", type_)))
        kept = {}
        for key, item in value.items():
            element = known.get(key.removeprefix("_"))
            if element is not None and _is_kept(element):
                kept[key] = self._below(item, element, key) if element.summary else item
            elif key == "resourceType":
                kept[key] = item
        return kept

    def _below(self, item: Any, element: Element, key: str) -> Any:
        """An element that a summary has: below it again only what the summary has."""
        type_ = element.type_of(key)
        return item if type_ is None else self._of(item, type_) or item


def _is_kept(element: Element) -> bool:
    return element.summary or element.modifier or element.min > 0


def _without_text(content: bytes) -> bytes:
    found = _members(content)
    found.pop("text", None)
    return _marked(found)


def _marked(members: dict[str, msgspec.Raw]) -> bytes:
    meta = json_format.parse(bytes(members["meta"])) if "meta" in members else {}
    tagged = _tagged({"meta": meta})["meta"]
    return msgspec.json.encode({**members, "meta": msgspec.Raw(json_format.write(tagged))})


def _tagged(resource: dict[str, Any]) -> dict[str, Any]:
    meta = resource.get("meta", {})
    tags = [tag for tag in meta.get("tag", ()) if tag.get("code") != SUBSETTED["code"]]
    return {**resource, "meta": {**meta, "tag": [*tags, SUBSETTED]}}
