"""Rules: the invariants and bindings of the base specification, on one walk.

https://hl7.org/fhir/R4/validation.html

The quick walk tells of nearly every resource that no rule is broken, in about the time it took to
parse it. What it does not tell is judged place by place, and warnings are only found so. The
resource must have the structure of its type: see `validator`.
"""

import asyncio
from time import monotonic
from typing import Any, Final

from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.outcome import Issue
from fhir_server.fhirpath import Environment
from fhir_server.terminology.library import Library
from fhir_server.terminology.service import Terminology
from fhir_server.validation import messages
from fhir_server.validation.bindings import Bindings
from fhir_server.validation.invariants import Invariants
from fhir_server.validation.places import Places
from fhir_server.validation.walking import Walk

Resource = dict[str, Any]

_MOST_ISSUES: Final = 100
_AT_ONCE: Final = 100
"""Places judged before others have their turn."""
_KEPT_SECONDS: Final = 5.0
"""For how long what is known of codes is not asked again."""


class Rules:
    def __init__(self, definitions: Definitions, terminology: Terminology) -> None:
        table = definitions.elements
        self._invariants = Invariants(table)
        self._bindings = Bindings(definitions, terminology)
        self._places = Places(table)
        self._walk = Walk(table, self._invariants, self._bindings)
        self._until = 0.0

    def accepts(self, resource: Resource) -> bool:
        """Whether a resource breaks no rule for certain; if not, only `issues` knows."""
        self._keep_fresh()
        return self._walk.resource(resource)

    async def issues(
        self,
        resource: Resource,
        library: Library,
        *,
        warnings: bool = False,
        environment: Environment | None = None,
    ) -> list[Issue]:
        """The rules that a resource breaks, by their places; without `warnings` errors only.

        Many issues are cut short, and the last one says so.
        """
        if not warnings and self.accepts(resource):
            return []
        self._keep_fresh()
        lent = environment or Environment()
        found: list[Issue] = []
        for number, place in enumerate(self._places.of(resource)):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            found += self._invariants.issues(place, lent, warnings=warnings)
            found += await self._bindings.issues(place, library, warnings=warnings)
            if len(found) > _MOST_ISSUES:
                more = messages.issue(messages.AND_MORE, "", shown=str(_MOST_ISSUES))
                return [*found[:_MOST_ISSUES], more]
        return found

    def _keep_fresh(self) -> None:
        if monotonic() > self._until:  # another process may have stored other codes
            self.forget()

    def forget(self) -> None:
        """To be called when a value set or code system is stored, changed or deleted."""
        self._bindings.forget()
        self._until = monotonic() + _KEPT_SECONDS
