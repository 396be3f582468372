"""What an interaction works with: one door to data, the definitions, and the house rules."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, Literal

from fhir_server.definitions.registry import Definitions
from fhir_server.interactions.drafted import NOTHING, Drafted
from fhir_server.interactions.repository import Repository
from fhir_server.kit.ids import IdSource
from fhir_server.search.paging import Cursors
from fhir_server.search.searching import Searching

if TYPE_CHECKING:  # the table's interactions take a Context
    from fhir_server.interactions.routing import Table


@dataclass(frozen=True, slots=True)
class Policy:
    """House rules that an operator may set."""

    conditional_delete: Literal["one", "many"] = "one"
    """Whether DELETE [type]?criteria may delete several resources at once."""
    conditional_delete_most: int = 1000
    """More matches than this are refused even when many may be deleted."""
    bundle_entries: int = 5000
    """Most entries of one batch or transaction."""
    history_count: int = 50
    """Versions on a page of history unless `_count` says otherwise."""
    most_count: int = 1000
    """Most matches or versions on one page."""
    url_bytes: int = 8 * 1024
    """Longest path and query of a URL that is taken, so of a link that can be followed."""
    batch_bytes: int = 64 * 1024 * 1024
    """Most bytes of resources in the answer to one batch."""
    batch_seconds: float = 15.0
    """How long the entries of one batch may take together before the rest is left undone."""


def _uncounted(_kind: str, _entries: int) -> None:
    """For who does not count."""


@dataclass(frozen=True, slots=True)
class Context:
    table: "Table"
    repository: Repository
    definitions: Definitions
    searching: Searching
    policy: Policy
    base_url: str
    """Public base without a slash at its end, such as `https://example.org/fhir`."""
    cursors: Cursors
    """Seals the links to further pages."""
    zone: tzinfo
    """Where a time without a zone is meant to be."""
    ids: IdSource
    statement: Callable[[], bytes]
    """The CapabilityStatement of the running system."""
    bundle_received: Callable[[str, int], None] = _uncounted
    """Told the type of each batch and transaction, and how many entries it has."""
    drafted: Drafted = NOTHING
    """Within a transaction, what is decided already and counts as if it were stored."""
