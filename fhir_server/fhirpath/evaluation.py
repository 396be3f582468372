"""What an expression is evaluated in, and what one evaluation keeps while it runs.

http://hl7.org/fhirpath/N1/#environment-variables and
https://hl7.org/fhir/R4/fhirpath.html#variables
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Protocol

import msgspec

from fhir_server.fhirpath.errors import FhirPathTooCostly
from fhir_server.fhirpath.items import Element, Item
from fhir_server.kit.clock import Clock, SystemClock

STEPS = 1_000_000
"""Items an evaluation may look at: more than the largest bundle has, a second's work at worst."""


STEPS_BETWEEN_LOOKS = 5_000
"""How often an evaluation asks for the time: some milliseconds."""


class Terminology(Protocol):
    """What is asked of a terminology service. Answers are None where it cannot tell."""

    def member_of(self, value: Any, type_: str, value_set: str) -> bool | None:
        """Whether a code, Coding or CodeableConcept (its JSON) is in a value set, by canonical."""
        ...

    def subsumes(self, general: Any, special: Any) -> bool | None:
        """Whether the first Coding or CodeableConcept is the second or an ancestor of it."""
        ...


@dataclass(frozen=True, slots=True)
class Environment:
    """What the caller lends to expressions. Whatever is missing yields empty results."""

    resolve: Callable[[str], dict[str, Any] | None] | None = None
    """The resource a reference text means. Contained resources need no help."""
    terminology: Terminology | None = None
    conforms: Callable[[Element, str], bool | None] | None = None
    """Whether an element conforms to a profile, by canonical; None: no such profile."""
    trace: Callable[[str, Sequence[Item]], None] | None = None
    """Told what `trace()` is given: patients' content, never to be logged by default."""
    variables: Mapping[str, Sequence[Item]] = field(default_factory=dict)
    """Values of `%name`, beside those the specifications define."""
    clock: Clock = field(default_factory=SystemClock)
    zone: tzinfo = UTC
    """Where `now()` and `today()` are."""
    steps: int = STEPS
    """Items an evaluation may look at before it is refused as too costly."""
    expired: Callable[[], bool] | None = None
    """Whether the caller's time is up; asked every few thousand steps."""


class Evaluation(msgspec.Struct, gc=False):
    """One evaluation. Only its own closures see it, in one thread."""

    environment: Environment
    context: list[Item]
    """What the evaluation began with."""
    resource: Element | None
    """The resource that contains it."""
    root: Element | None
    """The resource that contains that one, or the same."""
    left: int
    """Steps still allowed."""
    pause: int
    """Steps left when the time is looked at next."""
    known: dict[object, list[Item]]
    """What has been found once for all."""
    index: int | None = None
    """`$index`."""
    total: list[Item] | None = None
    """`$total`."""
    now: int | None = None
    """Milliseconds since 1970: the same wherever the expression asks."""

    def spend(self, steps: int) -> None:
        """Raises FhirPathTooCostly when no steps are left, or no time."""
        self.left -= steps
        if self.left < self.pause:
            self._look_up()

    def _look_up(self) -> None:
        if self.left < 0:
            raise FhirPathTooCostly(
                f"The expression looks at more than {self.environment.steps} items."
            )
        if self.environment.expired is not None and self.environment.expired():
            raise FhirPathTooCostly("The expression takes more time than there is.")
        self.pause = max(0, self.left - STEPS_BETWEEN_LOOKS)

    def moment(self) -> int:
        if self.now is None:
            self.now = self.environment.clock.now()
        return self.now
