"""Chains, `_has` and `_list` while they are bound and resolved, without a store."""

from collections.abc import Mapping, Sequence

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.errors import BadRequest, TooCostly, UnknownParameter
from fhir_server.search import keys
from fhir_server.search.catalog import Catalog
from fhir_server.search.drivers import DriverTerms
from fhir_server.search.query_string import Limits
from fhir_server.search.searching import Searching
from fhir_server.search.values.reference import local_form
from fhir_server.storage.query import Driver, DriverIs, IdIs, KeyIs, Plan
from fhir_server.storage.versions import Page

CATALOG = Catalog(load_definitions())
SEARCHING = Searching(
    CATALOG.definitions, "http://h/fhir", b"0" * 16, limits=Limits(joined=300), catalog=CATALOG
)

REFUSED = [
    # what stands before the dot
    ("Observation", "code.name", "code.name: code of Observation is a token, no reference"),
    ("Observation", "nothing.name", "nothing.name: Observation has no search parameter 'nothing'."),
    ("Observation", "_id.name", "_id.name: "),
    # the type
    ("Observation", "subject:Practitioner.name",
     "subject of Observation refers to Group or Device or Patient or Location, not to Practition"),
    ("Observation", "patient:Group.name", "patient of Observation refers to Patient, not to Grou"),
    ("Observation", "subject:Patien.name", "not to Patien."),
    ("Observation", "subject:exact.name", "not to exact."),
    # what stands behind it
    ("Observation", "patient.nam", "patient.nam: Patient has no search parameter 'nam'. Did you "),
    ("Observation", "subject.zzz",
     "or Patient or Location, and none of them has a search parameter 'zzz'."),
    ("Observation", "patient.name:fuzzy", "Not supported: name:fuzzy."),
    ("Observation", "patient.organization.nam", "Organization has no search parameter 'nam'."),
    ("Observation", "patient.gender.x", "patient.gender.x: gender of Patient is a token"),
    # _has
    ("Patient", "_has", "_has is written _has:Type:reference:parameter"),
    ("Patient", "_has:Observation", "_has is written"),
    ("Patient", "_has:Observation:patient", "_has:Observation:patient is not."),
    ("Patient", "_has:Observation::code", "_has is written"),
    ("Patient", "_has:Observatio:patient:code",
     "'Observatio' is no resource type; did you mean Observation"),
    ("Patient", "_has:Observation:pat:code", "Observation has no search parameter 'pat'."),
    ("Patient", "_has:Observation:status:code", "status of Observation is a token, no reference"),
    ("Patient", "_has:Encounter:service-provider:status",
     "service-provider of Encounter never refers to Patient, but to Organization."),
    ("Group", "_has:Observation:patient:code",
     "patient of Observation never refers to Group, but to Patient."),
    ("Patient", "_has:Observation:patient:cod", "Observation has no search parameter 'cod'."),
    ("Patient", "_has:Observation:patient:_has", "_has is written"),
    ("Patient", "_list:Patient", "_list takes no modifier and no chain"),
    ("Patient", "_list.status", "_list takes no modifier and no chain"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "name", "message"), REFUSED, ids=[case[1] for case in REFUSED])
def test_a_join_that_cannot_be_is_refused_and_says_what_could(
    type_: str, name: str, message: str
) -> None:
    with pytest.raises(UnknownParameter) as caught:
        SEARCHING.prepare(type_, [(name, "1")])
    assert caught.value.message.startswith(f"{name}: ")
    assert message in caught.value.message
    assert SEARCHING.prepare(type_, [(name, "1"), ("_id", "1")], lenient=True).dropped == (name,)


WRONG = [
    ("Observation", "patient.birthdate", "someday", "patient.birthdate: 'someday' is no value"),
    ("Patient", "_has:Observation:patient:date", "2020-13", "'2020-13' is no value"),
    ("Patient", "_list", "$current-problems", "$current-problems are not supported"),
    ("Observation", "patient._list", "1,$current-problems", "Functional lists such as $current"),
    ("Observation", "patient" + 20 * ".link", "1", "More than 16 joins in one another"),
    ("AuditEvent", "entity.subject.organization.name", "x", "say which types are meant"),
]  # fmt: skip


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(("type_", "name", "value", "message"), WRONG)
def test_a_wrong_value_behind_a_join_is_refused_even_leniently(
    type_: str, name: str, value: str, message: str, *, lenient: bool
) -> None:
    with pytest.raises(BadRequest) as caught:
        SEARCHING.prepare(type_, [(name, value)], lenient=lenient)
    assert message in caught.value.message


class Found:
    """A store that finds the same of a type whatever it is asked, and notes what it was asked."""

    def __init__(self, ids: Mapping[str, Sequence[str]], keys: Sequence[bytes] = ()) -> None:
        self.ids = ids
        self.keys = keys
        self.asked: list[Plan] = []

    async def estimate(self, _type: str, _driver: Driver | None) -> int:
        return 500

    async def find(self, plan: Plan) -> Page:
        raise AssertionError(f"nothing but ids and keys is looked for, yet asked for {plan}")

    async def find_ids(self, plan: Plan) -> Sequence[str]:
        self.asked.append(plan)
        return self.ids.get(plan.type, ())[: plan.limit]

    async def find_keys(self, plan: Plan, low: bytes, high: bytes) -> Sequence[bytes]:
        self.asked.append(plan)
        return [key for key in self.keys if low <= key < high][: plan.limit]

    async def count(self, plan: Plan, cap: int | None = None) -> tuple[int, bool]:
        number = len(self.ids.get(plan.type, ())) or len(self.keys)
        return (number, True) if cap is None or number <= cap else (cap, False)


async def planned(found: Found, type_: str, *pairs: tuple[str, str]) -> Plan:
    ((plan,),) = await SEARCHING.plans(SEARCHING.prepare(type_, pairs), found)
    return plan


def subject(type_: str, id_: str) -> bytes:
    return keys.indexed("Observation", "subject").prefix + local_form(type_, id_)


CODE = ("code", "http://loinc.org|1")


@pytest.mark.anyio
async def test_a_chain_becomes_the_references_it_stands_for() -> None:
    plan = await planned(
        Found({"Patient": ["a", "b"], "Group": ["c"]}), "Observation", ("subject.identifier", "1")
    )
    wanted = {subject("Patient", "a"), subject("Patient", "b"), subject("Group", "c")}
    assert isinstance(plan.drive, KeyIs)
    assert set(plan.drive.keys) == wanted


@pytest.mark.anyio
async def test_a_chain_to_patients_drives_as_their_ids_do() -> None:
    chain = await planned(
        Found({"Patient": ["a", "b"]}), "Observation", ("patient.name", "x"), CODE
    )
    plain = await planned(Found({}), "Observation", ("patient", "a,b"), CODE)
    assert chain == plain
    assert isinstance(chain.drive, DriverIs)


@pytest.mark.anyio
async def test_a_chain_with_dates_begins_at_the_patients_of_that_time() -> None:
    when = ("date", "ge2020")
    chain = await planned(Found({"Patient": ["a"]}), "Observation", ("patient.name", "x"), when)
    terms = DriverTerms("Observation")
    assert isinstance(chain.drive, DriverIs | KeyIs)
    if isinstance(chain.drive, DriverIs):
        assert chain.drive.drivers == (terms.member("Patient", "a"),)


@pytest.mark.anyio
async def test_a_chain_to_many_patients_is_one_list_of_keys() -> None:
    found = Found({"Patient": [f"p{number}" for number in range(300)]})
    plan = await planned(found, "Observation", ("patient.name", "x"), CODE)
    tests = (plan.drive, *plan.tests)
    (among,) = (each for each in tests if isinstance(each, KeyIs) and len(each.keys) == 300)
    assert among.keys[0] == subject("Patient", "p0")


@pytest.mark.anyio
async def test_what_matches_nothing_ends_the_search() -> None:
    found = Found({})
    plan = await planned(found, "Observation", ("patient.organization.name", "x"), CODE)
    assert plan.drive == IdIs(frozenset())
    assert [each.type for each in found.asked] == ["Organization"]


@pytest.mark.anyio
async def test_a_reverse_chain_turns_references_into_what_they_refer_to() -> None:
    group = subject("Group", "g")
    found = Found({}, [subject("Patient", "a"), subject("Patient", "b"), group])
    plan = await planned(found, "Patient", ("_has:Observation:patient:code", "1"))
    own = keys.itself("Patient").prefix
    assert plan.drive == KeyIs((own + local_form("Patient", "a"), own + local_form("Patient", "b")))


@pytest.mark.anyio
async def test_too_many_matches_of_a_link_are_told_and_never_cut() -> None:
    found = Found({"Patient": [f"p{number}" for number in range(1000)]})
    with pytest.raises(TooCostly) as caught:
        await planned(found, "Observation", ("patient.gender", "male"))
    assert "1000 Patient match Patient?gender=male" in caught.value.message
    assert "a join takes 300 at most" in caught.value.message
    references = [subject("Patient", f"p{number}") for number in range(5000)]
    with pytest.raises(TooCostly, match="More than 3000 Observation match Observation"):
        await planned(Found({}, references), "Patient", ("_has:Observation:patient:code", "1"))


@pytest.mark.anyio
async def test_a_chain_that_depends_on_the_moment_is_not_remembered() -> None:
    first = SEARCHING.prepare("Observation", [("patient.birthdate", "ap2000")])
    second = SEARCHING.prepare("Observation", [("patient.birthdate", "ap2000")])
    assert first.criteria["Observation"][0] is not second.criteria["Observation"][0]
    first = SEARCHING.prepare("Observation", [("patient.birthdate", "ge2000")])
    second = SEARCHING.prepare("Observation", [("patient.birthdate", "ge2000")])
    assert first.criteria["Observation"][0] is second.criteria["Observation"][0]


@pytest.mark.anyio
async def test_canonicals_name_their_target_by_url_wherever_that_is_looked_for() -> None:
    """The `url` of a CodeSystem is also its `system`, which is the one with keys."""
    source = keys.indexed("ConceptMap", "source").prefix
    url = keys.group("url") + keys.value("http://example.org/v")
    plan = await planned(Found({}, [source + url]), "ValueSet", ("_has:ConceptMap:source:url", "x"))
    assert plan.drive == KeyIs((keys.indexed("ValueSet", "url").prefix + keys.NONE + url[4:],))
    supplements = keys.indexed("CodeSystem", "supplements").prefix
    found = Found({}, [supplements + url])
    plan = await planned(found, "CodeSystem", ("_has:CodeSystem:supplements:status", "active"))
    assert plan.drive == KeyIs((keys.indexed("CodeSystem", "system").prefix + keys.NONE + url[4:],))


def test_nothing_else_is_marked_as_the_resource_itself() -> None:
    for type_ in CATALOG.definitions.resource_types:
        assert "_self" not in CATALOG.definitions.search_parameters(type_)
