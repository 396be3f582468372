"""The query of an interaction that has no parameters of its own: read, vread, capabilities.

https://hl7.org/fhir/R4/http.html#parameters

What it may say is how the answer is written, and how much of it: `_summary` and `_elements`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.interactions.answering import preference
from fhir_server.interactions.context import Context
from fhir_server.interactions.request import Reply, Request
from fhir_server.search.clause import shown
from fhir_server.search.controls import FORMATTING, Fields, Sizes, Summary, read_controls
from fhir_server.search.query_string import Pair
from fhir_server.search.subsetting import Show
from fhir_server.storage.versions import Version

SHORTENING: Final = frozenset({"_summary", "_elements"})


def show_of(
    request: Request, context: Context, interaction: str, types: Sequence[str], *own: str
) -> Show | None:
    """How the resources of an answer are shown; None when they are shown whole.

    UnknownParameter for a name that is not of the format and not of the interaction's `own`,
    unless Prefer: handling=lenient passes over it, as it does in a search.
    """
    if not request.query:
        return None
    lenient = preference(request, "handling") == "lenient"
    known = FORMATTING | SHORTENING | frozenset(own)
    for name, _ in request.query:
        if name not in known and not lenient:
            raise UnknownParameter(
                f"{shown(name)!r} is not a parameter of {interaction}; "
                f"{', '.join(sorted(known))} are."
            )
    return shortened(request.query, context, types, lenient=lenient)


def shown_by(show: Show | None, version: Version) -> Reply:
    """A version as the body, or the part of it that was asked for."""
    if show is None or version.content is None:
        return Reply(200, version)
    return Reply(200, version, content=show(version.type, version.content))


def shortened(
    pairs: Iterable[Pair], context: Context, types: Sequence[str], *, lenient: bool = False
) -> Show | None:
    """How `_summary` and `_elements` show resources of these types; None: whole."""
    subsetting = context.searching.subsetting

    def require(fields: Fields) -> None:
        if "elements" in fields:
            subsetting.require_elements(types, fields["elements"])

    asked = [pair for pair in pairs if pair[0] in SHORTENING]
    controls, _, _ = read_controls(asked, Sizes(), lenient=lenient, require=require)
    if controls.summary is Summary.COUNT:
        raise BadRequest("_summary=count is for searches; here it is true, text, data or false.")
    return subsetting.show(controls)
