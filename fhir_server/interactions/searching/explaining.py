"""`_explain=true`: the plan of a search in place of its matches, for people.

The answer is a searchset whose one entry is an OperationOutcome: for each type where the search
begins, what it tests then, what else it could have begun with, with counts. A search that would
be refused is explained as well, with the conditions that would help.
"""

from collections.abc import Iterator, Sequence

from fhir_server.errors import FhirError
from fhir_server.fhir.outcome import Issue
from fhir_server.interactions.context import Context
from fhir_server.interactions.repository import Repository
from fhir_server.interactions.searching.finding import require_few
from fhir_server.search.explaining import INDEXES, Explanation, Way
from fhir_server.search.planning import MANY
from fhir_server.search.prepared import Prepared
from fhir_server.search.sorting import ByValues
from fhir_server.storage.query import Plan


async def explained(prepared: Prepared, context: Context) -> tuple[list[Issue], int | None]:
    """What to tell of the search, and the number of its matches where that could be counted."""
    issues: list[Issue] = []
    plans: list[Plan] = []
    total: int | None = 0
    for told in await context.searching.explain(prepared, context.repository):
        issues += _steps(told)
        if told.plan is None:
            issues += _refused(told, told.refused, context)
            total = None
            continue
        plans.append(told.plan)
        number, words = await _counted(told.plan, context)
        issues += [*_begins(told, words, await _driven(told.plan, context)), *_others(told)]
        total = None if number is None or total is None else total + number
    issues += await _order(prepared, plans, context.repository, context.searching.sizes.sorted)
    return issues, total


def refused_search(prepared: Prepared, error: FhirError, context: Context) -> str:
    """The words of a search that took too long: which conditions it has, and which would help."""
    (type_, *others) = prepared.criteria
    codes = [each.code for each in prepared.criteria[type_]]
    asked = f" It asks by {', '.join(codes)}." if codes else ""
    which = "Say which types are meant with _type, or add" if others else "Add"
    helps = _listed(context.searching.narrowing(type_, codes))
    return f"{error.message}{asked} {which} a condition on {helps}."


def _steps(told: Explanation) -> Iterator[Issue]:
    for step in told.steps:
        yield _told(f"{step.code}: {step.type} was searched first, and {step.found:,} were found.")


def _refused(told: Explanation, error: FhirError | None, context: Context) -> Iterator[Issue]:
    if error is not None:
        helps = _listed(context.searching.narrowing(told.type, told.criteria))
        words = f"{told.type}: refused. {error.message} What narrows it most: {helps}."
        yield Issue("error", error.issue, words)


def _begins(told: Explanation, matches: str, driven: str) -> Iterator[Issue]:
    way = told.chosen
    if way is None:
        tests = f" Each is tested for {_codes(told.criteria)}." if told.criteria else ""
        yield _told(
            f"{told.type}: begins at no index, with all {driven}.{tests} Matches: {matches}."
        )
        return
    tests = f" Each is tested for {_codes(way.tests)}." if way.tests else ""
    yield _told(
        f"{told.type}: begins with {_index(way)}; estimated {_estimate(way)}, counted {driven}."
        f"{tests} Matches: {matches}."
    )


def _others(told: Explanation) -> Iterator[Issue]:
    chosen = told.chosen
    for way in told.ways:
        if way is not chosen:
            sorted_ = "" if way.ordered else ", to be put in order"
            yield _told(
                f"{told.type}: could begin with {_index(way)}; estimated {_estimate(way)}{sorted_}."
            )


async def _order(
    prepared: Prepared, plans: Sequence[Plan], repository: Repository, most: int
) -> list[Issue]:
    if not isinstance(prepared.order, ByValues):
        return [_told("Order: as an index has it.")]
    names = ",".join(f"{'-' * key.descending}{key.code}" for key in prepared.order.keys)
    try:
        await require_few(prepared.order, plans, repository, most)
    except FhirError as refusal:
        return [Issue("error", refusal.issue, refusal.message)]
    return [_told(f"Order: no index has {names}; every match is read and sorted.")]


async def _driven(plan: Plan, context: Context) -> str:
    return (await _counted(Plan(plan.type, plan.drive), context))[1]


async def _counted(plan: Plan, context: Context) -> tuple[int | None, str]:
    """The number of matches, and in words; not counted further than what may be sorted."""
    most = context.searching.sizes.sorted
    try:
        number, exact = await context.repository.count(plan, most)
    except FhirError:
        return None, "not counted, as it took longer than allowed"
    return (number, f"{number:,}") if exact else (None, f"more than {most:,}")


def _index(way: Way) -> str:
    codes = f" ({_codes(way.begins)})" if way.begins else ""
    return f"the index of {INDEXES[way.rank]}{codes}"


def _estimate(way: Way) -> str:
    return f"{MANY:,} or more" if way.estimate >= MANY else f"{way.estimate:,}"


def _codes(codes: Sequence[str]) -> str:
    return ", ".join(codes)


def _listed(codes: Sequence[str]) -> str:
    return " or ".join(codes)


def _told(words: str) -> Issue:
    return Issue("information", "informational", words)
