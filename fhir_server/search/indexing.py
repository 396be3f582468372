"""Indexing: the terms by which a resource will be found.

https://hl7.org/fhir/R4/search.html
"""

from typing import Any

from fhir_server.definitions.registry import Definitions
from fhir_server.storage.versions import Terms


class Indexer:
    """Terms of resources, by extractors that are compiled when their type is first met."""

    def __init__(self, definitions: Definitions, base_url: str) -> None:
        self._definitions = definitions
        self._base_url = base_url

    def terms(self, resource: dict[str, Any]) -> Terms:
        """Keys, intervals, driver terms and main date of a resource; malformed parts give none."""
        raise NotImplementedError
