"""The query of an interaction that has no parameters of its own: read, vread, capabilities.

https://hl7.org/fhir/R4/http.html#parameters
"""

from fhir_server.errors import UnknownParameter
from fhir_server.interactions.answering import preference
from fhir_server.interactions.request import Request
from fhir_server.search.clause import shown
from fhir_server.search.controls import FORMATTING

_NOT_YET = frozenset({"_summary", "_elements"})


def require_plain_query(request: Request, interaction: str, *own: str) -> None:
    """UnknownParameter for a name that is not of the format and not of the interaction's `own`.

    Prefer: handling=lenient passes over it, as it does in a search.
    """
    if not request.query or preference(request, "handling") == "lenient":
        return
    known = FORMATTING.union(own)
    for name, value in request.query:
        if name in known or (name, value) == ("_summary", "false"):
            continue
        if name in _NOT_YET:
            raise UnknownParameter(f"Not supported yet: {name}={shown(value)}.")
        raise UnknownParameter(
            f"{shown(name)!r} is not a parameter of {interaction}; {', '.join(sorted(known))} are."
        )
