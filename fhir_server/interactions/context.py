"""What an interaction is, and what it works with; each names the other, so both are here.

It works with one door to data, the definitions, the house rules, and the table of all
interactions: entries of a bundle are found there.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal, Protocol

from fhir_server.definitions.registry import Definitions
from fhir_server.interactions.custom.vocabulary import Vocabulary
from fhir_server.interactions.drafted import NOTHING, Drafted
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.request import Reply, Request
from fhir_server.interactions.writing import Draft
from fhir_server.kit.ids import IdSource
from fhir_server.search.paging import Cursors
from fhir_server.search.searching import Searching
from fhir_server.storage.query import Guard
from fhir_server.storage.versions import Version
from fhir_server.validation.rules import Rules
from fhir_server.validation.validator import Validator


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
    bundle_bytes: int = 64 * 1024 * 1024
    """Most bytes of resources in the answer to one batch or transaction."""
    body_bytes: int = 32 * 1024 * 1024
    """Most bytes of a resource, be it sent or made by a patch."""
    json_depth: int = 64
    """Most levels of a resource likewise."""
    bundle_seconds: float = 600.0
    """How long the entries of a batch, or what comes before a transaction's commit, may take."""


def _uncounted(_kind: str, _entries: int) -> None:
    """For who does not count."""


def _always_wanted() -> None:
    """For who waits to the end."""


@dataclass(frozen=True, slots=True)
class Context:
    table: "Interactions"
    repository: Repository
    definitions: Definitions
    vocabulary: Callable[[], Vocabulary]
    """What can be searched just now, custom search parameters included."""
    policy: Policy
    base_url: str
    """Public base without a slash at its end, such as `https://example.org/fhir`."""
    cursors: Cursors
    """Seals the links to further pages."""
    zone: tzinfo
    """Where a time without a zone is meant to be."""
    ids: IdSource
    validator: Validator
    """Judges the structure of what is about to be written."""
    rules: Rules
    """Judges by invariants and bindings what has the right structure."""
    statement: Callable[[], bytes]
    """The CapabilityStatement of the running system."""
    bundle_received: Callable[[str, int], None] = _uncounted
    """Told the type of each batch and transaction, and how many entries it has."""
    require_wanted: Callable[[], None] = _always_wanted
    """Raises Unavailable when no more of a bundle should begin: nobody waits, or time ends."""
    drafted: Drafted = NOTHING
    """Within a transaction, what is decided already and counts as if it were stored."""

    @property
    def searching(self) -> Searching:
        return self.vocabulary().searching


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, under which guards, and the answer once it is written."""

    reply: Callable[[Sequence[Version]], Reply]
    """Called with the versions of `drafts`, in their order."""
    drafts: Sequence[Draft] = ()
    guards: Sequence[Guard] = ()
    existing: Version | None = None
    """What a conditional create found in place of writing."""


Answer = Callable[[Request, Context], Awaitable[Reply]]
Decide = Callable[[Request, Context], Awaitable[Decision]]


@dataclass(frozen=True, slots=True)
class Interaction:
    """One verb at one shape of path; it either answers at once or decides what to write."""

    name: str
    method: str
    path: str
    answer: Answer | None = None
    decide: Decide | None = None


class Interactions(Protocol):
    """The table of them."""

    @property
    def interactions(self) -> Sequence[Interaction]: ...

    def find(self, request: Request, context: Context) -> Interaction:
        """The interaction asked for; NotFound or MethodNotAllowed when there is none."""
        ...
