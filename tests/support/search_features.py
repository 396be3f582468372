"""What a search uses beside plain parameters, by name, and which of it is not there yet.

Cases and random searches that use something of NOT_YET are left out; a test fails as soon as the
server answers what is named here, so that the table can only shrink.
"""

from collections.abc import Iterator, Mapping

from fhir_server.definitions.registry import Definitions
from tests.support.brute_force import filters
from tests.support.brute_force.query import Chain, Has, Name, Plain, parse

NOT_YET: Mapping[str, str] = {}
"""A search that is refused for it."""

_BY_NAME = frozenset({"_text", "_content", "_list", "_filter", "_type"})
_STORED = frozenset({"_id", "_lastUpdated"})


def used(url: str, definitions: Definitions) -> set[str]:
    """The names of what a search uses."""
    query = parse(url)
    found = {
        each
        for criterion in query.criteria
        for each in _of(query.type, criterion.name, definitions)
    }
    for criterion in query.criteria:
        if criterion.name == Plain("_filter"):
            tree = filters.read(criterion.values[0])
            found |= {f"token:{modifier}" for modifier in filters.modifiers(tree)}
    for name, value in query.controls:
        plain = name.partition(":")[0]
        found.add(f"{plain}={value}" if plain == "_summary" else plain)
    if query.compartment:
        found.add("compartment")
    elif not query.type:
        found.add("all types")
    return found


def is_there(url: str, definitions: Definitions) -> bool:
    """Whether the server has all that a search uses."""
    return NOT_YET.keys().isdisjoint(used(url, definitions))


def _of(type_: str, name: Name, definitions: Definitions) -> Iterator[str]:
    match name:
        case Has(of, _, rest):
            yield "_has"
            yield from _of(of, rest, definitions)
        case Chain(_, of, rest):
            yield "chain"
            yield from _of(of, rest, definitions) if of else ()
        case _ if name.name in _BY_NAME:
            yield name.name
        case _:
            known = definitions.search_parameter(type_, name.name) if type_ else None
            kind = known.type if known else "common"
            if kind == "special":
                yield "special"
            if name.modifier[:1].isupper():
                yield "reference:[type]"
            elif name.name in _STORED and name.modifier:
                yield f"{name.name}:{name.modifier}"
            elif name.modifier == "missing" and known and "resolve()" in (known.expression or ""):
                yield "reference:missing, of one type"
            elif name.modifier:
                yield f"{kind}:{name.modifier}"
