"""Page links: what was sealed opens again, and nothing else does."""

import base64

import pytest

from fhir_server.errors import BadRequest
from fhir_server.search.paging import Cursors, Place, query_digest
from fhir_server.storage.versions import EARLIEST, LATEST

CURSORS = Cursors(b"0123456789abcdef")
QUERY = query_digest("Patient", [("name", "x"), ("gender", "male")])
PLACES = [
    Place((0,), 0),
    Place((-1,), 5, backward=True),
    Place((0, EARLIEST), 2**63 - 1),
    Place((LATEST,), 1),
    Place((), 7),
    Place(("Müller, Zoë\0", None, -1.5e300, 3), 8),
    Place((("kg", 72.5), ("", 0.0)), 9, backward=True),
    Place(("x" * 1000,), 10),
]


@pytest.mark.parametrize("place", PLACES, ids=range(len(PLACES)))
def test_a_sealed_place_opens_again(place: Place) -> None:
    token = CURSORS.seal(place, QUERY, "ann")
    assert CURSORS.open(token, QUERY, "ann") == place
    assert token.replace("-", "").replace("_", "").isalnum()


def test_every_changed_character_is_noticed() -> None:
    token = CURSORS.seal(Place((1,), 2), QUERY)
    for at, character in enumerate(token):
        changed = token[:at] + ("A" if character != "A" else "B") + token[at + 1 :]
        with pytest.raises(BadRequest, match="does not belong to this search"):
            CURSORS.open(changed, QUERY)


def test_every_cut_and_every_addition_is_noticed() -> None:
    token = CURSORS.seal(Place(("abc",), 2), QUERY)
    for changed in [
        *(token[:at] for at in range(len(token))),
        f"{token}A",
        f"{token}=",
        f"A{token}",
    ]:
        with pytest.raises(BadRequest, match="does not belong to this search"):
            CURSORS.open(changed, QUERY)


def test_what_a_result_is_sorted_by_cannot_be_read_in_a_link() -> None:
    token = CURSORS.seal(Place(("chalmers",), 2), QUERY)
    assert b"chalmers" not in base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


WRONG_TEXTS = ["", "x", "A" * 43, "A" * 44, "A" * 45, "=" * 44, "ä" * 44, "A" * 100_000]


@pytest.mark.parametrize("text", WRONG_TEXTS, ids=range(len(WRONG_TEXTS)))
def test_what_was_never_sealed_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="does not belong to this search"):
        CURSORS.open(text, QUERY)


OTHERS = [
    ("another query", CURSORS, query_digest("Patient", [("name", "y"), ("gender", "male")]), "ann"),
    ("another type", CURSORS, query_digest("Person", [("name", "x"), ("gender", "male")]), "ann"),
    ("another caller", CURSORS, QUERY, "bob"),
    ("no caller", CURSORS, QUERY, ""),
    ("another secret", Cursors(b"fedcba9876543210"), QUERY, "ann"),
]


@pytest.mark.parametrize(
    ("cursors", "query", "caller"), [case[1:] for case in OTHERS], ids=[case[0] for case in OTHERS]
)
def test_a_link_is_bound_to_its_query_its_caller_and_its_server(
    cursors: Cursors, query: bytes, caller: str
) -> None:
    token = CURSORS.seal(Place((1,), 2), QUERY, "ann")
    with pytest.raises(BadRequest, match="does not belong to this search"):
        cursors.open(token, query, caller)


def test_the_order_of_criteria_does_not_matter() -> None:
    assert query_digest("Patient", [("gender", "male"), ("name", "x")]) == QUERY


def test_criteria_cannot_be_shifted_into_one_another() -> None:
    assert query_digest("P", [("a", "b"), ("c", "d")]) != query_digest(
        "P", [("a", "bc"), ("", "d")]
    )
    assert query_digest("P", [("a", "b")]) != query_digest("P", [("a", "b"), ("a", "b")])


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Cursors(b"short")


def test_a_long_secret_counts_to_its_end() -> None:
    one, other = Cursors(b"k" * 100), Cursors(b"k" * 99 + b"x")
    token = one.seal(Place((1,), 2), QUERY)
    assert one.open(token, QUERY) == Place((1,), 2)
    with pytest.raises(BadRequest, match="does not belong to this search"):
        other.open(token, QUERY)


def test_what_else_is_said_of_a_result_keeps_its_order() -> None:
    one = query_digest("P", [("a", "b")], [("date", True), ("name", False)])
    assert one == query_digest("P", [("a", "b")], [("date", True), ("name", False)])
    assert one != query_digest("P", [("a", "b")], [("name", False), ("date", True)])
    assert one != query_digest("P", [("a", "b")])
