"""What became of the bundles that were sent, counted and put in words."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from fhir_server.cli.sources import Parcel, Unreadable
from fhir_server.cli.targets import Answer
from fhir_server.interactions.request import Resource

_VARYING = (
    (re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), "…"),
    (re.compile(r"\bEntry \d+"), "Entry …"),
    (re.compile(r"\[\d+\]"), "[…]"),
)
"""What differs between complaints that are the same: left out when they are counted."""


@dataclass(slots=True)
class Tally:
    """Running totals of a load."""

    files: int = 0
    skipped: int = 0
    """Files of a folder that hold no FHIR."""
    created: Counter[str] = field(default_factory=Counter)
    """By resource type: new resources."""
    present: Counter[str] = field(default_factory=Counter)
    """By resource type: updated, unchanged or found by a conditional create."""
    errors: int = 0
    """Entries, lines and files that did not go in."""
    warnings: Counter[str] = field(default_factory=Counter)

    @property
    def resources(self) -> int:
        return self.created.total() + self.present.total()

    def unreadable(self, place: Unreadable) -> list[str]:
        """Count a place with nothing to send; returns what to say of it."""
        if not place.matters:
            self.skipped += 1
            return []
        self.errors += 1
        return [f"{place.place}: {place.reason}"]

    def answered(self, parcel: Parcel, answer: Answer) -> list[str]:
        """Count a bundle's answer; returns what to say of its failures, equal ones once."""
        sent = parcel.bundle.get("entry", [])
        if answer.status >= 400 or answer.resource.get("resourceType") != "Bundle":
            self.errors += max(len(sent), 1)
            words = _words(answer.resource) or "the answer says no more"
            advice = _advice(answer.status, parcel.bundle)
            return [f"{parcel.place}: {answer.status} {words}{advice}"]
        failures: Counter[str] = Counter()
        nothing: Resource = {}
        came_back = _objects(answer.resource.get("entry"))
        for entry, came in zip_longest(sent, came_back, fillvalue=nothing):
            self._entry(entry, _object(came.get("response")), failures)
        return [f"{parcel.place}: {words}{_times(n)}" for words, n in failures.most_common()]

    def _entry(self, sent: Resource, response: Resource, failures: Counter[str]) -> None:
        status = str(response.get("status", ""))
        outcome = _object(response.get("outcome"))
        if not status.startswith("2"):
            self.errors += 1
            failures[alike(f"{status} {_words(outcome)}".strip() or "no answer")] += 1
            return
        counter = self.created if status.startswith("201") else self.present
        counter[_type(sent)] += 1
        for words in _issues(outcome):
            self.warnings[alike(words)] += 1


def alike(words: str) -> str:
    """A complaint without what differs from one entry to the next."""
    for pattern, instead in _VARYING:
        words = pattern.sub(instead, words)
    return words


def _advice(status: int, bundle: Resource) -> str:
    """What to do about a bundle that is too large; empty for what fails otherwise."""
    if status != 413:
        return ""
    if bundle.get("type") == "transaction":
        return (
            " It stands or falls as a whole, so it was not cut: divide it where nothing refers"
            " across, or allow more (docs/settings.md, FHIR_SERVER_MAX_BUNDLE_ENTRIES and"
            " FHIR_SERVER_MAX_BODY)."
        )
    return " Divide it into several files."


def _type(entry: Resource) -> str:
    resource = _object(entry.get("resource"))
    if resource:
        return str(resource.get("resourceType"))
    url = str(_object(entry.get("request")).get("url", ""))
    return re.split(r"[/?]", url, maxsplit=1)[0] or "?"


def _words(outcome: Resource) -> str:
    return "; ".join(_issues(outcome))


def _issues(outcome: Resource) -> Iterator[str]:
    """What each issue of an OperationOutcome says, and the place it names."""
    for issue in _objects(outcome.get("issue")):
        text = issue.get("diagnostics") or _object(issue.get("details")).get("text")
        expression = issue.get("expression")
        where = ", ".join(map(str, expression)) if isinstance(expression, list) else ""
        words = str(text or issue.get("code"))
        yield f"{words} ({where})" if where else words


def _objects(value: Any) -> Sequence[Resource]:
    """What another server calls a list of objects; in place of what is none, an empty one."""
    return [_object(each) for each in value] if isinstance(value, list) else []


def _object(value: Any) -> Resource:
    return value if isinstance(value, dict) else {}


def _times(count: int) -> str:
    return f" ({count:,} times)" if count > 1 else ""
