"""From SearchParameter resources to the table of search parameters.

https://hl7.org/fhir/R4/searchparameter.html
"""

from collections.abc import Iterable, Mapping
from typing import Any

from fhir_server.definitions.search_parameters import Component, SearchParameter

_NOWHERE = "has neither a base nor an expression: nothing says where it applies"
_NO_EXPRESSION = "has no expression: nothing says which extension holds the value"
_NAMES_OF_NO_ELEMENT = frozenset({"_text", "_content", "_query", "_filter"})

NOT_SEARCHABLE = {
    "codesystem-extensions-CodeSystem-author": _NOWHERE,
    "codesystem-extensions-CodeSystem-effective": _NOWHERE,
    "codesystem-extensions-CodeSystem-end": _NOWHERE,
    "codesystem-extensions-CodeSystem-keyword": _NOWHERE,
    "codesystem-extensions-CodeSystem-workflow": _NOWHERE,
    "patient-extensions-Patient-age": _NO_EXPRESSION,
    "patient-extensions-Patient-birthOrderBoolean": _NO_EXPRESSION,
    "valueset-extensions-ValueSet-author": _NOWHERE,
    "valueset-extensions-ValueSet-effective": _NOWHERE,
    "valueset-extensions-ValueSet-end": _NOWHERE,
    "valueset-extensions-ValueSet-keyword": _NOWHERE,
    "valueset-extensions-ValueSet-workflow": _NOWHERE,
}
"""Ids of parameters that stay readable definitions, but that no search can use; with reasons."""

Json = dict[str, Any]


def compile_search_parameters(resources: Iterable[Json]) -> tuple[SearchParameter, ...]:
    """All usable parameters, by url.

    Raises ValueError for what would silently go wrong: a parameter without expression that
    is not named above, or two parameters with one code on one type.
    """
    by_url = {each["url"]: each for each in resources}
    usable = [each for _, each in sorted(by_url.items()) if each["id"] not in NOT_SEARCHABLE]
    parameters = tuple(_parameter(each, by_url) for each in usable)
    _refuse_unusable(parameters)
    _refuse_duplicates(parameters)
    return parameters


def _parameter(resource: Json, by_url: Mapping[str, Json]) -> SearchParameter:
    return SearchParameter(
        url=resource["url"],
        code=resource["code"],
        type=resource["type"],
        base=tuple(resource.get("base", ())),
        expression=resource.get("expression"),
        targets=tuple(resource.get("target", ())),
        components=tuple(
            Component(_parameter(by_url[each["definition"]], by_url), each["expression"])
            for each in resource.get("component", ())
        ),
        multiple_or=resource.get("multipleOr", True),
        multiple_and=resource.get("multipleAnd", True),
        comparators=tuple(resource.get("comparator", ())),
        modifiers=tuple(resource.get("modifier", ())),
        chains=tuple(resource.get("chain", ())),
    )


def _refuse_unusable(parameters: Iterable[SearchParameter]) -> None:
    for parameter in parameters:
        nameless = parameter.expression is None and parameter.code not in _NAMES_OF_NO_ELEMENT
        if nameless or not parameter.base:
            raise ValueError(
                f"{parameter.url} has no base or no expression: name it or leave it out"
            )


def _refuse_duplicates(parameters: Iterable[SearchParameter]) -> None:
    taken: dict[tuple[str, str], str] = {}
    for parameter in parameters:
        for base in parameter.base:
            other = taken.setdefault((base, parameter.code), parameter.url)
            if other != parameter.url:
                raise ValueError(f"{base}.{parameter.code} is both {other} and {parameter.url}")
