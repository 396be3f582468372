"""Custom search parameters: a SearchParameter resource becomes a definition that can be indexed.

https://hl7.org/fhir/R4/searchparameter.html

What the index cannot do is refused when it is written, with the element that is wrong and what
would be right; nothing is found out later, by a search that finds nothing.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from fhir_server.definitions.registry import Definitions
from fhir_server.definitions.search_parameters import Component, SearchParameter
from fhir_server.search.compiling import NotCompiled, compile_parameter
from fhir_server.search.indexable import refused, require_indexable
from fhir_server.search.query_string import CONTROLS
from fhir_server.search.values.table import VALUES

Json = Mapping[str, Any]
Known = Mapping[str, SearchParameter]
"""Definitions by canonical url, which components are named by."""

STATUSES: Final = ("draft", "active", "retired", "unknown")
_CODE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_RESERVED: Final = CONTROLS | {"_content", "_filter", "_has", "_list", "_query", "_text", "_type"}
_GENERAL: Final = frozenset({"Resource", "DomainResource"})
_MOST_CHARACTERS: Final = 10_000


def custom_parameter(
    resource: Json, definitions: Definitions, known: Known
) -> SearchParameter | None:
    """What a resource defines; None when the specification already defines just the same.

    Unprocessable names the element that is wrong, and what would be right. `definitions` are the
    published ones, `known` those that components may name. Of its base types, which guides list
    generously, those stay that the expression leads to something in.
    """
    url = _text(resource, "url")
    published = definitions.parameters_by_url.get(url)
    if published is not None and _is_copy(resource, published):
        return None
    search_type = _type(resource)
    parameter = SearchParameter(
        url,
        _code(resource),
        search_type,
        _base(resource, definitions),
        _expression(resource),
        targets=_targets(resource, definitions),
        components=_components(resource, search_type, known),
    )
    types = concrete_types(parameter, definitions)
    reached = require_indexable(parameter, types, definitions.elements)
    parameter = replace(parameter, base=reached)
    types = concrete_types(parameter, definitions)
    if _is_published(parameter, types, definitions):
        return None
    if published is not None:
        words = f"{url} names a parameter of the specification, which is another; choose another."
        raise refused("url", words)
    return parameter


def status_of(resource: Json) -> str:
    """The status; Unprocessable when it is none."""
    status = resource.get("status")
    if status not in STATUSES:
        raise refused("status", f"{_shown(status)} is no status; it is {_either(STATUSES)}.")
    return str(status)


def concrete_types(parameter: SearchParameter, definitions: Definitions) -> Sequence[str]:
    """The resource types that have the parameter, in order."""
    return [
        each for each in sorted(definitions.resource_types) if definitions.applies(parameter, each)
    ]


def _is_copy(resource: Json, published: SearchParameter) -> bool:
    """Whether a resource says of a published parameter what the specification says."""
    names = ("code", "type", "expression")
    return all(resource.get(name) == getattr(published, name) for name in names)


def _is_published(
    parameter: SearchParameter, types: Sequence[str], definitions: Definitions
) -> bool:
    """Whether all of its types have it already; Unprocessable when its code means another there."""
    taken = {each: definitions.search_parameter(each, parameter.code) for each in types}
    same = [
        each
        for each, other in taken.items()
        if other and _is_same(parameter, other, each, definitions)
    ]
    for type_, other in taken.items():
        if other is not None and (type_ not in same or len(same) < len(types)):
            raise refused(
                "code",
                f"{parameter.code!r} is taken: {type_} has it by the specification ({other.url}); "
                "choose another code.",
            )
    return bool(same)


def _is_same(
    parameter: SearchParameter, other: SearchParameter, type_: str, definitions: Definitions
) -> bool:
    if parameter.type != other.type or other.expression is None:
        return False
    try:
        found = compile_parameter(other, type_, definitions.elements)
    except NotCompiled:
        return False
    return set(compile_parameter(parameter, type_, definitions.elements)) == set(found)


def _text(resource: Json, name: str) -> str:
    value = resource.get(name)
    if not isinstance(value, str) or not value.strip():
        raise refused(name, f"It is {_shown(value)}, but a SearchParameter needs a {name}.")
    return value


def _code(resource: Json) -> str:
    code = _text(resource, "code")
    if not _CODE.fullmatch(code):
        raise refused(
            "code",
            f"{_shown(code)} cannot be the name of a parameter: that is a letter or _, and then "
            "up to 63 of the characters A-Z, a-z, 0-9, _ and -.",
        )
    if code in _RESERVED:
        raise refused("code", f"{code!r} has a meaning of its own in every search; choose another.")
    return code


def _type(resource: Json) -> str:
    search_type = resource.get("type")
    if search_type not in VALUES:
        raise refused("type", f"{_shown(search_type)} is no type; it is {_either(sorted(VALUES))}.")
    return str(search_type)


def _base(resource: Json, definitions: Definitions) -> tuple[str, ...]:
    return _types(resource, "base", definitions.resource_types | _GENERAL, needed=True)


def _targets(resource: Json, definitions: Definitions) -> tuple[str, ...]:
    return _types(resource, "target", definitions.resource_types | _GENERAL, needed=False)


def _types(resource: Json, name: str, known: frozenset[str], *, needed: bool) -> tuple[str, ...]:
    values = resource.get(name, [])
    if not isinstance(values, list) or (needed and not values):
        raise refused(name, f"A SearchParameter needs a list of resource types as its {name}.")
    for at, value in enumerate(values):
        if not isinstance(value, str) or value not in known:
            words = f"{_shown(value)} is not a resource type of FHIR R4, such as Patient."
            raise refused(f"{name}[{at}]", words)
    return tuple(dict.fromkeys(values))


def _expression(resource: Json) -> str:
    expression = resource.get("expression")
    if not isinstance(expression, str) or not expression.strip():
        raise refused(
            "expression",
            "It is missing, so that nothing says where to look; it is FHIRPath such as "
            "Patient.birthDate.",
        )
    if len(expression) > _MOST_CHARACTERS:
        words = f"It has {len(expression)} characters; at most {_MOST_CHARACTERS} are taken."
        raise refused("expression", words)
    return expression


def _components(resource: Json, search_type: str, known: Known) -> tuple[Component, ...]:
    components = resource.get("component", [])
    if search_type != "composite":
        if components:
            raise refused("component", f"Only a composite has components, not a {search_type}.")
        return ()
    if not isinstance(components, list) or len(components) < 2:
        raise refused("component", "A composite needs two components or more.")
    return tuple(_component(each, f"component[{at}]", known) for at, each in enumerate(components))


def _component(component: Any, place: str, known: Known) -> Component:
    named = component.get("definition") if isinstance(component, dict) else None
    if not isinstance(named, str):
        words = "It is the canonical url, a text, of the SearchParameter that the part is like."
        raise refused(f"{place}.definition", words)
    parameter = known.get(named) or known.get(named.rpartition("|")[0])
    if parameter is None:
        raise refused(f"{place}.definition", f"No SearchParameter is known by {_shown(named)}.")
    if parameter.type in {"composite", "special"}:
        words = f"{named} is {parameter.type}; a part may be of any other type."
        raise refused(f"{place}.definition", words)
    expression = component.get("expression")
    if not isinstance(expression, str) or not 0 < len(expression.strip()) <= _MOST_CHARACTERS:
        words = "It is missing: FHIRPath from what the composite looks at, such as code."
        raise refused(f"{place}.expression", words)
    return Component(parameter, expression)


def _shown(value: object) -> str:
    """A value as it was sent, cut to be told."""
    return "missing" if value is None else repr(value)[:80]


def _either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
