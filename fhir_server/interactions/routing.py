"""From method and path to an interaction, and carrying it out.

https://hl7.org/fhir/R4/http.html#summary
"""

from collections.abc import Iterable, Sequence

from fhir_server.errors import MethodNotAllowed, NotFound
from fhir_server.interactions.context import Context, Interaction
from fhir_server.interactions.deciding import carry_out
from fhir_server.interactions.request import Reply, Request

_PLACES = frozenset({"metadata", "_history", "_search"})
"""First segments that are not a type."""
_NO_ID = "_$"
"""How a second segment begins that is not an id: `_history`, `$validate`."""


class Table:
    """All interactions, found by method and shape of path."""

    def __init__(self, interactions: Iterable[Interaction]) -> None:
        self.interactions = tuple(interactions)
        self._rows = {(row.method, row.path): row for row in self.interactions}
        for row in self.interactions:
            if row.method == "GET":
                self._rows["HEAD", row.path] = row

    def find(self, request: Request, context: Context) -> Interaction:
        """The interaction asked for; NotFound or MethodNotAllowed when there is none."""
        path = request.path
        shape = _shape(path)
        row = self._rows.get((request.method, shape))
        if "[type]" in shape and path[0] not in context.definitions.resource_types:
            raise NotFound(f"{path[0][:64]!r} is not a resource type of FHIR R4.")
        if row is None:
            raise self._refusal(request.method, shape, path)
        return row

    async def perform(self, request: Request, context: Context) -> Reply:
        """Find the interaction and carry it out."""
        return await perform(self.find(request, context), request, context)

    def _refusal(self, method: str, shape: str, path: Sequence[str]) -> Exception:
        allowed = sorted(m for m, row in self._rows if row == shape)
        if not allowed:
            return NotFound(f"There is nothing at {'/'.join(path)[:200]!r}.")
        error = MethodNotAllowed(f"{method} is not possible here. Possible: {', '.join(allowed)}.")
        error.headers["allow"] = ", ".join(allowed)
        return error


async def perform(interaction: Interaction, request: Request, context: Context) -> Reply:
    """Answer a reading interaction; decide and commit a writing one."""
    if interaction.answer is not None:
        return await interaction.answer(request, context)
    decide = interaction.decide
    assert decide is not None  # noqa: S101 -- a row has one of the two; a test holds it
    return await carry_out(lambda: decide(request, context), context)


def _shape(path: Sequence[str]) -> str:
    if len(path) < 2:
        return _first(path[0]) if path else ""
    if len(path) > len(_NAMES) + 1:
        return "/".join(path)
    shape = "[type]"
    for name, segment in zip(_NAMES, path[1:], strict=False):
        first = segment[:1]
        shape += "/$" if first == "$" else f"/{segment}" if first in _NO_ID else name
    return shape


def _first(segment: str) -> str:
    """The shape of a path of one segment."""
    if segment[:1] == "$":
        return "$"
    return segment if segment in _PLACES else "[type]"


_NAMES = ("/[id]", "/[member]", "/[vid]")
"""What a segment below a type is at its place, unless it begins as no id does."""
