"""Including: from the matches of a page to what they refer to, and to what refers to them.

https://hl7.org/fhir/R4/search.html#include

Each resource is on a page once; a match stays a match. What cannot be found is left out. Where a
limit ends it, the answer says so.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from msgspec.structs import replace

from fhir_server.fhir.outcome import Issue
from fhir_server.fhir.reference import Elsewhere, Local
from fhir_server.interactions.context import Context
from fhir_server.search.controls import Inclusion
from fhir_server.search.glancing import glance_at_members
from fhir_server.search.including import Named
from fhir_server.search.values.escapes import escape
from fhir_server.storage.query import Plan
from fhir_server.storage.versions import Position, Version

_AT_ONCE: Final = 200
"""Resources asked for together."""

_Key = tuple[str, str, int]
"""Type, id and number of a version."""


@dataclass(slots=True)
class Included:
    """What was found beside the matches."""

    versions: list[Version] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


async def include(
    matches: Sequence[Version], inclusions: tuple[Inclusion, ...], context: Context
) -> Included:
    """All that the inclusions lead to, within the limits of the house."""
    if not inclusions or not matches:
        return Included()
    gathering = _Gathering(matches, context)
    iterating = tuple(each for each in inclusions if each.iterate)
    fresh, followed = matches, inclusions
    for _ in range(context.searching.sizes.depth):
        fresh = await gathering.step(fresh, followed)
        followed = iterating
        if not fresh or not followed or gathering.full:
            return gathering.included()
    if await gathering.leads_on(fresh, followed):
        gathering.tell(
            f"What is more than {context.searching.sizes.depth} links away from a match was not "
            "included."
        )
    return gathering.included()


class _Gathering:
    """What is on the page so far."""

    def __init__(self, matches: Sequence[Version], context: Context) -> None:
        self.full = False
        """Whether there is no room for more."""
        self._context = context
        self._linking = context.searching.linking
        self._most = context.searching.sizes.included
        self._known = set(map(_key, matches))
        self._current = {(each.type, each.id) for each in matches}
        self._found: list[Version] = []
        self._issues: list[Issue] = []

    def included(self) -> Included:
        return Included(self._found, self._issues)

    def tell(self, words: str) -> None:
        self._issues.append(Issue("warning", "incomplete", words))

    async def step(
        self, fresh: Sequence[Version], inclusions: tuple[Inclusion, ...]
    ) -> Sequence[Version]:
        """What is one link away from these resources and not known yet."""
        before = len(self._found)
        await self._add_named(self._named(fresh, inclusions))
        reverse = any(each.reverse for each in inclusions)
        for type_, some in _by_type(fresh).items() if reverse else ():
            for source, codes in self._linking.referring(type_, inclusions).items():
                await self._add_referring(source, codes, some)
        return self._found[before:]

    async def leads_on(self, fresh: Sequence[Version], inclusions: tuple[Inclusion, ...]) -> bool:
        """Whether another step would find something; nothing of it is kept."""
        kept, most = list(self._found), self._most
        self._most, issues = len(kept) + 1, list(self._issues)
        further = await self.step(fresh, inclusions)
        self._found, self._most, self._issues = kept, most, issues
        return bool(further)

    def _named(
        self, fresh: Sequence[Version], inclusions: tuple[Inclusion, ...]
    ) -> Iterator[Named]:
        for type_, some in _by_type(fresh).items():
            name = self._linking.naming(type_, inclusions)
            if name is not None:
                yield from name(some)

    async def _add_named(self, named: Iterable[Named]) -> None:
        ids: dict[str, list[str]] = {}
        urls: dict[str, dict[str, set[str | None]]] = {}
        for reference, types in named:
            match reference:
                case Local(type_, id_, None):
                    if (type_, id_) not in self._current:
                        ids.setdefault(type_, []).append(id_)
                case Local(type_, id_, str(number)):
                    await self._add_version(type_, id_, number)
                case Elsewhere(url, stated):
                    for type_ in filter(self._linking.has_url, types):
                        urls.setdefault(type_, {}).setdefault(url, set()).add(stated)
        for type_, some in ids.items():
            await self._add_current(type_, some)
        for type_, wanted in urls.items():
            await self._add_defined(type_, wanted)

    async def _add_current(self, type_: str, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), _AT_ONCE):
            if self.full:
                return
            some = ids[start : start + _AT_ONCE]
            versions = await self._context.repository.current_many(type_, some)
            for id_ in some:
                if id_ in versions:
                    self._add(versions[id_], current=True)

    async def _add_version(self, type_: str, id_: str, number: str) -> None:
        if self.full or not (number.isascii() and number.isdigit() and len(number) < _DIGITS):
            return
        if (type_, id_, int(number)) not in self._known:
            version = await self._context.repository.version(type_, id_, int(number))
            if version is not None:
                self._add(version)

    async def _add_defined(self, type_: str, wanted: Mapping[str, set[str | None]]) -> None:
        """Definitions by their urls, of any version or of the one that is stated."""
        plan = self._context.searching.referring_plan(type_, ["url"], list(map(escape, wanted)))
        async for version in self._pages(plan):
            url, stated = _identity(version)
            if {None, stated} & wanted.get(url, set()):
                self._add(version, current=True)

    async def _add_referring(
        self, source: str, codes: Sequence[str], targets: Sequence[Version]
    ) -> None:
        for start in range(0, len(targets), _AT_ONCE):
            if self.full:
                return
            some = targets[start : start + _AT_ONCE]
            values = [f"{version.type}/{version.id}" for version in some]
            if self._linking.has_url(some[0].type):
                urls = (_identity(version)[0] for version in some)
                values += [escape(url) for url in urls if self._linking.is_url(url)]
            plan = self._context.searching.referring_plan(source, codes, values)
            async for version in self._pages(plan):
                self._add(version, current=True)

    def _add(self, version: Version, *, current: bool = False) -> None:
        if version.content is None or _key(version) in self._known:
            return
        if len(self._found) >= self._most:
            if not self.full:
                self.tell(
                    f"More than {self._most} resources would have been included; the rest was "
                    "left out. Ask for fewer matches at once with _count, or follow fewer links."
                )
            self.full = True
            return
        self._known.add(_key(version))
        self._found.append(version)
        if current:
            self._current.add((version.type, version.id))

    async def _pages(self, plan: Plan) -> AsyncIterator[Version]:
        """The matches of a plan, until there is no room for more."""
        after: Position | None = None
        while not self.full:
            page = await self._context.repository.find(replace(plan, after=after, limit=_AT_ONCE))
            for version in page.versions:
                yield version
            if page.next is None:
                return
            after = page.next


_key: Final[Callable[[Version], _Key]] = attrgetter("type", "id", "number")


def _by_type(versions: Sequence[Version]) -> Mapping[str, Sequence[Version]]:
    found: dict[str, list[Version]] = {}
    for version in versions:
        found.setdefault(version.type, []).append(version)
    return found


def _identity(version: Version) -> tuple[str, str | None]:
    """The url by which a definition is known, empty if there is none, and its business version."""
    seen = _glance_at_identity(version.content or b"{}")
    url, stated = seen.get("url"), seen.get("version")
    return url if isinstance(url, str) else "", stated if isinstance(stated, str) else None


_glance_at_identity = glance_at_members(("url", "version"))
_DIGITS: Final = 18
