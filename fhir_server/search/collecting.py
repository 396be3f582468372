"""Collecting: what is done with the elements that a parameter finds.

An element of a type goes to the indexer of that type, or of the nearest type it is derived from:
an Age is indexed as the Quantity it is. Parts of a composite go together, in every combination
that belongs to one base element.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from itertools import product
from operator import attrgetter
from typing import Any, Final

from fhir_server.definitions.elements import ElementTable
from fhir_server.fhir.reference import Local, parse
from fhir_server.kit.remembering import text_remembered
from fhir_server.search.conditions import Decide, Reach, decider, reacher
from fhir_server.search.entries import Index, Indexed, Indexer
from fhir_server.search.extracting import Find, Shared
from fhir_server.search.gathering import Collect, Gathered
from fhir_server.search.measuring import Marks
from fhir_server.search.paths import Member, Part, Path, Truth, Tuple
from fhir_server.search.rewriting import Compiled
from fhir_server.search.schemes import PATIENT, Scheme, names_group
from fhir_server.search.values import composite, quantity
from fhir_server.search.values.table import indexers
from fhir_server.storage.versions import Key

_CODED: Final = frozenset({"code", "Coding", "CodeableConcept", "boolean", "canonical"})
"""Types of what is said again and again."""
_TIMES: Final = frozenset({"dateTime", "instant", "Period"})
_SUBJECTS: Final = frozenset({"Patient", "Encounter"})
_PARTIES: Final = frozenset({"Practitioner", "Organization", "Location"})
_PATIENTS_REMEMBERED: Final = 1024
_CONCEPTS_REMEMBERED: Final = 1024
_FEW: Final = 32
"""Keys of a concept that is remembered."""


def nearest(known: Collection[str], type_: str, elements: ElementTable) -> str | None:
    """The type itself, or the nearest it is derived from, that is known; None if none is."""
    current: str | None = type_
    while current is not None and current not in known:
        derived = elements.types.get(current)
        current = derived.base if derived else None
    return current


class Collectors:
    """Makes the collectors of parameters; `zone` and `base_url` are those of the values."""

    def __init__(self, elements: ElementTable, base_url: str, zone: tzinfo) -> None:
        self._elements = elements
        self._base_url = base_url
        self._zone = zone
        self._indexers = indexers(zone, base_url)

    def of_parameter(self, compiled: Compiled, marked: Indexed) -> Iterator[Find]:
        """What a parameter has the walk do; nothing for types that cannot be indexed."""
        for found in compiled.found:
            match found:
                case Path(type=type_):
                    indexer = self._indexer(compiled.type, type_)
                    if indexer is not None:
                        yield self._find(compiled.type, found, indexer(marked), marked)
                case Truth(condition):
                    index = self._indexers["token"]["boolean"](marked)
                    yield Find((), _truth(decider(condition), index))
                case Tuple(base, parts):
                    combined = list(self._combinations(parts, marked))
                    if combined:
                        marks = self._marks(parts, marked)
                        yield _find_together(base, parts, _together(parts, combined), marks)

    def of_members(self, scheme: Scheme) -> Iterator[Find]:
        """What tells the patients in whose compartments a resource is."""
        member = _member(self._base_url)
        for path in scheme.members:
            yield Find(path.steps, member, shared=_shared(path))
        if scheme.terms.type == PATIENT:
            yield Find((), _own_member)

    def _find(self, search_type: str, path: Path, index: Collect, marked: Indexed) -> Find:
        """What looks at one element; at a quantity from around it, its number apart."""
        last = path.steps[-1] if path.steps else None
        kind = self._nearest("quantity", path.type)
        amounts = quantity.AMOUNTS.get(kind)
        if (
            search_type != "quantity"
            or amounts is not quantity.quantity_amounts
            or not isinstance(last, Member)
        ):
            return Find(path.steps, index, shared=_shared(path))
        marks = quantity.marks_of(marked)
        return Find(
            path.steps[:-1],
            _of_member(last.key, index),
            needs=(last.key,),
            looks_at=(last.key,),
            marks=lambda values: marks(values[-1]),
        )

    def _marks(self, parts: Sequence[Part], marked: Indexed) -> Marks | None:
        """What marks the quantity of a composite, if that is all there is to it."""
        simple = all(
            not part.from_root
            and len(part.paths) == 1
            and len(part.paths[0].steps) == 1
            and isinstance(part.paths[0].steps[0], Member)
            for part in parts
        )
        if not simple:
            return None
        kinds = [(part.type, self._nearest(part.type, part.paths[0].type)) for part in parts]
        return composite.marks_of(kinds, marked, self._base_url)

    def _indexer(self, search_type: str, type_: str) -> Indexer | None:
        known = self._indexers.get(search_type, {})
        found = nearest(known, type_, self._elements)
        return None if found is None else known[found]

    def _combinations(self, parts: Sequence[Part], marked: Indexed) -> "Iterator[_Combination]":
        """Every choice of one path a part whose types can be indexed together."""
        for places in product(*(range(len(part.paths)) for part in parts)):
            kinds = [
                (part.type, self._nearest(part.type, part.paths[place].type))
                for part, place in zip(parts, places, strict=True)
            ]
            indexer = composite.indexer(kinds, self._zone, self._base_url)
            if indexer is not None:
                index: Collect = indexer(marked)
                yield _Combination(places, index)

    def _nearest(self, search_type: str, type_: str) -> str:
        return nearest(self._indexers.get(search_type, {}), type_, self._elements) or type_


@dataclass(frozen=True, slots=True)
class _Combination:
    places: tuple[int, ...]
    """Of each part, which of its paths."""
    index: Collect
    """Takes the elements as one tuple."""


def _together(parts: Sequence[Part], combined: Sequence[_Combination]) -> Collect:
    """Index each combination of elements; the last part is looked for first, as it is rare."""
    if len(parts) == 2 and len(combined) == 1 and not any(part.from_root for part in parts):
        one, two = (
            reacher((part.paths[place],))
            for part, place in zip(parts, combined[0].places, strict=True)
        )
        return _pair(one, two, combined[0].index)
    reaches: Sequence[Sequence[tuple[Reach, bool]]] = [
        [(reacher((path,)), part.from_root) for path in part.paths] for part in parts
    ]

    def collect(element: Any, gathered: Gathered) -> None:
        found = []
        for part in reversed(reaches):
            ends = [reach(gathered.resource if root else element) for reach, root in part]
            if not any(ends):
                return
            found.append(ends)
        found.reverse()
        for combination in combined:
            chosen = [ends[place] for ends, place in zip(found, combination.places, strict=True)]
            for elements in product(*chosen):
                combination.index(elements, gathered)

    return collect


def _pair(first: Reach, second: Reach, index: Collect) -> Collect:
    """`_together` of two parts in the one combination there is, as in most composites."""

    def collect(element: Any, gathered: Gathered) -> None:
        for right in second(element):
            for left in first(element):
                index((left, right), gathered)

    return collect


def _shared(path: Path) -> Shared | None:
    if path.type in _CODED:
        return Shared.CODES
    if path.type in _TIMES or not _SUBJECTS.isdisjoint(path.targets):
        return Shared.OCCASION
    return None if _PARTIES.isdisjoint(path.targets) else Shared.PARTIES


def _find_together(
    base: Path, parts: Sequence[Part], collect: Collect, marks: Marks | None
) -> Find:
    looks_at = [_first_members(part) for part in parts]
    return Find(
        base.steps,
        collect,
        needs=looks_at[-1],
        looks_at=tuple(dict.fromkeys(key for keys in looks_at for key in keys)),
        of_root=any(part.from_root or not keys for part, keys in zip(parts, looks_at, strict=True)),
        shared=Shared.CODES
        if all(path.type in _CODED for part in parts for path in part.paths)
        else None,
        marks=marks,
    )


def _first_members(part: Part) -> tuple[str, ...]:
    """Members of the base element of which one is there if the part is; none if not known."""
    firsts = [path.steps[0] if path.steps else None for path in part.paths]
    if part.from_root or not all(isinstance(first, Member) for first in firsts):
        return ()
    return tuple({first.key: None for first in firsts if isinstance(first, Member)})


def _of_member(key: str, index: Collect) -> Collect:
    def collect(element: Any, gathered: Gathered) -> None:
        value = element[key]
        for each in value if type(value) is list else (value,):
            index(each, gathered)

    return collect


def _truth(decide: Decide, index: Index) -> Collect:
    def collect(resource: Any, gathered: Gathered) -> None:
        truth = decide(resource)
        if truth is not None:
            index(truth, gathered)

    return collect


def _member(base_url: str) -> Collect:
    @text_remembered(_PATIENTS_REMEMBERED)
    def patient(text: str) -> str | None:
        match parse(text, base_url):
            case Local(type="Patient", id=id_):
                return id_
            case _:
                return None

    def collect(reference: Any, gathered: Gathered) -> None:
        text = reference.get("reference") if type(reference) is dict else None
        if type(text) is str and "Patient/" in text:
            id_ = patient(text)
            if id_ is not None:
                gathered.members.append(id_)

    return collect


def _own_member(patient: Any, gathered: Gathered) -> None:
    id_ = patient.get("id") if type(patient) is dict else None
    if type(id_) is str:
        gathered.members.append(id_)


def noting(find: Find, code: str, scheme: Scheme) -> Find:
    """The same, with the keys that drivers are made of kept aside, if this is such a code."""
    if code in scheme.codes:
        return replace(find, collect=_noting(find.collect, attrgetter("codes")))
    if code in scheme.categories:
        return replace(find, collect=_noting(find.collect, attrgetter("categories")))
    return find


def _noting(collect: Collect, aside: Callable[[Gathered], list[Key]]) -> Collect:
    named: dict[tuple[Key, ...], list[Key]] = {}

    def collect_and_note(value: Any, gathered: Gathered) -> None:
        before = len(gathered.keys)
        collect(value, gathered)
        new = tuple(gathered.keys[before:])
        if len(new) > _FEW:
            aside(gathered).extend([key for key in new if names_group(key)])
            return
        known = named.get(new)
        if known is None:
            if len(named) >= _CONCEPTS_REMEMBERED:
                named.clear()
            known = named[new] = [key for key in new if names_group(key)]
        aside(gathered).extend(known)

    return collect_and_note
