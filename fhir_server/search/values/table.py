"""Search types, and who knows their values.

https://hl7.org/fhir/R4/search.html#ptypes
"""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Protocol

from fhir_server.search.entries import Indexer
from fhir_server.search.values import (
    composite,
    date,
    number,
    position,
    quantity,
    reference,
    string,
    token,
    uri,
)
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.storage.query import Test


class Values(Protocol):
    """What every module of a search type offers; see the package."""

    def test(self, parameter: Parameter, value: str, _: Context, /) -> Test:
        """The test for one value as written, without modifier; BadRequest if it is none."""
        ...

    def present(self, parameter: Parameter, /) -> Test:
        """The test that a resource has any value."""
        ...


VALUES: Mapping[str, Values] = {
    "composite": composite,
    "date": date,
    "number": number,
    "quantity": quantity,
    "reference": reference,
    "special": position,
    "string": string,
    "token": token,
    "uri": uri,
}
"""By search type; of the special ones only `near` has elements behind it."""


def indexers(zone: tzinfo = UTC, base_url: str = "") -> Mapping[str, Mapping[str, Indexer]]:
    """Indexers by search type and FHIR type; those of composites are `composite.indexer`.

    `zone` is for dates that name none, `base_url` where our own resources live. Whoever changes
    either must index again.
    """
    return {
        "date": date.indexers(zone),
        "number": number.INDEXERS,
        "quantity": quantity.INDEXERS,
        "reference": reference.indexers(base_url),
        "special": position.INDEXERS,
        "string": string.INDEXERS,
        "token": token.INDEXERS,
        "uri": uri.INDEXERS,
    }
