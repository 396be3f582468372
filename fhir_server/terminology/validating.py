"""Validating a code: against its code system, and against a value set.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html

What cannot be told, as a code system is not here, is never a silent yes: it is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fhir_server.errors import NotLoaded
from fhir_server.terminology.code_system import CodeSystem, standards_status
from fhir_server.terminology.displays import Languages, display, fitting, names, same
from fhir_server.terminology.inquiry import Inquiry
from fhir_server.terminology.reading import text
from fhir_server.terminology.value_set import Member, Part, ValueSet
from fhir_server.terminology.verdict import Asked, Finding, Severity, Verdict
from fhir_server.terminology.versions import age

_LEAVING: Final = frozenset({"deprecated", "withdrawn"})
"""Statuses of codes that are still in use and should not be much longer."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How strictly codes are looked at."""

    languages: Languages = field(default_factory=Languages)
    lenient: bool = False
    """Whether a wrong display is a warning only."""
    abstract: bool = True
    """Whether a mere heading will do."""
    membership_only: bool = False


async def validate_in_system(
    asked: Asked, system: CodeSystem | None, inquiry: Inquiry, manner: Manner
) -> Verdict:
    """Whether a code is one of its code system; of None when that is not here."""
    verdict = Verdict(asked, code=asked.code, system=asked.system)
    if system is None or system.content == "supplement":
        await _unknown_system(verdict, inquiry)
        return verdict
    verdict.inside = _in_system(verdict, system)
    known = system.known(asked.code)
    if known is not None:
        member = Member(system.url, system.version, known, system, None)
        _of_member(verdict, member, manner)
    return verdict


async def validate_in_value_set(
    asked: Asked, value_set: ValueSet, inquiry: Inquiry, manner: Manner
) -> Verdict:
    """Whether a code, whose system is stated, is one of a value set."""
    verdict = Verdict(asked, code=asked.code, system=asked.system)
    parts = list(value_set.parts(asked.system))
    if not manner.membership_only:
        await _versions(verdict, parts, inquiry)
    try:
        found = list(value_set.finds(asked.system, asked.code))
    except NotLoaded as error:
        await _cannot_tell(verdict, parts, inquiry, error)
        return verdict
    verdict.inside = bool(found)
    if found:
        member = _best(found, asked, manner)
        _of_member(verdict, member, manner)
        if not manner.membership_only:
            _standing(verdict, member, value_set)
    else:
        await _not_inside(verdict, value_set, parts, inquiry, manner)
    return verdict


async def unknown_value_set(asked: Asked, inquiry: Inquiry, error: NotLoaded) -> Verdict:
    """What is known of a code where it cannot be told whether a value set has it."""
    verdict = Verdict(asked, code=asked.code, system=asked.system)
    await _cannot_tell(verdict, [], inquiry, error)
    return verdict


def infer_system(code: str, value_set: ValueSet) -> Sequence[str]:
    """The code systems that have a code within a value set."""
    systems = dict.fromkeys(part.system for part in value_set.parts())
    return [each for each in systems if value_set.find(each, code) is not None]


def not_inside(asked: Asked, value_set: ValueSet) -> Finding:
    """The finding that a code is none of a value set."""
    words = f"{asked.words} is not in the value set {value_set.canonical}."
    return Finding("error", "code-invalid", "not-in-vs", words, asked.at("code"))


def _best(found: Sequence[Member], asked: Asked, manner: Manner) -> Member:
    """Of a code in several versions of its system the one meant; else the newest."""
    newest = sorted(found, key=lambda each: age(each.version), reverse=True)
    for each in newest:
        if asked.version and each.version == asked.version:
            return each
    for each in newest:
        right = (same(name.value, asked.display) for name in fitting(each, manner.languages))
        if asked.display and not asked.version and any(right):
            return each
    return newest[0]


def _of_member(verdict: Verdict, member: Member, manner: Manner) -> None:
    """What is to be said of a code that was found."""
    shown = display(member, manner.languages) or next(names(member), None)
    verdict.display = shown.value if shown is not None else ""
    verdict.version = member.version
    if manner.membership_only:
        return
    _display(verdict, member, manner)
    _case(verdict, member)
    _abstract(verdict, member, manner)
    _inactive(verdict, member)


def _display(verdict: Verdict, member: Member, manner: Manner) -> None:
    asked, languages = verdict.asked, manner.languages
    if not asked.display or not verdict.display:
        return
    right = fitting(member, languages)
    if any(same(name.value, asked.display) for name in right):
        return
    severity: Severity = "warning" if manner.lenient else "error"
    place = asked.at("display")
    if not right and same(verdict.display, asked.display):
        if member.source is not None and member.source.language:
            words = f"{asked.words} has no display in {languages.asked}; {verdict.display!r} is it."
            verdict.say(Finding("information", "invalid", "invalid-display", words, place))
        return
    known = list(dict.fromkeys(name.value for name in right)) or [verdict.display]
    words = f"{asked.display!r} is not a display of {asked.words}: {', '.join(map(repr, known))}."
    verdict.say(Finding(severity, "invalid", "invalid-display", words, place))


def _case(verdict: Verdict, member: Member) -> None:
    asked = verdict.asked
    if member.code != asked.code:
        verdict.normalized = member.code
        words = f"{member.system} writes {asked.code} as {member.code}; letter case is the same."
        verdict.say(Finding("information", "business-rule", "code-rule", words, asked.at("code")))


def _abstract(verdict: Verdict, member: Member, manner: Manner) -> None:
    if not member.abstract or manner.abstract:
        return
    verdict.inside, asked = False, verdict.asked
    words = f"{asked.words} is abstract: it holds other codes together, and is not for records."
    verdict.say(Finding("error", "business-rule", "code-rule", words, asked.at("code")))
    words = f"{asked.words} is not one of the codes that may be chosen."
    verdict.say(Finding("error", "code-invalid", "not-in-vs", words, asked.at("code")))


def _inactive(verdict: Verdict, member: Member) -> None:
    asked = verdict.asked
    status = member.source.status(member.code) if member.source is not None else ""
    if not member.inactive and status not in _LEAVING:
        return
    verdict.inactive = member.inactive
    verdict.status = "" if status == "inactive" else status
    words = f"{asked.words} is {status or 'inactive'}: see whether it should still be used."
    place = asked.place or "code"
    verdict.say(Finding("warning", "business-rule", "code-comment", words, place))


def _standing(verdict: Verdict, member: Member, value_set: ValueSet) -> None:
    """What is to be said of the standing of definitions, and of the code among them."""
    used = [("value set", value_set.canonical, value_set.resource)]
    if member.source is not None:
        used.append(("code system", member.source.canonical, member.source.resource))
    for kind, canonical, resource in used:
        standing = _standing_of(resource)
        if standing:
            words = f"The {kind} {canonical} is {standing}."
            verdict.say(Finding("information", "business-rule", "status-check", words))
    listed = member.listed or {}
    if standards_status(listed) in _LEAVING:
        words = f"{verdict.asked.words} is to leave the value set {value_set.canonical}."
        place = verdict.asked.at("code")
        verdict.say(Finding("warning", "business-rule", "code-comment", words, place))


def _standing_of(resource: Mapping[str, Any]) -> str:
    """Why a definition should be used with care; empty if there is no reason."""
    standing = standards_status(resource)
    if standing in _LEAVING:
        return standing
    if text(resource, "status") in {"draft", "retired"}:
        return text(resource, "status")
    return "experimental" if resource.get("experimental") is True else ""


async def _versions(verdict: Verdict, parts: Sequence[Part], inquiry: Inquiry) -> None:
    """What is to be said of the version that a code names, and of the one that is taken."""
    asked, rules = verdict.asked, inquiry.wishes.versions
    taken = [part.version for part in parts if part.source is not None]
    stated = any(part.stated for part in parts)
    place = asked.at("version")
    for version in dict.fromkeys(taken):
        if not rules.allows(asked.system, version):
            wanted = rules.check.get(asked.system, "")
            words = f"Version {version} of {asked.system} was taken, but {wanted} is asked for."
            verdict.say(Finding("error", "exception", "version-error", words, place))
    if not asked.version or not parts or asked.version in taken:
        return
    if not taken and not stated:
        return
    instead = ", ".join(dict.fromkeys(part.version for part in parts))
    words = f"The value set takes version {instead} of {asked.system}, not {asked.version}."
    severity: Severity = "error" if stated else "warning"
    verdict.say(Finding(severity, "invalid", "vs-invalid", words, place))
    if taken and asked.version not in await inquiry.versions(asked.system):
        await _no_version(verdict, asked.version, inquiry)


async def _no_version(verdict: Verdict, version: str, inquiry: Inquiry) -> None:
    system = verdict.asked.system
    verdict.caused_by = f"{system}|{version}" if version else system
    known = ", ".join(await inquiry.versions(system))
    words = f"The code system {verdict.caused_by} is not here, so this code cannot be validated."
    words += f" There are versions {known}." if known else ""
    place = verdict.asked.at("system")
    verdict.say(Finding("error", "not-found", "not-found", words, place))


async def _cannot_tell(
    verdict: Verdict, parts: Sequence[Part], inquiry: Inquiry, error: NotLoaded
) -> None:
    """The value set needs a code system that is not here."""
    asked = verdict.asked
    missing = next((part for part in parts if part.missing is not None), None)
    if missing is None:
        verdict.say(Finding("error", "not-found", "not-found", error.message))
    else:
        await _no_version(verdict, missing.stated, inquiry)
    version = asked.version or await inquiry.version(asked.system, "")
    system = await inquiry.known_code_system(asked.system, version)
    known = system.known(asked.code) if system is not None else None
    if system is not None and known is not None:
        shown = display(Member(system.url, "", known, system, None), Languages())
        verdict.display, verdict.version = shown.value if shown else "", system.version


async def _not_inside(
    verdict: Verdict,
    value_set: ValueSet,
    parts: Sequence[Part],
    inquiry: Inquiry,
    manner: Manner,
) -> None:
    asked = verdict.asked
    sources = [part.source for part in parts if part.source is not None]
    system = max(sources, key=lambda each: age(each.version), default=None)
    if system is None:
        system = await inquiry.known_code_system(asked.system, asked.version)
    if (
        system is not None
        and system.content == "fragment"
        and parts
        and not system.known(asked.code)
    ):
        verdict.inside, verdict.version = _in_system(verdict, system), system.version
        return
    verdict.say(not_inside(asked, value_set))
    if manner.membership_only:
        return
    if system is None or system.content == "supplement":
        await _unknown_system(verdict, inquiry)
        return
    verdict.version = system.version
    known = system.known(asked.code)
    if known is None:
        _in_system(verdict, system)
    else:
        _of_member(verdict, Member(system.url, system.version, known, system, None), manner)


def _in_system(verdict: Verdict, system: CodeSystem) -> bool:
    """Whether a code system has the code; of a fragment nobody can say no."""
    asked, verdict.version = verdict.asked, system.version
    if system.known(asked.code) is not None:
        return True
    partly = system.content != "complete"
    severity: Severity = "warning" if partly else "error"
    more = " Only a part of its codes is here." if partly else ""
    words = f"The code system {system.canonical} has no code {asked.code}.{more}"
    verdict.say(Finding(severity, "code-invalid", "invalid-code", words, asked.at("code")))
    return partly


async def _unknown_system(verdict: Verdict, inquiry: Inquiry) -> None:
    asked = verdict.asked
    place = asked.at("system")
    if await inquiry.is_value_set(asked.system):
        words = f"{asked.system} is a value set; the system of a code is a code system."
        verdict.say(Finding("error", "invalid", "invalid-data", words, place))
        return
    known = await inquiry.known_code_system(asked.system)
    if known is not None and known.content == "supplement":
        words = f"{asked.system} adds to a code system and is none itself."
        verdict.say(Finding("error", "invalid", "invalid-data", words, place))
        return
    verdict.unknown_system = asked.system
    words = f"The code system {asked.system} is not here, so this code cannot be validated."
    verdict.say(Finding("error", "not-found", "not-found", words, place))
