"""Canonicals: value sets and code systems that are stored here, found by url.

https://hl7.org/fhir/R4/references.html#canonical

They are searched for as anybody searches for them: by `url`, and by `version` when one is named.
"""

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from fhir_server.fhir import json_format
from fhir_server.search.clause import Clause
from fhir_server.search.joining import Criteria, Joining
from fhir_server.search.planning import make_plan
from fhir_server.search.resolving import Finder, resolved
from fhir_server.search.values.escapes import escape
from fhir_server.storage.query import By, Order
from fhir_server.storage.versions import Version
from fhir_server.terminology.library import Held

_MOST_ALIKE: Final = 20
"""How many definitions of one url are looked at; the ones changed last."""
_LAST_FIRST: Final = Order(By.UPDATED, descending=True)


class StoredDefinitions:
    """The library of what a finder may see."""

    def __init__(self, joining: Joining, finder: Finder) -> None:
        self._joining = joining
        self._finder = finder

    async def by_canonical(self, type_: str, url: str, version: str) -> Held | None:
        pairs = [("url", url), *([("version", version)] if version else [])]
        found = await self._find(type_, pairs)
        if len(found) > 1:
            found = [each for each in found if _is_active(each)] or found
        return _held(found[0]) if found else None

    async def versions(self, type_: str, url: str) -> list[str]:
        found = (
            msgspec.json.decode(each.content or b"{}", type=_Versioned)
            for each in await self._find(type_, [("url", url)])
        )
        return [each.version for each in found if each.version]

    async def by_id(self, type_: str, id_: str) -> Held | None:
        found = await self._find(type_, [("_id", id_)])
        return _held(found[0]) if found else None

    async def _find(self, type_: str, pairs: list[tuple[str, str]]) -> list[Version]:
        binding = self._joining.binding
        criteria: Criteria = ()
        for name, value in pairs:
            clause = Clause(name, None, (), (escape(value),), name)
            criteria += binding.criteria(type_, clause, self._joining)
        plan = await make_plan(
            binding.scheme(type_),
            await resolved(criteria, self._finder),
            self._finder.estimate,
            order=_LAST_FIRST,
        )
        page = await self._finder.find(replace(plan, limit=_MOST_ALIKE))
        return list(page.versions)


class _Versioned(msgspec.Struct):
    """What tells definitions of one url apart."""

    version: str = ""


def _held(version: Version) -> Held:
    assert version.content is not None  # noqa: S101 -- a search finds live versions only
    return Held(version.type, version.id, version.number, version.content)


def _is_active(version: Version) -> bool:
    resource: dict[str, Any] = json_format.parse(version.content or b"{}")
    return resource.get("status") == "active"
