"""Operations on value sets: $expand and $validate-code.

https://hl7.org/fhir/R4/valueset-operations.html
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from fhir_server.errors import BadRequest, NoDefinition, NotFound, NotLoaded
from fhir_server.fhir.temporal import instant
from fhir_server.interactions.context import Context
from fhir_server.interactions.operations.asking import (
    ENCLOSED,
    VERSIONS,
    asked_codes,
    finding,
    inquiry_of,
    languages_of,
    manner_of,
    stored_or_published,
)
from fhir_server.interactions.operations.operation import Call, Operation
from fhir_server.interactions.operations.verdicts import answer
from fhir_server.interactions.request import Resource
from fhir_server.terminology.expanding import Expansion, Wanted, expand
from fhir_server.terminology.inquiry import Inquiry
from fhir_server.terminology.validating import (
    infer_system,
    not_inside,
    unknown_value_set,
    validate_in_value_set,
)
from fhir_server.terminology.value_set import ValueSet
from fhir_server.terminology.verdict import Asked, Finding, Verdict

_ECHOED: Final = (
    "filter",
    "offset",
    "count",
    "activeOnly",
    "excludeNested",
    "excludeNotForUI",
    "includeDesignations",
    "includeDefinition",
    "displayLanguage",
    "exclude-system",
    "system-version",
    "check-system-version",
    "force-system-version",
)
"""Arguments that an expansion tells again, as it depends on them."""
_NOT_OF_EXPANSION: Final = frozenset({"compose", "text", "contained", "expansion", "id", "meta"})


async def expand_value_set(call: Call, context: Context) -> Resource:
    """The value set with its codes written out.

    NotFound when it, or a code system it needs, is not here; TooCostly with the number of codes.
    """
    inquiry = inquiry_of(call, context)
    with finding():
        value_set = await _value_set(call, context, inquiry)
        await _require_supplements(call, inquiry)
        _require_versions(value_set, inquiry)
        wanted = _wanted(call, value_set)
        found = await expand(value_set, wanted, context.searching.terminology.most_codes)
    resource = value_set.resource
    shown = {
        name: member
        for name, member in resource.items()
        if name not in _NOT_OF_EXPANSION
        or (name == "compose" and call.arguments.flag("includeDefinition"))
    }
    base = {"resourceType": "ValueSet", "status": "active"}
    return {**base, **shown, "expansion": _written(call, found, wanted, context)}


def _written(call: Call, found: Expansion, wanted: Wanted, context: Context) -> Mapping[str, Any]:
    paged = wanted.count is not None or wanted.offset > 0
    echoed = [each for name in _ECHOED for each in _echo(call, name)]
    if wanted.languages.asked and "displayLanguage" not in call.arguments:
        echoed.append({"name": "displayLanguage", "valueString": wanted.languages.asked})
    written = {
        "identifier": f"urn:uuid:{uuid4()}",
        "timestamp": instant(context.repository.stamp.clock.now()),
        "total": found.total,
        **({"offset": wanted.offset} if paged else {}),
        "parameter": [*echoed, *found.used],
        "contains": found.contains,
    }
    return {name: each for name, each in written.items() if each != []}


def _echo(call: Call, name: str) -> Sequence[Mapping[str, Any]]:
    given = call.arguments
    if name not in given:
        return ()
    if name in {"offset", "count"}:
        return [{"name": name, "valueInteger": given.number(name)}]
    if name in VERSIONS or name == "exclude-system":
        return [{"name": name, "valueUri": each} for each in given.texts(name)]
    if name in {"filter", "displayLanguage"}:
        return [{"name": name, "valueString": given.text(name)}]
    return [{"name": name, "valueBoolean": given.flag(name)}]


def _wanted(call: Call, value_set: ValueSet) -> Wanted:
    given = call.arguments
    return Wanted(
        given.text("filter"),
        given.number("offset") or 0,
        given.number("count"),
        active_only=given.flag("activeOnly"),
        selectable_only=given.flag("excludeNotForUI"),
        nested=not given.flag("excludeNested"),
        designations=given.flag("includeDesignations"),
        properties=frozenset(given.texts("property")),
        languages=languages_of(call, value_set.resource),
        without=frozenset(given.texts("exclude-system")),
    )


async def _value_set(call: Call, context: Context, inquiry: Inquiry) -> ValueSet:
    """The value set the operation is called on, or that is named or comes as an argument."""
    given = call.arguments
    if call.id is not None:
        resource = await stored_or_published("ValueSet", call.id, call, context)
        return await inquiry.value_set_of(f"ValueSet/{call.id}", resource)
    enclosed = given.resources("valueSet")
    if enclosed:
        return await inquiry.value_set_of(str(enclosed[0].get("url", "given")), enclosed[0])
    name = _named(call)
    if not name:
        raise BadRequest("Give the url of a value set, or the valueSet itself.")
    return await inquiry.value_set(name)


def _named(call: Call) -> str:
    """The canonical of the value set that is named; empty when none is."""
    url, version = call.arguments.text("url"), call.arguments.text("valueSetVersion")
    return f"{url}|{version}" if version else url


async def _require_supplements(call: Call, inquiry: Inquiry) -> None:
    """NotLoaded for what is to be added to code systems and is not here."""
    for canonical in call.arguments.texts("useSupplement"):
        await inquiry.supplement(canonical)


def _require_versions(value_set: ValueSet, inquiry: Inquiry) -> None:
    """BadRequest when a code system has another version than is to be checked."""
    rules = inquiry.wishes.versions
    for part in value_set.parts():
        if part.source is not None and not rules.allows(part.system, part.version):
            raise VersionRefused(
                f"Version {part.version} of {part.system} was taken, but "
                f"{rules.check[part.system]} is asked for."
            )


class VersionRefused(BadRequest):
    issue = "exception"


async def validate_code(call: Call, context: Context) -> Resource:
    """Whether codes are of a value set; the answer says what of each is wrong."""
    given = call.arguments
    asked = asked_codes(call, given.text("system"), given.text("systemVersion"))
    verdicts, further = [], list[Finding]()
    value_set: ValueSet | None = None
    question = inquiry_of(call, context)
    with finding():
        await _require_supplements(call, question)
    for each in asked:
        inquiry = question.again((each.system, each.version))
        try:
            value_set = await _value_set(call, context, inquiry)
        except NotLoaded as error:
            if isinstance(error, NoDefinition) and error.name == _named(call):
                raise NotFound(error.message) from None
            verdicts.append(await unknown_value_set(each, inquiry, error))
        else:
            verdicts.append(await _verdict(each, value_set, inquiry, call))
    concept = given.element("codeableConcept")
    if concept is not None and value_set is not None:
        for verdict in verdicts:
            verdict.as_one_of_many()
        if all(verdict.inside is False for verdict in verdicts):
            words = f"None of the codings is in the value set {value_set.canonical}."
            further.append(Finding("error", "code-invalid", "not-in-vs", words))
    return answer(verdicts, concept, further)


async def _verdict(asked: Asked, value_set: ValueSet, inquiry: Inquiry, call: Call) -> Verdict:
    manner = manner_of(call, languages_of(call, value_set.resource))
    if asked.system:
        return await validate_in_value_set(asked, value_set, inquiry, manner)
    if not call.arguments.flag("inferSystem"):
        if not asked.place:
            raise BadRequest("Give the system of the code, or inferSystem=true.")
        return _without_system(asked, value_set)
    systems = infer_system(asked.code, value_set)
    if len(systems) == 1:
        meant = Asked(systems[0], asked.version, asked.code, asked.display, asked.place)
        return await validate_in_value_set(meant, value_set, inquiry, manner)
    verdict = Verdict(asked, inside=False, code=asked.code)
    several = f"{', '.join(systems)} all have it" if systems else "none has it"
    words = f"No code system can be inferred for {asked.code} in {value_set.canonical}: {several}."
    verdict.say(not_inside(asked, value_set))
    verdict.say(Finding("error", "not-found", "cannot-infer", words, asked.at("code")))
    return verdict


def _without_system(asked: Asked, value_set: ValueSet) -> Verdict:
    verdict = Verdict(asked, inside=False, code=asked.code)
    words = f"{asked.place} has no system; a code without one means nothing."
    verdict.say(Finding("warning", "invalid", "invalid-data", words, asked.place))
    verdict.say(not_inside(asked, value_set))
    return verdict


_NOT_OFFERED: Final = frozenset({"context", "contextDirection", "date", "designation"})
OPERATIONS: Final = (
    Operation(
        "ValueSet",
        "expand",
        expand_value_set,
        {**ENCLOSED, "property": "code*", "default-valueset-version": "canonical*"},
        _NOT_OFFERED,
    ),
    Operation(
        "ValueSet",
        "validate-code",
        validate_code,
        {
            **ENCLOSED,
            **VERSIONS,
            "inferSystem": "boolean",
            "lenient-display-validation": "boolean",
            "valueset-membership-only": "boolean",
        },
        _NOT_OFFERED,
    ),
)
