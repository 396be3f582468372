"""One criterion as it was written: name, modifier, chain, and values of which one must hold.

https://hl7.org/fhir/R4/search.html#Introduction

Syntax only: whether such a parameter exists is decided in `binding.py`.
"""

from collections.abc import Sequence

import msgspec

from fhir_server.errors import UnknownParameter

_LONGEST_ECHO = 80


class Clause(msgspec.Struct, frozen=True):
    """`subject:Patient.name:exact=A,B` as name, modifier, chain and values."""

    name: str
    """`subject`"""
    modifier: str | None
    """`Patient`; None when there is none."""
    chain: tuple[str, ...]
    """What follows the dots, `("name:exact",)`; empty for a plain parameter."""
    values: tuple[str, ...]
    """`("A", "B")`: still escaped, so that values can split at `|` and `$` themselves."""
    text: str
    """Everything before the equals sign, as it was sent."""

    @property
    def pair(self) -> tuple[str, str]:
        """Name and value as they were sent."""
        return self.text, ",".join(self.values)

    @property
    def shown(self) -> str:
        """The name to speak of in a message: never longer than a line."""
        return shown(self.text)


def shown(text: str) -> str:
    """Text of a caller's, cut so that a message stays readable."""
    return text if len(text) <= _LONGEST_ECHO else text[:_LONGEST_ECHO] + "…"


def refusal(clause: Clause, allowed: Sequence[str]) -> UnknownParameter:
    """The error for a modifier that a parameter does not take; `allowed` are those it takes."""
    return UnknownParameter(
        f"Not supported: {clause.shown}. {clause.name} takes "
        f"{' or '.join(allowed) or 'no modifier'}."
    )
