"""The library: definitions that are stored on the server or came with a request.

https://hl7.org/fhir/R4/references.html#canonical
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from fhir_server.fhir import json_format
from fhir_server.terminology.versions import age

ENCLOSED: Final = 0
"""The number of what has no version, and is not to be remembered."""


@dataclass(frozen=True, slots=True)
class Held:
    """A definition as it is stored; what has the same identity has the same content."""

    type: str
    id: str
    number: int
    """Of the version; ENCLOSED for what came with a request."""
    content: bytes
    """The resource as JSON."""


class Library(Protocol):
    async def by_canonical(self, type_: str, url: str, version: str) -> Held | None:
        """The definition of a url, of any version when `version` is empty; None if there is none.

        Of several an active one comes before others, and among those the one changed last.
        """
        ...

    async def versions(self, type_: str, url: str) -> Sequence[str]:
        """The versions there are of a url, those that say none left out."""
        ...

    async def by_id(self, type_: str, id_: str) -> Held | None:
        """The definition with an id; None if there is none."""
        ...


class Enclosed:
    """Definitions that came with a request, before those of another library."""

    def __init__(self, resources: Sequence[Mapping[str, Any]], beneath: Library) -> None:
        self._resources = sorted(resources, key=lambda each: age(_text(each, "version")))
        self._beneath = beneath

    async def by_canonical(self, type_: str, url: str, version: str) -> Held | None:
        named = self._of(type_, url)
        found = [each for each in named if version in ("", _text(each, "version"))]
        return _held(found[-1]) if found else await self._beneath.by_canonical(type_, url, version)

    async def versions(self, type_: str, url: str) -> Sequence[str]:
        found = filter(None, (_text(each, "version") for each in self._of(type_, url)))
        return [*found, *await self._beneath.versions(type_, url)]

    async def by_id(self, type_: str, id_: str) -> Held | None:
        return await self._beneath.by_id(type_, id_)

    def _of(self, type_: str, url: str) -> Sequence[Mapping[str, Any]]:
        return [
            each
            for each in self._resources
            if _text(each, "resourceType") == type_ and _text(each, "url") == url
        ]


def _text(resource: Mapping[str, Any], name: str) -> str:
    found = resource.get(name)
    return found if isinstance(found, str) else ""


def _held(resource: Mapping[str, Any]) -> Held:
    return Held(_text(resource, "resourceType"), "", ENCLOSED, json_format.write(dict(resource)))
