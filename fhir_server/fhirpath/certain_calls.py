"""What the Python of an acquittal calls: answers about plain JSON, never more than is sure.

https://hl7.org/fhir/R4/datatypes.html

See `acquitting`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from fhir_server.fhir.xhtml import is_narrative

_WITH_PARTS: Final = frozenset({dict, list})
_DATE_LENGTH: Final = len("2024-02-29")


def _are_distinct(values: list[Any]) -> bool:
    return all(type(each) is str for each in values) and len(set(values)) == len(values)


def _texts_below(value: Any, key: str) -> Iterator[str]:
    """The texts that have a name anywhere within an object, those that are not deep first."""
    waiting = [value]
    for each in waiting:
        if type(each) is list:
            waiting += each
        elif type(each) is dict:
            found = each.get(key)
            if type(found) is str:
                yield found
            waiting += [part for part in each.values() if type(part) in _WITH_PARTS]


def _is_in_order(start: Any, end: Any) -> bool:
    """Whether one date surely is not after another."""
    if len(start) == len(end) and (
        len(start) <= _DATE_LENGTH or start[-6:] == end[-6:] or start[-1] == end[-1] == "Z"
    ):
        return bool(start <= end)  # in the same form and zone
    if len(start) <= _DATE_LENGTH or len(end) <= _DATE_LENGTH:
        return False
    try:
        return datetime.fromisoformat(start) < datetime.fromisoformat(end)
    except ValueError:  # a leap second, say
        return False


def _is_not_more(low: Any, high: Any) -> bool:
    """Whether one quantity surely is not above another: in the same unit."""
    return (
        all(low.get(name) == high.get(name) for name in ("system", "code", "unit"))
        and "comparator" not in low
        and "comparator" not in high
        and "value" in low
        and "value" in high
        and bool(Decimal(low["value"]) <= Decimal(high["value"]))
    )


FUNCTIONS: Final[Mapping[str, Any]] = {
    "any": any,
    "all": all,
    "len": len,
    "are_distinct": _are_distinct,
    "texts_below": _texts_below,
    "is_narrative": is_narrative,
    "is_in_order": _is_in_order,
    "is_not_more": _is_not_more,
}
