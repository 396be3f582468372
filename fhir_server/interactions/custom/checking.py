"""Whether what is about to be written defines search parameters that can be indexed.

https://hl7.org/fhir/R4/searchparameter.html

It is refused otherwise, so that no search parameter is there that finds nothing. Retired ones may
be as they are.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from fhir_server.definitions.registry import Definitions
from fhir_server.definitions.search_parameters import SearchParameter
from fhir_server.errors import FhirError
from fhir_server.interactions.custom.customs import TYPE, Customs, clash
from fhir_server.interactions.writing import Draft
from fhir_server.search.custom import custom_parameter, status_of
from fhir_server.search.indexable import refused

_CHECKED: Final = frozenset({"active", "draft"})


def check_drafts(
    drafts: Iterable[Draft],
    definitions: Definitions,
    customs: Customs,
    together: Sequence[Draft] = (),
) -> None:
    """Unprocessable for a SearchParameter that cannot be indexed.

    `together` are all drafts of a transaction: what they define, composites may name.
    """
    for draft in drafts:
        if draft.type == TYPE and draft.resource is not None:
            _check(draft, definitions, customs, together)


def _check(
    draft: Draft, definitions: Definitions, customs: Customs, together: Sequence[Draft]
) -> None:
    assert draft.resource is not None  # noqa: S101 -- the caller has looked
    status = status_of(draft.resource)
    if status not in _CHECKED:
        return
    others = [other for other in together if other is not draft]
    known = {**definitions.parameters_by_url, **customs.known}
    for _, other in _defined(others, definitions, known):
        if other.url not in definitions.parameters_by_url:
            known[other.url] = other
    parameter = custom_parameter(draft.resource, definitions, known)
    if parameter is None or status != "active":
        return
    active = [
        (each.id, other)
        for each, other in _defined(others, definitions, known)
        if each.resource is not None and each.resource.get("status") == "active"
    ]
    rewritten = {each.id for each in together if each.type == TYPE} | {draft.id}
    stored = [(each.resource, each) for each in customs.parameters]
    active += [(id_, other) for id_, other in stored if id_ not in rewritten]
    _require_free(parameter, active, definitions)


def _require_free(
    parameter: SearchParameter,
    others: Iterable[tuple[str, SearchParameter]],
    definitions: Definitions,
) -> None:
    for id_, other in others:
        type_ = clash(parameter, other, definitions)
        if type_ is not None:
            words = f"{parameter.code!r} is taken: {type_} has it by {TYPE}/{id_}; choose another."
            raise refused("code", words)


def _defined(
    drafts: Iterable[Draft], definitions: Definitions, known: dict[str, SearchParameter]
) -> Iterator[tuple[Draft, SearchParameter]]:
    """What other drafts define, as far as they can be read: each is checked by itself."""
    for draft in drafts:
        if draft.type != TYPE or draft.resource is None:
            continue
        try:
            parameter = custom_parameter(draft.resource, definitions, known)
        except FhirError:
            continue
        if parameter is not None:
            yield draft, parameter
