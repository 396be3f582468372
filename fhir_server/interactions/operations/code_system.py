"""Operations on code systems: $lookup, $validate-code, $subsumes.

https://hl7.org/fhir/R4/codesystem-operations.html
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fhir_server.errors import BadRequest, UnknownCode
from fhir_server.interactions.context import Context
from fhir_server.interactions.operations.asking import (
    ENCLOSED,
    asked_codes,
    finding,
    inquiry_of,
    languages_of,
    manner_of,
    stored_or_published,
)
from fhir_server.interactions.operations.operation import Call, Operation
from fhir_server.interactions.operations.results import Item, parameters, part, text, value
from fhir_server.interactions.operations.verdicts import answer
from fhir_server.interactions.request import Resource
from fhir_server.terminology.code_system import CodeSystem, read_code_system
from fhir_server.terminology.displays import display, names
from fhir_server.terminology.reading import text as text_of
from fhir_server.terminology.validating import validate_in_system
from fhir_server.terminology.value_set import Member

_HIERARCHY: Final = ("parent", "child")


async def lookup(call: Call, context: Context) -> Resource:
    """What is known of a code: its displays, its definition, its properties.

    NotFound for a code system that is not here, UnknownCode for a code it does not have.
    """
    system, version, code = _named(call, "code", "coding")
    with finding():
        source = await inquiry_of(call, context).code_system(system, version)
    known = source.known(code)
    if known is None:
        raise UnknownCode(f"The code system {source.canonical} has no code {code}.")
    languages = languages_of(call, {})
    member = Member(source.url, source.version, known, source, None)
    shown = display(member, languages)
    return parameters(
        value("name", "string", text_of(source.resource, "name") or source.url),
        *text("version", "string", source.version),
        value("display", "string", shown.value if shown is not None else known),
        value("code", "code", known),
        value("system", "uri", source.url),
        *text("definition", "string", text_of(member.concept, "definition")),
        value("abstract", "boolean", member.abstract),
        *_designations(member, call.arguments.texts("property")),
        *_properties(member, call.arguments.texts("property")),
    )


def _named(call: Call, code: str, coding: str) -> tuple[str, str, str]:
    """System, version and code: of a Coding, or given one by one."""
    given = call.arguments
    found = given.element(coding)
    if found is not None and code not in given:
        named = (text_of(found, "system"), text_of(found, "version"), text_of(found, "code"))
    else:
        named = (given.text("system"), given.text("version"), given.text(code))
    if not named[0] or not named[2]:
        raise BadRequest(f"Give system and {code}, or {coding} with both.")
    return named


def _designations(member: Member, wanted: Sequence[str]) -> Iterator[Item]:
    if wanted and not {"designation", "*"} & set(wanted):
        return
    for each in names(member):
        if not each.designation and not each.language:
            continue
        use = each.designation.get("use")
        yield part(
            "designation",
            *text("language", "code", each.language),
            *([value("use", "Coding", use)] if isinstance(use, dict) else []),
            value("value", "string", each.value),
        )


def _properties(member: Member, wanted: Sequence[str]) -> Iterator[Item]:
    """All that are wanted; where nothing is said, all there are."""
    every, source = not wanted or "*" in wanted, member.source
    assert source is not None  # noqa: S101 -- a lookup is of a code system that is here
    if every or "inactive" in wanted:
        yield _property("inactive", "Boolean", member.inactive)
    for name in _HIERARCHY:
        if every or name in wanted:
            for code in source.values(member.code, name):
                yield _property(name, "Code", code, _display_of(source, code))
    for each in source.properties(member.code):
        name = text_of(each, "code")
        meaning = source.kinds.get(name)
        if meaning not in {*_HIERARCHY, "subsumedBy", "inactive"} and (every or name in wanted):
            for key, content in each.items():
                if key.startswith("value"):
                    yield _property(name, key.removeprefix("value"), content)


def _property(name: str, type_: str, content: Any, description: str = "") -> Item:
    return part(
        "property",
        value("code", "code", name),
        value("value", type_, content),
        *text("description", "string", description),
    )


def _display_of(source: CodeSystem, code: str) -> str:
    return text_of(source.concepts.get(code, {}), "display")


async def validate_code(call: Call, context: Context) -> Resource:
    """Whether codes are of a code system."""
    given = call.arguments
    own = await _own(call, context)
    url = (own.url if own else "") or given.text("url")
    verdicts, asked_about = [], asked_codes(call, url, given.text("version"))
    inquiry = inquiry_of(call, context)
    for asked in asked_about:
        system = own or await inquiry.known_code_system(asked.system, asked.version)
        if url and asked.system not in ("", url):
            raise BadRequest(f"{asked.words} is not of the code system {url}.")
        if not asked.system:
            raise BadRequest("Give the url of the code system.")
        manner = manner_of(call, languages_of(call, {}))
        verdicts.append(await validate_in_system(asked, system, inquiry, manner))
    return answer(verdicts, given.element("codeableConcept"))


async def _own(call: Call, context: Context) -> CodeSystem | None:
    """The code system the operation is called on, or that came as an argument."""
    if call.id is not None:
        return read_code_system(await stored_or_published("CodeSystem", call.id, call, context))
    enclosed = call.arguments.resources("codeSystem")
    return read_code_system(enclosed[0]) if enclosed else None


async def subsumes(call: Call, context: Context) -> Resource:
    """How two codes lie to one another: equivalent, subsumes, subsumed-by or not-subsumed."""
    own = await _own(call, context)
    (one, version, first), (other, _, second) = _pair(call, own.url if own else "")
    if one != other:
        raise BadRequest(f"Codes of two code systems, {one} and {other}, cannot be compared.")
    with finding():
        system = own or await inquiry_of(call, context).code_system(one, version)
    a, b = (_known(system, code) for code in (first, second))
    if a == b:
        outcome = "equivalent"
    elif b in system.below(a):
        outcome = "subsumes"
    else:
        outcome = "subsumed-by" if a in system.below(b) else "not-subsumed"
    return parameters(value("outcome", "code", outcome))


def _pair(call: Call, url: str) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    given = call.arguments
    if url and "codeA" in given and "codeB" in given:
        return (url, "", given.text("codeA")), (url, "", given.text("codeB"))
    return _named(call, "codeA", "codingA"), _named(call, "codeB", "codingB")


def _known(system: CodeSystem, code: str) -> str:
    known = system.known(code)
    if known is None:
        raise UnknownCode(f"The code system {system.canonical} has no code {code}.")
    return known


_FURTHER: Final[Mapping[str, str]] = {
    **ENCLOSED,
    "lenient-display-validation": "boolean",
}
OPERATIONS: Final = (
    Operation("CodeSystem", "lookup", lookup, ENCLOSED, frozenset({"date"})),
    Operation("CodeSystem", "validate-code", validate_code, _FURTHER, frozenset({"date"})),
    Operation("CodeSystem", "subsumes", subsumes, ENCLOSED),
)
