"""Packed terms: in order as bytes, whole when unpacked."""

from hypothesis import given
from hypothesis import strategies as st

from fhir_server.storage.embedded.packing import integer_bytes, number_bytes, pack, rows
from fhir_server.storage.versions import EARLIEST, KEY_BYTES, LATEST, Interval, Terms

numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53), 2**53),
    st.sampled_from([EARLIEST, LATEST, 0.0, -0.0, 5e-324, -5e-324]),
)
integers = st.integers(-(2**63), 2**63 - 1)
keys = st.one_of(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES), st.text("aé\uffff\U0001f600"))


@given(numbers, numbers)
def test_numbers_keep_their_order_as_bytes(one: float, other: float) -> None:
    assert (number_bytes(one) < number_bytes(other)) == (one < other)
    assert (number_bytes(one) == number_bytes(other)) == (one == other)


@given(integers, integers)
def test_integers_keep_their_order_as_bytes(one: int, other: int) -> None:
    assert (integer_bytes(one) < integer_bytes(other)) == (one < other)


@given(
    st.lists(keys, unique=True),
    st.lists(st.binary(max_size=KEY_BYTES), unique=True),
    st.lists(st.tuples(integers, numbers, numbers)),
    integers,
)
def test_what_was_packed_comes_out_as_rows(
    of_keys: list[bytes | str], drivers: list[bytes], intervals: list[Interval], start: int
) -> None:
    unpacked = rows(pack(Terms(of_keys, drivers, intervals, start, LATEST)))
    assert unpacked.keys | unpacked.texts == set(of_keys)
    assert unpacked.drivers == {(driver, start) for driver in drivers}
    assert unpacked.spans == {
        integer_bytes(key) + number_bytes(low) + number_bytes(high) for key, low, high in intervals
    }


@given(st.lists(keys, unique=True).map(Terms))
def test_terms_in_another_order_are_packed_alike(terms: Terms) -> None:
    assert pack(terms) == pack(Terms(terms.keys[::-1]))
