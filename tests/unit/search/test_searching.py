"""From pairs to a prepared search: what is refused, what is left out, what links carry."""

from collections.abc import Sequence

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.kit.clock import SettableClock
from fhir_server.search.catalog import Catalog
from fhir_server.search.paging import Place
from fhir_server.search.query_string import Limits
from fhir_server.search.scopes import of_system
from fhir_server.search.searching import Searching
from fhir_server.storage.query import AnyOf, Driver, IdIs, Not, UpdatedIn
from fhir_server.storage.versions import LATEST
from tests.support.searching import plain_criteria

Pairs = Sequence[tuple[str, str]]

DAY = 86_400_000
JANUARY_2020 = 1_577_836_800_000


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog(load_definitions())


@pytest.fixture(scope="module")
def searching(catalog: Catalog) -> Searching:
    clock = SettableClock(JANUARY_2020 + 100 * DAY)
    return Searching(catalog.definitions, "http://h/fhir", b"0" * 16, clock=clock, catalog=catalog)


UNKNOWN = [
    ("Patient", "nam", "Patient has no search parameter 'nam'. Did you mean name?"),
    ("Patient", "birthDate", "Patient has no search parameter 'birthDate'. Did you mean birthdate"),
    ("Patient", "zzz", "Patient has no search parameter 'zzz'."),
    ("Patient", "subject", "Patient has no search parameter 'subject'."),
    ("Observation", "Patient", "Did you mean patient?"),
    ("Observation", "_lastupdated", "Did you mean _lastUpdated?"),
    ("Patient", "x" * 9000, "Patient has no search parameter 'xxx"),
    ("Patient", "_text:exact", "Not supported: _text:exact. _text takes no modifier."),
    ("Binary", "_text", "Binary has no search parameter '_text'."),
    ("Patient", "_content", "turns it on with the setting FHIR_SERVER_FULL_TEXT=content; all"),
    ("Patient", "name:text", "name:text. name takes :missing or :exact or :contains."),
    ("Patient", "general-practitioner:Patient", "takes :missing or :identifier or :b"),
    ("Patient", "gender:text", "takes :missing or :not or :in or :not-in or :below or :above."),
    ("Observation", "code:of-type", "takes :missing or :not or :text or :in or :not-in or "),
    ("Observation", "date:not", "date takes :missing."),
    ("Patient", "_id:text", "Not supported: _id:text. _id takes :missing or :not."),
    ("Patient", "_lastUpdated:not", "_lastUpdated takes :missing."),
]


@pytest.mark.parametrize(("type_", "name", "message"), UNKNOWN, ids=[c[1][:20] for c in UNKNOWN])
def test_what_is_unknown_is_refused_by_name(
    type_: str, name: str, message: str, searching: Searching
) -> None:
    with pytest.raises(UnknownParameter) as caught:
        searching.prepare(type_, [(name, "1")])
    assert message in caught.value.message
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(("type_", "name", "message"), UNKNOWN, ids=[c[1][:20] for c in UNKNOWN])
def test_what_is_unknown_is_left_out_leniently(
    type_: str, name: str, message: str, searching: Searching
) -> None:
    pairs = [("_id", "1"), (name, "1"), ("_count", "3")]
    prepared = searching.prepare(type_, pairs, lenient=True)
    assert [criterion.code for criterion in prepared.criteria[type_]] == ["_id"]
    assert prepared.pairs == (("_id", "1"), ("_count", "3"))
    assert prepared.dropped == (name,)


WRONG = [
    ("Patient", "birthdate", "ge2000-13", "'ge2000-13' is no value for the search "),
    ("Patient", "birthdate", "2000,yesterday", "'yesterday' is no value"),
    ("Patient", "_lastUpdated", "now", "'now' is no value for the search parameter _lastUpdated"),
    ("Patient", "gender", "a|b|c", "gender"),
    ("Patient", "name", "", "name has an empty value"),
    ("Patient", "gender:missing", "maybe", "gender:missing is either true or false"),
    ("Patient", "gender:missing", "true,false", "gender:missing is either true or false"),
    ("Observation", "patient", "a b", "patient"),
    ("Observation", "value-quantity", "ten", "value-quantity"),
    ("Observation", "code-value-quantity", "a", "code-value-quantity"),
]  # fmt: skip


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(("type_", "name", "value", "message"), WRONG)
def test_a_wrong_value_is_refused_even_leniently(
    type_: str, name: str, value: str, message: str, *, lenient: bool, searching: Searching
) -> None:
    with pytest.raises(BadRequest) as caught:
        searching.prepare(type_, [(name, value)], lenient=lenient)
    assert message in caught.value.message


def test_a_value_that_narrowing_rules_out_must_still_be_a_value(searching: Searching) -> None:
    (criterion,) = plain_criteria(searching, "Observation", [("patient", "Group/1")])
    assert criterion.test == AnyOf(())
    with pytest.raises(BadRequest, match="patient"):
        plain_criteria(searching, "Observation", [("patient", "Group/1,what is this")])


STORED = [
    ("_id", "a", IdIs(frozenset({"a"}))),
    ("_id", "a,b", IdIs(frozenset({"a", "b"}))),
    ("_lastUpdated", "2020-01-01", UpdatedIn(JANUARY_2020, JANUARY_2020 + DAY)),
    ("_lastUpdated", "gt2020-01-01", UpdatedIn(JANUARY_2020 + DAY, LATEST)),
    ("_lastUpdated", "ge2020-01-01", UpdatedIn(JANUARY_2020, LATEST)),
    ("_lastUpdated", "sa2020-01-01", UpdatedIn(JANUARY_2020 + DAY, LATEST)),
    ("_lastUpdated", "2020-01-01T00:00:00.001Z", UpdatedIn(JANUARY_2020 + 1, JANUARY_2020 + 2)),
    ("_lastUpdated", "ap2020-01-01",
     UpdatedIn(JANUARY_2020 - 99 * DAY // 10, JANUARY_2020 + DAY + 99 * DAY // 10)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "expected"), STORED)
def test_what_the_store_keeps_is_asked_of_it(
    name: str, value: str, expected: Driver, searching: Searching
) -> None:
    (criterion,) = plain_criteria(searching, "Patient", [(name, value)])
    assert criterion.test == expected


def test_an_open_end_of_last_updated_reaches_every_version(searching: Searching) -> None:
    (before,) = plain_criteria(searching, "Patient", [("_lastUpdated", "lt2020-01-01")])
    assert isinstance(before.test, UpdatedIn)
    assert before.test.low < 0
    assert before.test.high == JANUARY_2020


def test_a_moment_dependent_value_is_not_remembered(catalog: Catalog) -> None:
    clock = SettableClock(JANUARY_2020)
    searching = Searching(catalog.definitions, "http://h", b"0" * 16, clock=clock, catalog=catalog)
    pairs = [("birthdate", "ap2000")]
    before = plain_criteria(searching, "Patient", pairs)
    clock.advance(3650 * DAY)
    assert plain_criteria(searching, "Patient", pairs) != before


def test_no_filter_that_depends_on_the_moment_is_remembered(catalog: Catalog) -> None:
    clock = SettableClock(JANUARY_2020)
    searching = Searching(catalog.definitions, "http://h", b"0" * 16, clock=clock, catalog=catalog)
    pairs = [("_filter", r'code-value-date eq "http://x|y$\u0061p2000"')]
    before = plain_criteria(searching, "Observation", pairs)
    clock.advance(3650 * DAY)
    assert plain_criteria(searching, "Observation", pairs) != before


def test_missing_is_absence_and_its_opposite(searching: Searching) -> None:
    absent, present = (
        plain_criteria(searching, "Patient", [("gender:missing", value)])[0].test
        for value in ("true", "false")
    )
    assert absent == Not(present)


def test_links_carry_what_was_understood_as_it_was_sent(searching: Searching) -> None:
    pairs = [("name", r"a\,b,c"), ("_count", "7"), ("gender", "male"), ("_format", "json")]
    prepared = searching.prepare("Patient", pairs)
    assert sorted(prepared.pairs) == sorted(pairs)
    assert prepared.controls.count == 7


def test_a_page_link_continues_the_same_search_only(searching: Searching) -> None:
    pairs = [("name", "a"), ("gender", "male")]
    first = searching.prepare("Patient", pairs, caller="ann")
    assert first.place is None
    place = Place((0, 5), 6)
    page = ("_page", searching.sealed(first, place, caller="ann"))
    again = searching.prepare("Patient", [*reversed(pairs), page, ("_count", "2")], caller="ann")
    assert again.place == place
    assert page not in again.pairs
    assert again.controls.count == 2
    strangers: list[tuple[str, Pairs, str]] = [
        ("Person", pairs, "ann"),
        ("Patient", pairs[:1], "ann"),
        ("Patient", [*pairs, ("name", "b")], "ann"),
        ("Patient", [*pairs, ("_sort", "_id")], "ann"),
        ("Patient", pairs, "bob"),
        ("Patient", pairs, ""),
    ]
    for type_, others, caller in strangers:
        with pytest.raises(BadRequest, match="does not belong to this search"):
            searching.prepare(type_, [*others, page], caller=caller)


CRITERIA_WRONG: list[tuple[Pairs, str]] = [
    ([], "At least one criterion is needed"),
    ([("_format", "json")], "At least one criterion is needed"),
    ([("_count", "1"), ("_id", "1")], "_count is no criterion"),
    ([("_id", "1"), ("_summary", "count")], "_summary is no criterion"),
    ([("_id", "1"), ("_page", "x")], "_page is no criterion"),
    ([("_id", "1"), ("nam", "x")], "no search parameter 'nam'"),
]


@pytest.mark.parametrize(("pairs", "message"), CRITERIA_WRONG)
def test_criteria_alone_must_be_criteria(pairs: Pairs, message: str, searching: Searching) -> None:
    with pytest.raises(BadRequest, match=message):
        plain_criteria(searching, "Patient", pairs)


def test_criteria_may_come_with_a_format(searching: Searching) -> None:
    pairs = [("_id", "1"), ("_pretty", "true")]
    assert len(plain_criteria(searching, "Patient", pairs)) == 1


def test_limits_are_those_given(catalog: Catalog) -> None:
    searching = Searching(
        catalog.definitions, "http://h", b"0" * 16, limits=Limits(1, 2), catalog=catalog
    )
    with pytest.raises(BadRequest, match="may have 1 parameters; this one has 2"):
        searching.prepare("Patient", [("_id", "1"), ("_id", "2")])
    with pytest.raises(BadRequest, match="may have 2 values; this one has 3"):
        searching.prepare("Patient", [("_id", "1,2,3")])


SOME_VALUE = {
    "date": "2020",
    "number": "1",
    "quantity": "1",
    "reference": "Patient/1",
    "string": "a",
    "token": "true",
    "special": "1|1",
    "uri": "http://a",
}


def test_every_parameter_that_is_listed_can_be_searched_by(
    catalog: Catalog, searching: Searching
) -> None:
    count = 0
    for type_ in sorted(catalog.definitions.resource_types):
        for parameter in searching.searchable(type_):
            if parameter.code == "_filter":
                continue
            parts = [each.parameter.type for each in parameter.components] or [parameter.type]
            value = "$".join(SOME_VALUE[part] for part in parts)
            assert plain_criteria(searching, type_, [(parameter.code, value)])
            count += 1
    compiled = sum(len(catalog.of(type_).compiled) for type_ in catalog.definitions.resource_types)
    stored = 2 * len(catalog.definitions.resource_types)
    stored += sum(
        "_text" in catalog.of(each).definitions for each in catalog.definitions.resource_types
    )
    assert count == compiled + stored


def test_a_search_that_was_understood_is_not_understood_again(searching: Searching) -> None:
    pairs = [("code", "s|c"), ("date", "ge2020"), ("_sort", "-date")]
    known = searching.prepare("Observation", pairs)
    assert searching.prepare("Observation", list(pairs)) is known
    for other in (
        searching.prepare("Observation", pairs[::-1]),
        searching.prepare("Condition", [("code", "s|c")]),
        searching.prepare("Observation", pairs, lenient=True),
        searching.prepare("Observation", pairs, caller="ann"),
    ):
        assert other is not known


def test_what_is_near_a_date_depends_on_the_moment_of_asking(catalog: Catalog) -> None:
    clock = SettableClock(JANUARY_2020 + 100 * DAY)
    searching = Searching(
        catalog.definitions, "http://h/fhir", b"0" * 16, clock=clock, catalog=catalog
    )
    pairs = [("date", "ap2020-01-01")]
    before = searching.prepare("Observation", pairs)
    clock.advance(900 * DAY)
    assert searching.prepare("Observation", pairs).criteria != before.criteria


def test_a_search_of_many_types_is_not_remembered(catalog: Catalog) -> None:
    searching = Searching(catalog.definitions, "http://h/fhir", b"0" * 16, catalog=catalog)
    for scope, kept in (
        (of_system([("_type", "Patient,Encounter")], catalog.definitions)[0], True),
        (of_system([], catalog.definitions)[0], False),
    ):
        again = searching.prepare(scope, [("_id", "1")])
        assert (searching.prepare(scope, [("_id", "1")]) is again) is kept


def test_of_what_was_asked_the_oldest_is_forgotten(catalog: Catalog) -> None:
    searching = Searching(catalog.definitions, "http://h/fhir", b"0" * 16, catalog=catalog)
    first, *others = [searching.prepare("Patient", [("_id", str(at))]) for at in range(1025)]
    assert searching.prepare("Patient", [("_id", "1024")]) is others[-1]
    assert searching.prepare("Patient", [("_id", "1")]) is others[0]
    assert searching.prepare("Patient", [("_id", "0")]) is not first
