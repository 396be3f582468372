"""Ids and ordinals: their form, their order, and that none is given twice."""

import threading
import uuid

from fhir_server.kit.clock import SettableClock
from fhir_server.kit.ids import RequestIds, TimeOrderedIds


def test_an_id_is_a_uuid_of_version_7_that_begins_with_its_time() -> None:
    clock = SettableClock(1_700_000_000_123)

    made = uuid.UUID(TimeOrderedIds(clock).new_id())

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == 1_700_000_000_123


def test_ids_and_ordinals_are_never_given_twice_even_by_threads_and_a_clock_that_stands() -> None:
    ids = TimeOrderedIds(SettableClock())
    made: list[tuple[str, int]] = []

    def make() -> None:
        made.extend([(ids.new_id(), ids.new_ordinal()) for _ in range(3000)])

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id_ for id_, _ in made}) == 9000
    assert len({ordinal for _, ordinal in made}) == 9000


def test_ordinals_rise_even_when_the_clock_goes_back() -> None:
    clock = SettableClock()
    ids = TimeOrderedIds(clock, worker=1023)
    ordinals = []
    for step in (0, 5, -3, 0, 1):
        clock.advance(step)
        ordinals.append(ids.new_ordinal())

    assert ordinals == sorted(set(ordinals))
    assert all(0 < ordinal < 1 << 63 for ordinal in ordinals)


def test_workers_make_different_ordinals_at_the_same_moment() -> None:
    clock = SettableClock()

    assert (
        TimeOrderedIds(clock, worker=1).new_ordinal()
        != TimeOrderedIds(clock, worker=2).new_ordinal()
    )


def test_request_ids_differ_within_and_between_processes() -> None:
    one, other = RequestIds(), RequestIds()

    made = {source.new_id() for source in (one, other) for _ in range(100)}

    assert len(made) == 200
    assert {len(id_) for id_ in made} == {20}
