"""Rewriting: parameters that need no entries of their own, because others already say it.

Found by comparing paths, never listed by hand, so it holds for custom parameters as well. Those
may be derived from others, but never others from them: they come and go.

    union     combo-code      = Observation.code | Observation.component.code
                              → any of code, component-code
    alias     phonetic        = Patient.name
                              → name
    narrowed  patient         = Observation.subject.where(resolve() is Patient)
                              → subject, with values that name a Patient

A derived parameter keeps its own way of reading values; only the place it looks at is another's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fhir_server.search.paths import Found, Only, Path, RefersTo


@dataclass(frozen=True, slots=True)
class Compiled:
    """One search parameter of one resource type, as paths."""

    code: str
    type: str
    """How it is searched: token, reference, ..."""
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Derivation:
    """Search these parameters instead; a match in any is a match."""

    codes: tuple[str, ...]
    target: str | None = None
    """Only references to this type; None: whatever the value says."""


def derive(
    parameters: Iterable[Compiled], custom: Iterable[Compiled] = ()
) -> Mapping[str, Derivation]:
    """Which parameters of one type are derived from which others, none of them derived.

    From `custom` ones nothing is derived.
    """
    derived: dict[str, Derivation] = {}
    kept: list[Compiled] = []
    for parameter in sorted(parameters, key=_smaller_first):
        derivation = _covered(parameter, kept) or _narrowed(parameter, kept)
        if derivation is None:
            kept.append(parameter)
        else:
            derived[parameter.code] = derivation
    for parameter in custom:
        derivation = _covered(parameter, kept) or _narrowed(parameter, kept)
        if derivation is not None:
            derived[parameter.code] = derivation
    return derived


def _smaller_first(parameter: Compiled) -> tuple[bool, int, str]:
    return _target(parameter) is not None, len(parameter.found), parameter.code


def _covered(parameter: Compiled, kept: Sequence[Compiled]) -> Derivation | None:
    codes = _cover(parameter.type, frozenset(parameter.found), kept)
    return Derivation(codes) if codes else None


def _narrowed(parameter: Compiled, kept: Sequence[Compiled]) -> Derivation | None:
    target = _target(parameter)
    if target is None:
        return None
    wider = frozenset(
        replace(path, steps=path.steps[:-1]) for path in parameter.found if isinstance(path, Path)
    )
    codes = _cover(parameter.type, wider, kept)
    return Derivation(codes, target) if codes else None


def _cover(type_: str, wanted: frozenset[Found], kept: Sequence[Compiled]) -> tuple[str, ...]:
    """Parameters that together look at exactly the wanted places; none if they cannot."""
    codes: list[str] = []
    missing = wanted
    for parameter in reversed(kept):
        found = frozenset(parameter.found)
        if parameter.type == type_ and found <= wanted and found & missing:
            codes.append(parameter.code)
            missing -= found
    return tuple(sorted(codes)) if not missing and codes else ()


def _target(parameter: Compiled) -> str | None:
    """The one type that every path of a reference parameter is filtered by."""
    if parameter.type != "reference":
        return None
    targets = {_filtered_by(found) for found in parameter.found}
    return targets.pop() if len(targets) == 1 else None


def _filtered_by(found: Found) -> str | None:
    if isinstance(found, Path) and found.steps and isinstance(found.steps[-1], Only):
        condition = found.steps[-1].condition
        return condition.type if isinstance(condition, RefersTo) else None
    return None
