"""Controls: https://hl7.org/fhir/R4/search.html#return"""

import pytest

from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.search.controls import (
    Contained,
    Controls,
    Fields,
    Inclusion,
    Sizes,
    SortKey,
    Summary,
    Total,
    processed,
    read_controls,
)

UNDERSTOOD = [
    ([], Controls(count=50)),
    ([("_count", "7")], Controls(count=7)),
    ([("_count", "1000")], Controls(count=1000)),
    ([("_count", "99999999999999999999")], Controls(count=1000)),
    ([("_count", "0")], Controls(count=50, count_only=True, total=Total.ACCURATE)),
    (
        [("_summary", "count")],
        Controls(count=50, summary=Summary.COUNT, count_only=True, total=Total.ACCURATE),
    ),
    (
        [("_summary", "count"), ("_total", "none")],
        Controls(count=50, summary=Summary.COUNT, count_only=True, total=Total.ACCURATE),
    ),
    ([("_summary", "text")], Controls(count=50, summary=Summary.TEXT)),
    ([("_elements", "id, value[x],code")], Controls(count=50, elements=("id", "value", "code"))),
    (
        [("_sort", "-date,name")],
        Controls(
            count=50, sort=(SortKey("date", descending=True), SortKey("name", descending=False))
        ),
    ),
    (
        [
            ("_include", "*"),
            ("_include:iterate", "A:b"),
            ("_include", "A:b:C"),
            ("_revinclude", "A:*"),
            ("_revinclude:recurse", "A:b"),
        ],
        Controls(
            count=50,
            inclusions=(
                Inclusion("_include", None, None, None),
                Inclusion("_include:iterate", "A", "b", None, iterate=True),
                Inclusion("_include", "A", "b", "C"),
                Inclusion("_revinclude", "A", None, None, reverse=True),
                Inclusion("_revinclude:recurse", "A", "b", None, reverse=True, iterate=True),
            ),
        ),
    ),
    ([("_summary", "false")], Controls(count=50)),
    ([("_total", "none")], Controls(count=50)),
    ([("_total", "estimate")], Controls(count=50, total=Total.ESTIMATE)),
    ([("_total", "accurate")], Controls(count=50, total=Total.ACCURATE)),
    ([("_format", "json"), ("_pretty", "true")], Controls(count=50)),
    ([("_page", "abc")], Controls(count=50, page="abc")),
    ([("_contained", "false"), ("_containedType", "container")], Controls(count=50)),
    ([("_contained", "both")], Controls(count=50, contained=Contained.BOTH)),
    (
        [("_contained", "true"), ("_containedType", "contained")],
        Controls(count=50, contained=Contained.TRUE, contained_alone=True),
    ),
]


@pytest.mark.parametrize(("pairs", "expected"), UNDERSTOOD)
def test_controls_are_read(pairs: list[tuple[str, str]], expected: Controls) -> None:
    controls, kept, dropped = read_controls(pairs, Sizes())
    assert controls == expected
    assert kept == tuple(pairs)
    assert dropped == ()


WRONG = [
    ([("_contained", "yes")], "_contained is one of false, true, both, not 'yes'"),
    ([("_containedType", "")], "_containedType is container or contained, not ''"),
    ([("_contained", "true"), ("_include", "A:b")], "_contained cannot be asked for together with"),
    ([("_contained:x", "true")], "_contained does not take :x"),
    ([("_count", "-1")], "_count is a number from 0 to 1000, not '-1'"),
    ([("_count", "ten")], "_count is a number from 0 to 1000, not 'ten'"),
    ([("_count", "٣")], "_count is a number"),
    ([("_count", "")], "_count is a number"),
    ([("_count", "1"), ("_count", "2")], "_count is given twice"),
    ([("_total", "all")], "_total is one of none, estimate, accurate, not 'all'"),
    ([("_summary", "short")], "_summary is one of"),
    ([("_summary", "true"), ("_elements", "id")], "cannot both say what to show"),
    ([("_summary", "text"), ("_include", "A:b")], "cannot be asked for together with _include"),
    ([("_elements", "")], "_elements is a list of element names"),
    ([("_elements", "id,,name")], "_elements is a list of element names"),
    ([("_sort", "")], "_sort is a list of parameters, such as -date,name, not ''"),
    ([("_sort", "-")], "_sort is a list of parameters"),
    ([("_sort", "a,,b")], "_sort is a list of parameters"),
    ([("_sort", ",".join("abcdefghijk"))], "_sort may name 10 parameters; this one names 11"),
    ([("_sort", "a"), ("_sort", "b")], "_sort is given twice"),
    ([("_sort:desc", "a")], "_sort does not take :desc. A name with - in front"),
    ([("_include", "A")], "_include=A is not understood. Write Type:parameter"),
    ([("_include", "A:")], "_include=A: is not understood"),
    ([("_include", "A:b:C:d")], "_include=A:b:C:d is not understood"),
    ([("_revinclude", "")], "_revinclude= is not understood. Write Type:parameter"),
    ([("_include:deep", "A:b")], "_include does not take :deep. Write Type:parameter"),
    ([("_count:x", "1")], "_count does not take :x"),
]


@pytest.mark.parametrize(("pairs", "message"), WRONG)
@pytest.mark.parametrize("lenient", [False, True])
def test_a_wrong_control_is_refused_even_leniently(
    pairs: list[tuple[str, str]], message: str, *, lenient: bool
) -> None:
    with pytest.raises(BadRequest, match=message):
        read_controls(pairs, Sizes(), lenient=lenient)


def test_a_control_that_is_none_is_refused_by_name_or_left_out_leniently() -> None:
    name, value = "_no-such-control", "true"
    with pytest.raises(UnknownParameter, match=f"Not supported yet: {name}"):
        read_controls([(name, value)], Sizes())
    controls, kept, dropped = read_controls([(name, value), ("_count", "2")], Sizes(), lenient=True)
    assert controls == Controls(count=2)
    assert kept == (("_count", "2"),)
    assert dropped == (name,)


def test_what_the_types_do_not_have_is_refused_or_left_out_leniently() -> None:
    def require(fields: Fields) -> None:
        if "sort" in fields:
            raise UnknownParameter("no such parameter")

    pairs = [("_sort", "x"), ("_include", "A:b")]
    with pytest.raises(UnknownParameter, match="no such parameter"):
        read_controls(pairs, Sizes(), require=require)
    controls, kept, dropped = read_controls(pairs, Sizes(), lenient=True, require=require)
    assert (controls.sort, len(controls.inclusions)) == ((), 1)
    assert (kept, dropped) == ((("_include", "A:b"),), ("_sort",))


def test_a_count_that_was_cut_shows_what_it_is() -> None:
    pairs = [("_count", "5000"), ("_total", "none")]
    controls, kept, _ = read_controls(pairs, Sizes())
    assert processed(kept, controls) == (("_count", "1000"), ("_total", "none"))
    controls, kept, _ = read_controls([("_count", "0")], Sizes())
    assert processed(kept, controls) == (("_count", "0"),)


def test_the_house_may_set_other_sizes() -> None:
    sizes = Sizes(default=5, most=10)
    assert read_controls([], sizes)[0].count == 5
    assert read_controls([("_count", "11")], sizes)[0].count == 10
