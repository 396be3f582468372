"""Utility functions and aggregates: http://hl7.org/fhirpath/N1/#utility-functions, #aggregates.

The time is that of the evaluation's clock, the same wherever one expression asks for it.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from fhir_server.fhirpath.evaluation import Evaluation
from fhir_server.fhirpath.functions.rules import Function, Kind, Result, collection
from fhir_server.fhirpath.items import Item
from fhir_server.fhirpath.navigation import Many
from fhir_server.fhirpath.temporal import Date, DateTime, Time


def trace(
    evaluation: Evaluation, items: list[Item], name: str | None, projection: Many | None = None
) -> list[Item]:
    """The input, unchanged."""
    tell = evaluation.environment.trace
    if tell is not None:
        told = items
        if projection is not None:
            told = [each for item in items for each in projection(evaluation, [item])]
        tell(name or "", told)
    return items


def now(evaluation: Evaluation, _: list[Item]) -> DateTime:
    moment = _moment(evaluation)
    offset = moment.utcoffset() or timedelta()
    fields = (moment.year, moment.month, moment.day, *_time(moment))
    return DateTime(fields, int(offset.total_seconds()) // 60)


def today(evaluation: Evaluation, _: list[Item]) -> Date:
    moment = _moment(evaluation)
    return Date((moment.year, moment.month, moment.day))


def time_of_day(evaluation: Evaluation, _: list[Item]) -> Time:
    return Time(_time(_moment(evaluation)))


def aggregate(
    evaluation: Evaluation, items: list[Item], aggregator: Many, init: list[Item] | None = None
) -> list[Item]:
    evaluation.spend(len(items))
    outer = evaluation.index, evaluation.total
    evaluation.total = init or []
    for index, item in enumerate(items):
        evaluation.index = index
        evaluation.total = aggregator(evaluation, [item])
        evaluation.spend(len(evaluation.total))
    total = evaluation.total
    evaluation.index, evaluation.total = outer
    return total


def _moment(evaluation: Evaluation) -> datetime:
    seconds, milliseconds = divmod(evaluation.moment(), 1000)
    moment = datetime.fromtimestamp(seconds, UTC) + timedelta(milliseconds=milliseconds)
    return moment.astimezone(evaluation.environment.zone)


def _time(moment: datetime) -> tuple[int, int, Decimal]:
    second = Decimal(moment.second * 1000 + moment.microsecond // 1000).scaleb(-3)
    return moment.hour, moment.minute, second


UTILITY: dict[str, Function] = {
    "trace": collection(trace, Kind.STRING, Kind.PROJECTION, optional=1, evaluation=True),
    "now": collection(now, result=Result.VALUE, evaluation=True),
    "today": collection(today, result=Result.VALUE, evaluation=True),
    "timeOfDay": collection(time_of_day, result=Result.VALUE, evaluation=True),
    "aggregate": collection(
        aggregate, Kind.PROJECTION, Kind.COLLECTION, optional=1, evaluation=True
    ),
}
