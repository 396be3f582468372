"""Versions of code systems: which one a value set means, and which one a caller insists on.

https://hl7.org/fhir/R4/valueset-operation-expand.html

A version may leave parts open: `1.x.x` is any that begins with 1. Three kinds of rules come with
a request, each as `system|version`:

    system-version          taken where the value set names no version
    force-system-version    taken whatever the value set names
    check-system-version    what was taken must be this one
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_OPEN: Final = frozenset({"x", "X", "*"})
_NUMBERS: Final = re.compile(r"\d+")


def is_open(version: str) -> bool:
    """Whether several versions may be meant."""
    return not _OPEN.isdisjoint(version.split("."))


def matches(version: str, wanted: str) -> bool:
    """Whether a version is the one wanted; none wanted means any."""
    if not wanted or version == wanted:
        return True
    parts, open_ = version.split("."), wanted.split(".")
    return len(parts) == len(open_) and all(
        theirs in _OPEN or own == theirs for own, theirs in zip(parts, open_, strict=True)
    )


def age(version: str) -> tuple[tuple[int, ...], str]:
    """What versions are ordered by, the oldest first: their numbers, and else as text."""
    return tuple(int(each) for each in _NUMBERS.findall(version)[:8]), version


@dataclass(frozen=True, slots=True)
class VersionRules:
    """The versions that a request insists on, by code system."""

    default: Mapping[str, str] = field(default_factory=dict)
    check: Mapping[str, str] = field(default_factory=dict)
    force: Mapping[str, str] = field(default_factory=dict)

    def wanted(self, system: str, stated: str) -> str:
        """The version to look for, where a value set states one or none."""
        return (
            self.force.get(system)
            or stated
            or self.default.get(system)
            or self.check.get(system, "")
        )

    def allows(self, system: str, version: str) -> bool:
        """Whether a version passes what is to be checked."""
        return matches(version, self.check.get(system, ""))


def by_system(canonicals: Iterable[str]) -> Mapping[str, str]:
    """`system|version` as version by system; what names no version is left out."""
    pairs = (canonical.rpartition("|") for canonical in canonicals)
    return {system: version for system, _, version in pairs if system}
