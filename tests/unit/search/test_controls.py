"""Controls: https://hl7.org/fhir/R4/search.html#return"""

import pytest

from fhir_server.errors import BadRequest, UnknownParameter
from fhir_server.search.controls import Controls, Sizes, Total, read_controls

UNDERSTOOD = [
    ([], Controls(count=50)),
    ([("_count", "7")], Controls(count=7)),
    ([("_count", "1000")], Controls(count=1000)),
    ([("_count", "99999999999999999999")], Controls(count=1000)),
    ([("_count", "0")], Controls(count=50, count_only=True, total=Total.ACCURATE)),
    ([("_summary", "count")], Controls(count=50, count_only=True, total=Total.ACCURATE)),
    (
        [("_summary", "count"), ("_total", "none")],
        Controls(count=50, count_only=True, total=Total.ACCURATE),
    ),
    ([("_summary", "false")], Controls(count=50)),
    ([("_total", "none")], Controls(count=50)),
    ([("_total", "estimate")], Controls(count=50, total=Total.ESTIMATE)),
    ([("_total", "accurate")], Controls(count=50, total=Total.ACCURATE)),
    ([("_format", "json"), ("_pretty", "true")], Controls(count=50)),
    ([("_page", "abc")], Controls(count=50, page="abc")),
]


@pytest.mark.parametrize(("pairs", "expected"), UNDERSTOOD)
def test_controls_are_read(pairs: list[tuple[str, str]], expected: Controls) -> None:
    controls, kept, dropped = read_controls(pairs, Sizes())
    assert controls == expected
    assert kept == tuple(pairs)
    assert dropped == ()


WRONG = [
    ([("_count", "-1")], "_count is a number from 0 to 1000, not '-1'"),
    ([("_count", "ten")], "_count is a number from 0 to 1000, not 'ten'"),
    ([("_count", "٣")], "_count is a number"),
    ([("_count", "")], "_count is a number"),
    ([("_count", "1"), ("_count", "2")], "_count is given twice"),
    ([("_total", "all")], "_total is one of none, estimate, accurate, not 'all'"),
    ([("_summary", "short")], "_summary is one of"),
]


@pytest.mark.parametrize(("pairs", "message"), WRONG)
@pytest.mark.parametrize("lenient", [False, True])
def test_a_wrong_control_is_refused_even_leniently(
    pairs: list[tuple[str, str]], message: str, *, lenient: bool
) -> None:
    with pytest.raises(BadRequest, match=message):
        read_controls(pairs, Sizes(), lenient=lenient)


NOT_YET = [
    ("_sort", "date"),
    ("_include", "Observation:subject"),
    ("_include:iterate", "Observation:subject"),
    ("_revinclude", "Provenance:target"),
    ("_elements", "id"),
    ("_contained", "true"),
    ("_summary", "true"),
    ("_explain", "true"),
]


@pytest.mark.parametrize(("name", "value"), NOT_YET)
def test_what_is_not_built_is_refused_by_name_or_left_out_leniently(name: str, value: str) -> None:
    with pytest.raises(UnknownParameter, match=f"Not supported yet: {name}"):
        read_controls([(name, value)], Sizes())
    controls, kept, dropped = read_controls([(name, value), ("_count", "2")], Sizes(), lenient=True)
    assert controls == Controls(count=2)
    assert kept == (("_count", "2"),)
    assert dropped == (name,)


def test_the_house_may_set_other_sizes() -> None:
    sizes = Sizes(default=5, most=10)
    assert read_controls([], sizes)[0].count == 5
    assert read_controls([("_count", "11")], sizes)[0].count == 10
