"""Parameters: a definition with its paths becomes a parameter ready for values.

https://hl7.org/fhir/R4/searchparameter.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from fhir_server.definitions.elements import ElementTable
from fhir_server.definitions.search_parameters import SearchParameter
from fhir_server.search import keys
from fhir_server.search.bound import Bound
from fhir_server.search.catalog import TypeCatalog
from fhir_server.search.collecting import nearest
from fhir_server.search.criterion import Rank
from fhir_server.search.entries import Indexed
from fhir_server.search.paths import Found, Path, Tuple
from fhir_server.search.rewriting import Derivation
from fhir_server.search.schemes import Scheme
from fhir_server.search.values.parameter import Component, Parameter
from fhir_server.search.values.table import VALUES, indexers

_INDEXED_TYPES: Final[Mapping[str, frozenset[str]]] = {
    search_type: frozenset(by_type) for search_type, by_type in indexers().items()
}
"""FHIR types that have an indexer, by search type."""

_RANKS: Final[Mapping[str, Rank]] = {
    "composite": Rank.TOKEN,
    "date": Rank.INTERVAL,
    "number": Rank.INTERVAL,
    "quantity": Rank.INTERVAL,
    "reference": Rank.REFERENCE,
    "special": Rank.INTERVAL,
    "string": Rank.STRING,
    "token": Rank.TOKEN,
    "uri": Rank.URI,
}
_FEW_VALUED: Final = frozenset({"code", "boolean"})
"""Types of tokens that have few values, each in many resources."""


def ready_parameter(
    code: str, catalog: TypeCatalog, scheme: Scheme, elements: ElementTable
) -> Bound | None:
    """The parameter of a type; None when it is of a search type that is not built."""
    compiled, definition = catalog.compiled[code], catalog.definitions[code]
    if compiled.type not in VALUES:
        return None
    own = _parameter(definition, compiled.found, catalog.marked(code), elements)
    derivation = catalog.derived.get(code, Derivation((code,)))
    if derivation.target is not None:
        own = replace(own, targets=(derivation.target,))
    return Bound(
        tuple(replace(own, indexed=catalog.marked(it)) for it in derivation.codes),
        compiled.type,
        VALUES[compiled.type],
        derivation.target,
        _rank(compiled.type, own, scheme),
        scheme,
        paired=code in scheme.codes or code in scheme.categories,
        alone=code in scheme.codes,
        main_date=scheme.main_date == keys.interval_key(own.indexed),
    )


def _parameter(
    definition: SearchParameter, found: Sequence[Found], marked: Indexed, elements: ElementTable
) -> Parameter:
    tuples = [each for each in found if isinstance(each, Tuple)]
    paths = [each for each in found if isinstance(each, Path)]
    return replace(
        _read(definition, paths, marked, elements, truth=len(paths) < len(found) - len(tuples)),
        components=tuple(
            Component(
                component.parameter.type,
                _read(
                    component.parameter,
                    [path for each in tuples for path in each.parts[place].paths],
                    marked,
                    elements,
                ),
            )
            for place, component in enumerate(definition.components)
        ),
    )


def _read(
    definition: SearchParameter,
    paths: Sequence[Path],
    marked: Indexed,
    elements: ElementTable,
    *,
    truth: bool = False,
) -> Parameter:
    """How values are read that are compared with what lies at the ends of these paths."""
    known = _INDEXED_TYPES.get(definition.type, frozenset())
    types = {nearest(known, path.type, elements) for path in paths} - {None}
    systems = {path.system for path in paths if path.type == "code"}
    return Parameter(
        definition.code,
        marked,
        targets=_targets(definition, paths),
        system=systems.pop() if len(systems) == 1 else None,
        url=definition.url,
        types=frozenset(type_ for type_ in types if type_) | ({"boolean"} if truth else set()),
    )


def _targets(definition: SearchParameter, paths: Sequence[Path]) -> tuple[str, ...]:
    """Types a reference may point to, by the parameter and by the elements it looks at."""
    allowed = {target for path in paths for target in path.targets or ("Resource",)}
    if "Resource" in allowed or not allowed:
        return definition.targets
    narrowed = tuple(target for target in definition.targets if target in allowed)
    return narrowed or definition.targets or tuple(sorted(allowed))


def _rank(search_type: str, parameter: Parameter, scheme: Scheme) -> Rank:
    if search_type == "token":
        if parameter.types == {"Identifier"}:
            return Rank.IDENTIFIER
        if parameter.code in scheme.categories or parameter.types <= _FEW_VALUED:
            return Rank.CATEGORY
    return _RANKS[search_type]
