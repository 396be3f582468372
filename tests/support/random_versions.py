"""Random versions, terms and plans from small vocabularies, so that plans find something.

Everything comes from the `Random` that is passed in: a seed names a case.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from fhir_server.storage.query import (
    AllOf,
    AnyOf,
    By,
    Driver,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyHas,
    KeyIn,
    KeyIs,
    Not,
    Order,
    Plan,
    Test,
    UpdatedIn,
)
from fhir_server.storage.versions import (
    EARLIEST,
    KEY_BYTES,
    LATEST,
    Change,
    Interval,
    Key,
    Terms,
    Version,
)

T = TypeVar("T")

TYPES = ("Alpha", "Beta", "Gamma")
IDS = tuple(f"id-{number}" for number in range(40))
BYTE_KEYS = tuple(
    prefix + bytes([middle]) + bytes(KEY_BYTES - len(prefix) - 2) + bytes([last])
    for prefix in (b"aaaa", b"aaab", b"\x00\x00\x00\x01", b"\xff\xff\xff\xff", b"\x00aaa")
    for middle in (0, 1, 255)
    for last in (0, 97, 255)
)
WORDS = (
    *("", "a", "ab", "abc", "b", "z", "é", "ß", "ﬁ"),
    *("\u0431", "\uffff", "\U0001f600", "\U0010ffff"),
)
"""Beyond the Basic Multilingual Plane code points and UTF-16 units are ordered differently."""
TEXT_KEYS = tuple(f"{prefix}{word}" for prefix in ("\x01", "q:") for word in WORDS)
DRIVERS = tuple(bytes([number]) * KEY_BYTES for number in (0, 1, 100, 255))
INTERVAL_KEYS = (-(2**63), -1, 0, 7, 8, 2**63 - 1)
NUMBERS = (EARLIEST, -1e300, -12.5, -0.0, 0.0, 0.1, 1, 99.999, 1_700_000_000_123, 1e300, LATEST)
TIMES = (EARLIEST, -5, 0, 1, 2, 3, 1_700_000_000_000, LATEST)
FIRST_MOMENT = 1_700_000_000_000


class Writing:
    """Successive versions of random resources, numbered and timed as the contract asks."""

    def __init__(self, random: Random, ids: Sequence[str] = IDS) -> None:
        self._random = random
        self._ids = ids
        self._current: dict[tuple[str, str], Version] = {}
        self._ordinal = 0
        self._now = FIRST_MOMENT

    def changes(self, most: int = 8) -> list[Change]:
        """The next changes, each of another resource; they count as stored from now on."""
        chosen = {
            (self._random.choice(TYPES), self._random.choice(self._ids))
            for _ in range(self._random.randint(1, most))
        }
        self._now += self._random.choice((0, 1, 5))
        return [self._next(*identity) for identity in sorted(chosen)]

    def _next(self, type_: str, id_: str) -> Change:
        before = self._current.get((type_, id_))
        deleted = before is not None and not before.deleted and self._random.random() < 0.2
        if before is None:
            self._ordinal += self._random.randint(1, 3)
        else:
            self._now = max(self._now, before.updated + 1)
        number = before.number + 1 if before else 1
        version = Version(
            type_,
            id_,
            number,
            before.ordinal if before else self._ordinal,
            self._now,
            "DELETE" if deleted else self._random.choice(("POST", "PUT", "PATCH")),
            None if deleted else f'{{"id":"{id_}","v":{number}}}'.encode(),
        )
        self._current[type_, id_] = version
        return Change(version, Terms() if deleted else random_terms(self._random))


def random_terms(random: Random) -> Terms:
    start, end = sorted(random.choices(TIMES, k=2)) if random.random() < 0.8 else (EARLIEST,) * 2
    return Terms(
        keys=[*_some(random, BYTE_KEYS, 6), *_some(random, TEXT_KEYS, 4)],
        drivers=_some(random, DRIVERS, 3),
        intervals=[_interval(random) for _ in range(random.randint(0, 4))],
        start=start,
        end=end,
    )


def random_plan(random: Random, type_: str | None = None) -> Plan:
    """A plan of any shape; the order is often the one in which an index runs."""
    driver = random_driver(random) if random.random() < 0.85 else None
    usual = By.START if isinstance(driver, DriverIs) else By.UPDATED
    return Plan(
        type_ or random.choice(TYPES),
        driver,
        tuple(random_test(random, 3) for _ in range(random.choice((0, 0, 1, 1, 2)))),
        Order(random.choice((By.ORDINAL, usual, usual, *By)), random.random() < 0.5),
        None,
        random.choice((1, 2, 5, 50)),
    )


def random_test(random: Random, depth: int) -> Test:
    if depth == 0 or random.random() < 0.4:
        return random_driver(random)
    parts = tuple(random_test(random, depth - 1) for _ in range(random.choice((0, 1, 2, 2, 3))))
    if parts and random.random() < 0.4:
        return Not(parts[0])
    return random.choice((AnyOf, AllOf))(parts)


def random_driver(random: Random) -> Driver:
    return random.choice(_MAKERS)(random)


def _key_is(random: Random) -> Driver:
    keys: Sequence[Key] = BYTE_KEYS + TEXT_KEYS
    return KeyIs(tuple(random.choices(keys, k=random.choice((0, 1, 1, 2, 3, 12, 100)))))


def _key_in(random: Random) -> Driver:
    if random.random() < 0.5:
        low, high = sorted(random.choices(TEXT_KEYS, k=2))
        return KeyIn(low, high if random.random() < 0.5 else low + "\U0010ffff")
    first, last = sorted(random.choices(BYTE_KEYS, k=2))
    if random.random() < 0.5:
        start = first[:4]
        successor = (int.from_bytes(start) + 1) % 2**32
        return KeyIn(start.ljust(KEY_BYTES, b"\0"), successor.to_bytes(4).ljust(KEY_BYTES, b"\0"))
    return KeyIn(first, last)


def _key_has(random: Random) -> Driver:
    text = random.choice([key for key in TEXT_KEYS if key])
    start, end = sorted(random.choices(range(len(text) + 1), k=2))
    ends = [end for end in range(1, len(text) + 1) if text[end - 1].isascii()]
    beginning = text[: random.choice(ends)]
    return KeyHas(beginning, text[start:end] if random.random() < 0.8 else random.choice(".*\\$^Ä"))


def _driver_is(random: Random) -> Driver:
    drivers = tuple(random.choices(DRIVERS, k=random.choice((0, 1, 1, 1, 1, 2, 5, 70))))
    return DriverIs(drivers, _window(random, TIMES), _window(random, TIMES))


def _interval_is(random: Random) -> Driver:
    first, last = sorted(random.choices(INTERVAL_KEYS, k=2))
    key = (first, last) if random.random() < 0.3 else (first, first)
    return IntervalIs(key, _window(random, NUMBERS), _window(random, NUMBERS))


def _id_is(random: Random) -> Driver:
    return IdIs(frozenset(random.choices((*IDS, "unknown"), k=random.choice((0, 1, 5, 40)))))


def _updated_in(random: Random) -> Driver:
    low, high = sorted(FIRST_MOMENT + random.randrange(400) for _ in range(2))
    return random.choice((UpdatedIn(low, high), UpdatedIn(low), UpdatedIn(high=high)))


_MAKERS = (
    _key_is, _key_is, _key_in, _key_has, _driver_is, _driver_is, _interval_is, _id_is, _updated_in,
)  # fmt: skip

Number = TypeVar("Number", int, float)


def _window(random: Random, values: Sequence[Number]) -> tuple[Number, Number]:
    low, high = sorted(random.choices(values, k=2))
    return random.choice(((low, high), (EARLIEST, LATEST), (low, LATEST), (EARLIEST, high)))


def _interval(random: Random) -> Interval:
    low, high = sorted(random.choices(NUMBERS, k=2))
    return (random.choice(INTERVAL_KEYS), low, high)


def _some(random: Random, values: Sequence[T], most: int) -> list[T]:
    return random.sample(values, random.randint(0, most))
