"""Whether a custom search parameter can be indexed at all, in words for who wrote it.

https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression

An alternative that begins at another type vanishes when a parameter is compiled. So each must lead
somewhere in some type that the parameter is for, and what is found must be of a type that the
index knows how to read.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Final

from fhir_server.definitions.elements import ElementTable
from fhir_server.definitions.search_parameters import SearchParameter
from fhir_server.errors import Unprocessable
from fhir_server.fhirpath import tree
from fhir_server.fhirpath.errors import FhirPathError
from fhir_server.search.collecting import nearest
from fhir_server.search.compiling import NotCompiled, alternatives, compile_node
from fhir_server.search.paths import Found, Path, Truth, Tuple
from fhir_server.search.values import composite
from fhir_server.search.values.table import indexers

_INDEXED: Final[Mapping[str, Mapping[str, object]]] = indexers()
"""By search type, the FHIR types that it can read."""


def refused(element: str, words: str) -> Unprocessable:
    """What is wrong with an element of a SearchParameter."""
    place = f"SearchParameter.{element}"
    return Unprocessable(f"{place}: {words}", expression=[place])


def require_indexable(
    parameter: SearchParameter, types: Sequence[str], elements: ElementTable
) -> tuple[str, ...]:
    """The bases it finds something in; Unprocessable unless all of it can be indexed.

    `types` are the concrete types of its bases.
    """
    parts = _alternatives(parameter.expression or "")
    found = {
        type_: [_compiled(part, parameter, type_, elements) for part in parts] for type_ in types
    }
    for at, part in enumerate(parts):
        ends = {end: None for type_ in types for end in found[type_][at]}
        if not ends:
            words = f"{part} leads to no element of {', '.join(parameter.base)}."
            raise refused("expression", words)
        _require_readable(part, parameter, tuple(ends), elements)
    reached = [type_ for type_ in types if any(found[type_])]
    return tuple(
        base for base in parameter.base if any(elements.is_a(type_, base) for type_ in reached)
    )


def _alternatives(expression: str) -> list[tree.Node]:
    try:
        return alternatives(expression)
    except FhirPathError as error:
        raise refused("expression", error.message) from None
    except RecursionError:
        raise refused("expression", "It is nested too deeply.") from None


def _compiled(
    node: tree.Node, parameter: SearchParameter, type_: str, elements: ElementTable
) -> tuple[Found, ...]:
    try:
        return compile_node(node, parameter, type_, elements)
    except NotCompiled as error:
        raise refused("expression", f"{node} cannot be indexed: {error}.") from None
    except FhirPathError as error:  # only a component is still to be parsed here
        raise refused("component", error.message) from None


def _require_readable(
    node: tree.Node,
    parameter: SearchParameter,
    ends: Iterable[Found],
    elements: ElementTable,
) -> None:
    kinds = set()
    for end in ends:
        match end:
            case Tuple():
                _require_parts(parameter, end, elements)
            case Truth():
                kinds.add("boolean")
            case Path(type=type_):
                kinds.add(type_)
    if kinds and not any(nearest(_INDEXED[parameter.type], kind, elements) for kind in kinds):
        raise refused("type", _other_type(str(node), parameter.type, sorted(kinds), elements))


def _other_type(where: str, wrong: str, kinds: Sequence[str], elements: ElementTable) -> str:
    right = [
        name
        for name, known in sorted(_INDEXED.items())
        if any(nearest(known, kind, elements) for kind in kinds)
    ]
    advice = f"; its type may be {' or '.join(right)}" if right else "; look at what is within it"
    return f"{where} is {' or '.join(kinds)}, which a {wrong} parameter cannot look at{advice}."


def _require_parts(parameter: SearchParameter, found: Tuple, elements: ElementTable) -> None:
    for at, part in enumerate(found.parts):
        known, place = _INDEXED[part.type], f"component[{at}]"
        expression = parameter.components[at].expression
        if not part.paths:
            words = f"{expression} leads to no element of {found.base.type}."
            raise refused(f"{place}.expression", words)
        kinds = sorted({path.type for path in part.paths})
        if not any(nearest(known, kind, elements) for kind in kinds):
            words = _other_type(expression, part.type, kinds, elements)
            raise refused(f"{place}.definition", words)
    if not _fit_together(found, elements):
        kinds = [part.type for part in found.parts]
        raise refused(
            "component",
            f"Parts of the types {', '.join(kinds)} cannot be indexed together: a token, reference "
            "or uri comes first, and then one part of any type, or two numbers.",
        )


def _fit_together(found: Tuple, elements: ElementTable) -> bool:
    choices = product(*(part.paths for part in found.parts))
    return any(
        composite.indexer(
            [
                (part.type, nearest(_INDEXED[part.type], path.type, elements) or path.type)
                for part, path in zip(found.parts, chosen, strict=True)
            ]
        )
        is not None
        for chosen in choices
    )
