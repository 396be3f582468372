"""Search parameters, as their definitions state them.

https://hl7.org/fhir/R4/searchparameter.html

Some have no expression: what they look at is not an element (`_text`, `_content`, `_query`,
`_filter`). They are known, so that a search can say what it does not support.
"""

import msgspec


class SearchParameter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    url: str
    code: str
    """The name in a query."""
    type: str
    """number, date, string, token, reference, composite, quantity, uri or special."""
    base: tuple[str, ...]
    """Types it applies to; Resource and DomainResource stand for all they are the base of."""
    expression: str | None
    """FHIRPath; None when there is nothing to evaluate."""
    targets: tuple[str, ...] = ()
    """Resource types a reference may point to; empty: not stated, so any."""
    components: tuple["Component", ...] = ()
    """Only for composites, in the order of their values."""
    multiple_or: bool = True
    multiple_and: bool = True
    comparators: tuple[str, ...] = ()
    """Prefixes as listed; empty: not stated."""
    modifiers: tuple[str, ...] = ()
    """Modifiers as listed; empty: not stated."""
    chains: tuple[str, ...] = ()
    """Chained parameters as listed; empty: not stated."""


class CustomParameter(SearchParameter, frozen=True, array_like=True, gc=False):
    """One that nobody published for all: a resource of this server defines it."""

    resource: str = ""
    """Id of the SearchParameter that defines it."""
    incarnation: str = ""
    """Tells its terms from those of another definition, be it of the same code or resource."""


class Component(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One part of a composite: what it searches like, and where, seen from the composite."""

    parameter: SearchParameter
    expression: str
