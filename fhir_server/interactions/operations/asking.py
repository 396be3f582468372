"""What the operations on terminology have in common: whose definitions they ask, and how.

https://hl7.org/fhir/R4/terminology-service.html

Definitions may come with a request: as `valueSet` and the like, and as any number of `tx-resource`,
which is how validators bring along what they are about to ask for.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from fhir_server.errors import BadRequest, NoDefinition, NotFound, TooCostly
from fhir_server.fhir import json_format
from fhir_server.interactions.context import Context
from fhir_server.interactions.operations.operation import Call
from fhir_server.terminology.displays import Languages, read_languages
from fhir_server.terminology.inquiry import Inquiry, Wishes
from fhir_server.terminology.library import Enclosed, Library
from fhir_server.terminology.reading import objects, one, text
from fhir_server.terminology.validating import Manner
from fhir_server.terminology.verdict import Asked
from fhir_server.terminology.versions import VersionRules, by_system

ENCLOSED: Final[Mapping[str, str]] = {"tx-resource": "Resource*", "useSupplement": "canonical*"}
"""Parameters of all operations on terminology, beyond what R4 defines."""
VERSIONS: Final[Mapping[str, str]] = {
    "system-version": "canonical*",
    "check-system-version": "canonical*",
    "force-system-version": "canonical*",
    "default-valueset-version": "canonical*",
}
MOST_CODINGS: Final = 100
"""Codings of one concept that are validated together."""
_EXPANSION_PARAMETER: Final = "http://hl7.org/fhir/StructureDefinition/valueset-expansion-parameter"


def library_of(call: Call, context: Context) -> Library:
    """What came with the request, before what is stored."""
    stored = context.searching.library(context.repository)
    enclosed = call.arguments.resources("tx-resource")
    return Enclosed(enclosed, stored) if enclosed else stored


def inquiry_of(call: Call, context: Context) -> Inquiry:
    """A question as the arguments want it answered."""
    given = call.arguments
    rules = VersionRules(
        by_system(given.texts("system-version")),
        by_system(given.texts("check-system-version")),
        by_system(given.texts("force-system-version")),
    )
    wishes = Wishes(
        rules,
        value_set_versions=by_system(given.texts("default-valueset-version")),
        supplements=tuple(given.texts("useSupplement")),
        fragments=True,
        trusts_lists=False,
    )
    return context.searching.terminology.inquiry(library_of(call, context), wishes)


def languages_of(call: Call, value_set: Mapping[str, Any]) -> Languages:
    """The languages of the request: by parameter, by header, or as the value set wants it."""
    asked = (
        call.arguments.text("displayLanguage")
        or _wanted_by(value_set)
        or call.request.headers.get("accept-language", "")
    )
    return read_languages(asked)


def _wanted_by(value_set: Mapping[str, Any]) -> str:
    for each in objects(one(value_set, "compose"), "extension"):
        parts = {text(part, "url"): part for part in objects(each, "extension")}
        named = text(parts.get("name", {}), "valueCode")
        if text(each, "url") == _EXPANSION_PARAMETER and named == "displayLanguage":
            value = parts.get("value", {})
            return text(value, "valueCode") or text(value, "valueString")
    return ""


def manner_of(call: Call, languages: Languages) -> Manner:
    """How strictly codes are to be looked at."""
    given = call.arguments
    return Manner(
        languages,
        lenient=given.flag("lenient-display-validation"),
        abstract=given.flag("abstract", default=True),
        membership_only=given.flag("valueset-membership-only"),
    )


def asked_codes(call: Call, system: str, version: str) -> Sequence[Asked]:
    """The codes to be validated: of `code`, `coding` or `codeableConcept`, of which there is one.

    The code system and version are those of `code` alone.
    """
    given = call.arguments
    ways = [name for name in ("code", "coding", "codeableConcept") if name in given]
    if len(ways) != 1:
        raise BadRequest("Give one of code, coding and codeableConcept.")
    if ways == ["code"]:
        return [Asked(system, version, given.text("code"), given.text("display"), "")]
    if ways == ["coding"]:
        return [_of_coding(given.element("coding") or {}, "Coding")]
    codings = objects(given.element("codeableConcept") or {}, "coding")
    if not codings:
        raise BadRequest("The codeableConcept has no coding.")
    if len(codings) > MOST_CODINGS:
        raise TooCostly(
            f"The codeableConcept has {len(codings)} codings; {MOST_CODINGS} are looked at at once."
        )
    return [_of_coding(each, f"CodeableConcept.coding[{at}]") for at, each in enumerate(codings)]


def _of_coding(coding: Mapping[str, Any], place: str) -> Asked:
    system, version, code, display = (
        text(coding, name) for name in ("system", "version", "code", "display")
    )
    if not code:
        raise BadRequest(f"{place} has no code.", expression=[f"{place}.code"])
    return Asked(system, version, code, display, place)


@contextmanager
def finding() -> Iterator[None]:
    """What is asked for by name and is not here is not found."""
    try:
        yield
    except NoDefinition as error:
        raise NotFound(error.message) from None


async def stored_or_published(type_: str, id_: str, call: Call, context: Context) -> dict[str, Any]:
    """The definition an operation is called on: as stored here, else as R4 publishes it."""
    held = await library_of(call, context).by_id(type_, id_)
    if held is not None:
        found: dict[str, Any] = json_format.parse(held.content)
        return found
    published = context.searching.terminology.published_by_id(type_, id_)
    if published is None:
        raise NotFound(f"There is no {type_}/{id_}.")
    return published
