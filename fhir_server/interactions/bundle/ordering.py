"""In which order a transaction is carried out, and what may not meet in one.

https://hl7.org/fhir/R4/http.html#trules
"""

from collections.abc import Iterable, Mapping, Sequence

from fhir_server.errors import BadRequest
from fhir_server.interactions.bundle.entries import Entry

_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}


def ordered(entries: Iterable[Entry]) -> Sequence[Entry]:
    """Deletes, creates, updates and patches, reads; within each as they were sent."""
    return sorted(entries, key=lambda entry: _ORDER[entry.request.method])


def require_distinct_urls(entries: Iterable[Entry]) -> None:
    """BadRequest when two entries have the same fullUrl: references could mean either."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        other = seen.setdefault(entry.full_url, entry) if entry.full_url else entry
        if other is not entry:
            raise BadRequest(
                f"Entries {other.index} and {entry.index} have the same fullUrl, {entry.full_url}.",
                expression=[f"{other.place}.fullUrl", f"{entry.place}.fullUrl"],
            )


def require_distinct_targets(touched: Mapping[int, Iterable[str]]) -> None:
    """BadRequest when two entries write the same resource: neither could be first."""
    seen: dict[str, int] = {}
    for index, targets in touched.items():
        for target in targets:
            other = seen.setdefault(target, index)
            if other != index:
                first, second = sorted((other, index))
                raise BadRequest(
                    f"Entries {first} and {second} both write {target}; a transaction may write "
                    "a resource once.",
                    expression=[f"Bundle.entry[{first}]", f"Bundle.entry[{second}]"],
                )
