"""Date values: date, dateTime, instant, Period, Timing.

https://hl7.org/fhir/R4/search.html#date

Every value is a span of milliseconds; prefixes compare spans (`prefixes.py`).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from functools import cache, partial
from typing import Any

from fhir_server.fhir.temporal import Span, period_span, reader, timing_span
from fhir_server.search import keys
from fhir_server.search.entries import Entries, Index, Indexed, Indexer
from fhir_server.search.values.escapes import unescape, wrong
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.search.values.prefixes import TIME, compare, take_prefix
from fhir_server.storage.query import Test

Spans = Callable[[Any], Span | None]


def test(parameter: Parameter, value: str, context: Context) -> Test:
    """The test for one date or time with its prefix."""
    return test_under(keys.interval_key(parameter.indexed), parameter, value, context)


def test_under(key: int, parameter: Parameter, value: str, context: Context) -> Test:
    """The same for spans that are stored under another key, as those of composites are."""
    prefix, text = take_prefix(unescape(value))
    try:
        # An unescaped plus sign in a URL arrives as a blank, and nothing else can be meant.
        first, last = reader(context.zone)(text.replace(" ", "+"))
    except ValueError:
        advice = "write a date or time such as 2024, 2024-05, 2024-05-01 or 2024-05-01T10:00:00Z"
        raise wrong(
            parameter, value, f"{advice}, after eq, ne, gt, lt, ge, le, sa, eb or ap"
        ) from None
    if prefix == "ap":
        margin = _margin(first, last, context.now_ms)
        first, last = first - margin, last + margin
    return compare(prefix, first, last, key, TIME)


def present(parameter: Parameter) -> Test:
    """The test that the parameter has any value."""
    return keys.intervals_of_parameter(parameter.indexed)


def _margin(first: int, last: int, now: int) -> int:
    """A tenth of the distance to now, and at least the value's own length."""
    distance = max(first - now, now - last, 0)
    return max(distance // 10, last - first + 1)


@cache
def spans_of(zone: tzinfo = UTC) -> Mapping[str, Spans]:
    """Spans by FHIR type; what names no zone is taken in `zone`."""
    read = reader(zone)

    def of_text(text: Any) -> Span | None:
        if type(text) is not str:
            return None
        try:
            return read(text)
        except ValueError:
            return None

    return {
        **dict.fromkeys(("date", "dateTime", "instant"), of_text),
        "Period": lambda period: period_span(period, read),
        "Timing": lambda timing: timing_span(timing, read),
    }


def indexers(zone: tzinfo = UTC) -> Mapping[str, Indexer]:
    """Indexers by FHIR type."""
    return {type_: partial(_index, spans) for type_, spans in spans_of(zone).items()}


def _index(spans: Spans, parameter: Indexed) -> Index:
    key = parameter.number << 32

    def index(element: Any, entries: Entries) -> None:
        span = spans(element)
        if span is not None:
            entries.intervals.append((key, *span))

    return index


INDEXERS: Mapping[str, Indexer] = indexers()
