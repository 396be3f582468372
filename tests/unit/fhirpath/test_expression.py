"""Expressions as a whole: what they are given, what they give, and what they refuse."""

import time
from decimal import Decimal
from typing import Any

import pytest

from fhir_server.fhirpath import Element, Environment, compile  # noqa: A004 - its name
from fhir_server.fhirpath.errors import (
    FhirPathError,
    FhirPathSemanticError,
    FhirPathTooCostly,
)
from tests.support.fhirpath import PATIENT, elements, evaluate


def test_an_expression_is_compiled_once_and_evaluated_often() -> None:
    expression = compile("name.count()", elements())
    assert [expression.evaluate(PATIENT), expression.evaluate({"resourceType": "Patient"})] == [
        [3],
        [0],
    ]
    assert str(expression) == "name.count()"


def test_a_result_may_be_changed_by_who_asked() -> None:
    expression = compile("1 | 2", elements())
    expression.evaluate(None).clear()
    assert expression.evaluate(None) == [1, 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("false", False),
        ("{}", None),
        ("'a'", True),
        ("0", True),
        ("name.first()", True),
        ("active", True),
        ("deceased", False),
        ("link", None),
        ("name.exists() or telecom.exists()", True),
        ("contained.contained.empty()", True),
    ],
)
def test_an_invariant_holds_or_not_or_there_is_nothing_to_say(
    text: str,
    expected: Any,
) -> None:
    assert compile(text, elements()).holds(PATIENT) is expected


def test_an_element_knows_where_it_stands() -> None:
    (family,) = compile("name.where(use = 'usual').given", elements()).evaluate(PATIENT)
    assert isinstance(family, Element)
    assert (family.value, family.type, family.key, family.index) == ("Jim", "string", "given", 0)
    assert family.parent is not None
    assert (family.parent.key, family.parent.index) == ("name", 1)


def test_resources_around_an_element_are_its_own_unless_they_are_given() -> None:
    (inner,) = compile("contained", elements()).evaluate(PATIENT)
    assert isinstance(inner, Element)
    said = compile("%resource.id | %rootResource.id", elements())
    assert said.holds(inner, resource=inner, root_resource=inner) is True
    found = said.evaluate(inner, resource=inner, root_resource=inner.parent)
    assert [item.value for item in found if isinstance(item, Element)] == ["o1", "p1"]
    outer = compile("%resource.id", elements()).evaluate(inner)
    assert [item.value for item in outer if isinstance(item, Element)] == ["p1"]


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("name.frist()", 5, "there is no function frist(); did you mean first()?"),
        ("name.exists(1, 2)", 5, "exists() takes 0 to 1 arguments, not 2"),
        ("name.where()", 5, "where() takes 1 arguments, not 0"),
        ("@2020-02-30", 0, "there is no such day or time: @2020-02-30"),
        ("1 + @T25:00", 4, "there is no such day or time: @T25:00"),
        ("name.ofType(1)", 12, "the name of a type is needed here"),
    ],
)
def test_what_can_have_no_meaning_is_told_with_its_place(
    text: str, position: int, words: str
) -> None:
    with pytest.raises(FhirPathSemanticError) as caught:
        compile(text, elements())
    assert (caught.value.position, caught.value.status) == (position, 400)
    assert caught.value.message == f"FHIRPath, at offset {position}: {words}"


def test_errors_never_tell_what_the_record_says() -> None:
    for text in ("name.family.upper()", "name.given + 1", "name[0].family * 2", "-gender"):
        with pytest.raises(FhirPathError) as caught:
            evaluate(text)
        assert not any(each in caught.value.message for each in ("Chalmers", "Peter", "male"))


BIG = {
    "resourceType": "Questionnaire",
    "item": [
        {"linkId": str(i), "item": [{"linkId": f"{i}.{j}"} for j in range(9)]} for i in range(300)
    ],
}


@pytest.mark.parametrize(
    "text",
    [
        "descendants().where(%context.descendants().where(linkId = 'x').exists())",
        "descendants().select(%context.descendants())",
        "descendants().linkId.repeat($this & 'x')",
        "1.repeat($this | ($this + 1))",
        "(1|2|3|4|5|6|7|8|9).aggregate($total.combine($total).combine($total), descendants())",
        "descendants().all(%context.descendants().all(true))",
        "descendants().select(%context.descendants().linkId.distinct().count())",
        "descendants().linkId ~ descendants().linkId.trace('x')",
        "item.where(%context.item.item.linkId = 'x')",
    ],
)
def test_what_never_ends_is_ended(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(FhirPathTooCostly) as caught:
        evaluate(text, BIG, Environment(steps=200_000))
    assert (caught.value.issue, caught.value.status) == ("too-costly", 400)
    assert time.process_time() - begin < 5


def test_an_evaluation_ends_when_the_time_of_its_caller_is_up() -> None:
    asked = []

    def expired() -> bool:
        asked.append(True)
        return len(asked) > 2

    with pytest.raises(FhirPathTooCostly) as caught:
        evaluate("1.repeat($this + 1)", environment=Environment(expired=expired))
    assert "more time than there is" in caught.value.message
    assert len(asked) == 3


def test_what_is_the_same_for_every_item_is_found_once() -> None:
    many: dict[str, Any] = {"resourceType": "Patient"}
    many["contained"] = [{"resourceType": "Basic", "id": str(i)} for i in range(500)]
    many["generalPractitioner"] = [{"reference": f"#{i}"} for i in range(500)]
    unused = "contained.where(('#' + id in %resource.descendants().reference).not()).id"
    assert evaluate(unused, many, Environment(steps=400_000)) == []
    many["generalPractitioner"].pop()
    assert evaluate(unused, many) == ["499"]
    of_each = (
        "contained.select($this.descendants().count() + %resource.contained.count()).distinct()"
    )
    assert evaluate(of_each, many) == [501]
    nested = "contained.take(2).select(%resource.descendants().where($this = %context.id).count())"
    assert evaluate(nested, {**many, "id": "0"}) == [2, 2]


def test_thousands_of_items_are_distinct_in_linear_time() -> None:
    many = {"resourceType": "Questionnaire", "item": [{"linkId": str(i)} for i in range(20_000)]}
    begin = time.process_time()
    assert evaluate("descendants().linkId.isDistinct()", many) == [True]
    assert evaluate("(item | item).count()", many) == [20_000]
    same_hash = [{"valueDecimal": Decimal(i * (2**61 - 1)), "url": "u"} for i in range(5_000)]
    numbers = {"resourceType": "Basic", "extension": same_hash}
    assert evaluate("extension.value.distinct().count()", numbers) == [5_000]
    assert time.process_time() - begin < 3


def test_depth_is_an_error_and_never_a_crash() -> None:
    deep: dict[str, Any] = {"linkId": "0"}
    for _ in range(3000):
        deep = {"linkId": "1", "item": [deep]}
    resource = {"resourceType": "Questionnaire", "item": [deep]}
    assert evaluate("descendants().count()", resource) == [6002]
    with pytest.raises(FhirPathTooCostly):
        evaluate("descendants().distinct().count()", resource)
    nested = "iif(true, " * 90 + "1" + ")" * 90
    assert evaluate(nested) == [1]


def test_what_is_not_shaped_like_its_type_is_passed_over() -> None:
    odd: dict[str, Any] = {"resourceType": "Patient", "name": "x", "contact": [1, None, []]}
    odd["birthDate"] = {"a": 1}
    for text in ("contact.name", "descendants()", "birthDate.extension", "name.given"):
        evaluate(text, odd)
    assert evaluate("name.family", odd) == []


def test_what_no_definition_knows_is_found_by_its_name() -> None:
    unknown = {"resourceType": "Novel", "title": "x", "pages": 3, "author": [{"name": "y"}]}
    assert evaluate("title | author.name", unknown) == ["x", "y"]
    assert evaluate("pages + 1", unknown) == [4]
    assert evaluate("descendants().count()", unknown) == [4]
