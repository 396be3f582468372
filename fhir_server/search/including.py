"""Including: whom a resource refers to, and who refers to it, by reference parameters.

https://hl7.org/fhir/R4/search.html#include

    _include=Encounter:subject:Patient     from a match to what it refers to
    _revinclude=Provenance:target          from a match to what refers to it

Only what the definitions say is known here; what is followed is asked for in `interactions`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple

from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.fhir.reference import Elsewhere, Local, Reference, parse
from fhir_server.kit.remembering import remembered
from fhir_server.search.catalog import Catalog
from fhir_server.search.clause import shown
from fhir_server.search.conditions import names_type, reacher
from fhir_server.search.controls import Inclusion
from fhir_server.search.glancing import Glance, glance_at
from fhir_server.search.parameters import ready_parameter
from fhir_server.search.paths import Member, Only, Path, RefersTo
from fhir_server.search.schemes import Scheme
from fhir_server.storage.versions import Version

_MOST_NEAREST: Final = 3
_MOST_READ: Final = 16_384
"""Versions of which it is remembered what they refer to: about as many times half a kilobyte."""
_FEW_TEXTS: Final = 8
"""References of a version that is remembered."""
_CANONICALS: Final = frozenset({"canonical", "uri"})
"""FHIR types that name a definition by its url."""


class Named(NamedTuple):
    """What a resource names, and where it may be found."""

    reference: Local | Elsewhere
    types: tuple[str, ...]
    """Types a definition named by its url may have; the only types meant, if it is local."""


Naming = Callable[[Sequence[Version]], Sequence[Named]]
"""What resources name, each once: parameter by parameter, in the order it stands there."""
_Texts = tuple[tuple[str, ...], ...]
"""By place, the texts by which a version refers to others."""


class Linking:
    """How resources are linked by their parameters; what it makes of definitions is kept."""

    def __init__(self, catalog: Catalog, scheme: Callable[[str], Scheme], base_url: str) -> None:
        self._catalog = catalog
        self._types = catalog.definitions.resource_types
        self._scheme = scheme
        self._parse: Callable[[str], Reference | None] = remembered(8192)(
            lambda text: parse(text, base_url)
        )
        self.naming: Callable[[str, tuple[Inclusion, ...]], Naming | None] = lru_cache(1024)(
            self._naming
        )
        """How resources of a type name what these inclusions follow; None when none does."""
        self.referring: Callable[[str, tuple[Inclusion, ...]], Mapping[str, Sequence[str]]] = (
            lru_cache(1024)(self._referring)
        )
        """The types, each with its parameters, whose resources may refer to a type."""
        self._targets = lru_cache(4096)(self._find_targets)
        self._read: dict[tuple[object, int, int, int], _Texts] = {}
        """What versions say that were looked at lately: they never change."""

    def require(self, inclusion: Inclusion, types: Sequence[str]) -> None:
        """UnknownParameter or BadRequest unless it can include something in a search of `types`."""
        if inclusion.source is not None:
            self._require_type(inclusion, inclusion.source)
        if inclusion.target is not None:
            self._require_type(inclusion, inclusion.target)
        if inclusion.code is not None:
            self._require_reference(inclusion)
        if not inclusion.iterate:
            self._require_begins(inclusion, types)

    def links(self, type_: str) -> Sequence[str]:
        """The reference parameters of a type, in order of their codes."""
        compiled = self._catalog.of(type_).compiled
        return sorted(code for code, each in compiled.items() if each.type == "reference")

    def targets(self, type_: str, code: str) -> tuple[str, ...]:
        """Types that a reference parameter may lead to."""
        return self._targets(type_, code)

    def has_url(self, type_: str) -> bool:
        """Whether resources of a type are definitions, known by a url."""
        return "url" in self._catalog.of(type_).compiled

    def is_url(self, text: str) -> bool:
        """Whether others may name a definition by this text."""
        return isinstance(self._parse(text), Elsewhere)

    def _require_type(self, inclusion: Inclusion, type_: str) -> None:
        if type_ in self._types:
            return
        close = get_close_matches(type_[:64], sorted(self._types), _MOST_NEAREST)
        advice = f" Did you mean {' or '.join(close)}?" if close else ""
        raise BadRequest(
            f"{inclusion.name}: {shown(type_)!r} is not a resource type of FHIR R4.{advice}"
        )

    def _require_reference(self, inclusion: Inclusion) -> None:
        source, code = inclusion.source or "", inclusion.code or ""
        links = self.links(source)
        if code not in links:
            known = self._catalog.of(source).definitions.get(code)
            what = "has no search parameter" if known is None else f"has a {known.type} parameter"
            close = get_close_matches(code[:64], links, _MOST_NEAREST) or links
            advice = f"; its references are {', '.join(close)}" if close else ""
            raise UnknownParameter(f"{inclusion.name}: {source} {what} {shown(code)!r}{advice}.")
        targets = self.targets(source, code)
        if inclusion.target is not None and inclusion.target not in targets:
            raise BadRequest(
                f"{inclusion.name}: {source}:{code} refers to {_listed(targets)}, "
                f"not to {inclusion.target}."
            )

    def _require_begins(self, inclusion: Inclusion, types: Sequence[str]) -> None:
        """Only matches are followed, so that there must be matches that can be."""
        if not inclusion.reverse:
            begins = inclusion.source in {None, *types}
        else:
            begins = any(self.referring(type_, (inclusion,)) for type_ in types)
        if not begins:
            way = "does not begin at" if not inclusion.reverse else "never refers to"
            raise BadRequest(
                f"{inclusion.name}: {inclusion.written} {way} {_listed(types)}, which is searched "
                f"for; to follow what was included, write {inclusion.name}:iterate."
            )

    def _naming(self, type_: str, inclusions: tuple[Inclusion, ...]) -> Naming | None:
        followed = dict.fromkeys(self._followed(type_, inclusions))
        places = [
            _place(path, types, target)
            for code, target in followed
            for path, types in self._paths(type_, code)
        ]
        if not places:
            return None
        glance = glance_at(path for code, _ in followed for path, _ in self._paths(type_, code))

        whose = object()

        def name(versions: Sequence[Version]) -> Sequence[Named]:
            by_version = [self._texts(version, places, glance, whose) for version in versions]
            by_place = zip(places, zip(*by_version, strict=True), strict=bool(versions))
            named = (
                self._named(text, place)
                for place, texts in by_place
                for text in dict.fromkeys(chain.from_iterable(texts))
            )
            return [each for each in dict.fromkeys(named) if each is not None]

        return name

    def _texts(
        self, version: Version, places: Sequence["_Place"], glance: Glance, whose: object
    ) -> _Texts:
        """To read a version takes longer than to find out that it was read for the same places."""
        key = (whose, version.ordinal, version.number, version.updated)
        known = self._read.get(key)
        if known is None:
            resource = glance(version.content) if version.content is not None else {}
            known = tuple([tuple(place.read(resource)) for place in places])
            if sum(map(len, known)) <= _FEW_TEXTS:
                if len(self._read) >= _MOST_READ:
                    del self._read[next(iter(self._read))]
                self._read[key] = known
        return known

    def _followed(
        self, type_: str, inclusions: Sequence[Inclusion]
    ) -> Iterator[tuple[str, str | None]]:
        """The parameters of a type that are followed, and to which type only."""
        for each in inclusions:
            if not each.reverse and each.source in {None, type_}:
                for code in self.links(type_) if each.code is None else (each.code,):
                    yield code, each.target

    def _paths(self, type_: str, code: str) -> Iterator[tuple[Path, tuple[str, ...]]]:
        compiled = self._catalog.of(type_).compiled[code]
        for found in compiled.found:
            if isinstance(found, Path):
                yield found, self.targets(type_, code)

    def _named(self, text: str, place: "_Place") -> Named | None:
        if place.refers is not None and not names_type(text, place.refers):
            return None
        reference = self._parse(text)
        match reference:
            case Local(type=type_) if place.target in {None, type_} and type_ in self._types:
                return Named(reference, (type_,))
            case Elsewhere() if place.canonical:
                types = place.types if place.target is None else (place.target,)
                return Named(reference, types)
        return None

    def _referring(
        self, type_: str, inclusions: tuple[Inclusion, ...]
    ) -> Mapping[str, Sequence[str]]:
        found: dict[str, dict[str, None]] = {}
        for each in inclusions:
            if not each.reverse or each.target not in {None, type_}:
                continue
            for source in (each.source,) if each.source else sorted(self._types):
                for code in self.links(source) if each.code is None else (each.code,):
                    if type_ in self.targets(source, code):
                        found.setdefault(source, {})[code] = None
        return {source: list(codes) for source, codes in found.items()}

    def _find_targets(self, type_: str, code: str) -> tuple[str, ...]:
        catalog, elements = self._catalog.of(type_), self._catalog.definitions.elements
        bound = ready_parameter(code, catalog, self._scheme(type_), elements)
        targets = bound.places[0].targets if bound is not None else ()
        known = tuple(sorted(self._types)) if not targets or "Resource" in targets else targets
        return tuple(each for each in known if each in self._types)


_Read = Callable[[dict[str, Any]], Sequence[str]]
"""The texts by which a resource refers to others."""


class _Place(NamedTuple):
    """Where references lie that are followed."""

    read: _Read
    refers: str | None
    """The only type that references there are to name; None for any."""
    canonical: bool
    types: tuple[str, ...]
    target: str | None


def _place(path: Path, types: tuple[str, ...], target: str | None) -> _Place:
    """A filter by type at the end of a path is left for the texts, of which there are fewer."""
    refers: str | None = None
    match path.steps:
        case [*steps, Only(RefersTo(type_))]:
            path, refers = replace(path, steps=tuple(steps)), type_
    return _Place(_reader(path), refers, path.type in _CANONICALS, types, target)


def _reader(path: Path) -> _Read:
    reach = reacher((path,))

    def read(resource: dict[str, Any]) -> Sequence[str]:
        elements = reach(resource)
        texts = [each.get("reference") if type(each) is dict else each for each in elements]
        return [text for text in texts if type(text) is str]

    match path.steps:
        case [Member(member)]:
            return _reader_of(member, read)
    return read


def _reader_of(member: str, read: _Read) -> _Read:
    """The same where one reference is the only element, as it mostly is."""

    def read_one(resource: dict[str, Any]) -> Sequence[str]:
        element = resource.get(member)
        text = element.get("reference") if type(element) is dict else None
        if type(text) is str:
            return (text,)
        return read(resource) if element is not None else ()

    return read_one


def _listed(types: Sequence[str]) -> str:
    return " or ".join(types) if len(types) <= _MOST_LISTED else f"{len(types)} types"


_MOST_LISTED: Final = 10
