"""Operations on concept maps: $translate.

https://hl7.org/fhir/R4/conceptmap-operations.html
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fhir_server.errors import BadRequest
from fhir_server.interactions.context import Context
from fhir_server.interactions.operations.asking import (
    ENCLOSED,
    asked_codes,
    finding,
    inquiry_of,
    stored_or_published,
)
from fhir_server.interactions.operations.operation import Call, Operation
from fhir_server.interactions.operations.results import Item, parameters, part, text, value
from fhir_server.interactions.request import Resource
from fhir_server.terminology.concept_map import Match, Question, translate
from fhir_server.terminology.expansion import Coded
from fhir_server.terminology.inquiry import Inquiry
from fhir_server.terminology.reading import objects
from fhir_server.terminology.reading import text as text_of


async def translate_code(call: Call, context: Context) -> Resource:
    """What stands for a code in another code system, by one concept map.

    NotFound when the map is not here. What is not mapped is no error: `result` is false.
    """
    inquiry = inquiry_of(call, context)
    with finding():
        resource = await _concept_map(call, context, inquiry)
        matches = [
            match
            for question in _questions(call)
            for match in await translate(question, resource, inquiry.concept_map)
        ]
    result = any(match.matches for match in matches)
    return parameters(
        value("result", "boolean", result),
        *text("message", "string", "" if result else _nothing(call, matches)),
        *(_match(each) for each in matches),
    )


def _nothing(call: Call, matches: list[Match]) -> str:
    if matches:
        return "The concept map says that nothing stands for it."
    wanted = call.arguments.text("targetsystem")
    return f"Nothing is mapped to it{f' in {wanted}' if wanted else ''}."


def _match(match: Match) -> Item:
    return part(
        "match",
        value("equivalence", "code", match.equivalence),
        *([value("concept", "Coding", match.concept)] if match.concept else []),
        *(
            part("product", value("element", "uri", element), value("concept", "Coding", concept))
            for element, concept in match.products
        ),
        value("source", "uri", match.source),
    )


async def _concept_map(call: Call, context: Context, inquiry: Inquiry) -> Mapping[str, Any]:
    """The map the operation is called on, or that is named or comes as an argument."""
    given = call.arguments
    if call.id is not None:
        return await stored_or_published("ConceptMap", call.id, call, context)
    enclosed = given.resources("conceptMap")
    if enclosed:
        return enclosed[0]
    url, version = given.text("url"), given.text("conceptMapVersion")
    if not url:
        raise BadRequest("Give the url of a concept map, or the conceptMap itself.")
    return await inquiry.concept_map(f"{url}|{version}" if version else url)


def _questions(call: Call) -> Iterator[Question]:
    """One for each coding that is to be translated."""
    given = call.arguments
    for asked in asked_codes(call, given.text("system"), given.text("version")):
        if not asked.system:
            raise BadRequest(f"{asked.place or 'The code'} needs a system to be translated.")
        yield Question(
            Coded(asked.system, asked.code),
            asked.version,
            given.text("targetsystem"),
            reverse=given.flag("reverse"),
            known=frozenset(_dependencies(call)),
        )


def _dependencies(call: Call) -> Iterator[tuple[str, str]]:
    """The values of other elements that came along, each with its element."""
    for parts in call.arguments.parts("dependency"):
        named = {text_of(each, "name"): each for each in parts}
        element = text_of(named.get("element", {}), "valueUri")
        concept = named.get("concept", {}).get("valueCodeableConcept")
        if not element or not isinstance(concept, dict):
            raise BadRequest("A dependency has two parts: element and concept.")
        for coding in objects(concept, "coding"):
            yield element, text_of(coding, "code")


OPERATIONS: Final = (
    Operation("ConceptMap", "translate", translate_code, ENCLOSED, frozenset({"source", "target"})),
)
