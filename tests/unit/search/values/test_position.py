"""https://hl7.org/fhir/R4/location.html#positional"""

import math
import random
from decimal import Decimal

import pytest

from fhir_server.search.criterion import around
from fhir_server.search.values.position import EARTH, TOLERANCE
from tests.support.searching import ask, entries, finds, meets

CENTRES = [
    (0.0, 0.0),
    (52.52, 13.405),
    (-33.9, 151.2),
    (71.0, 25.8),
    (-17.0, 180.0),
    (12.0, -179.99),
    (89.9, 10.0),
    (-89.999, -170.0),
    (90.0, 0.0),
    (-90.0, 77.0),
]
DISTANCES = [0.5, 120.0, 5_000.0, 80_000.0, 700_000.0, 4_000_000.0, 10_007_543.0, 15_000_000.0]
"""Metres."""


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Along the Earth, by the angle between two directions in space."""
    a, b = _direction(one), _direction(other)
    across = math.hypot(
        a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
    )
    along = sum(x * y for x, y in zip(a, b, strict=True))
    return EARTH * math.atan2(across, along)


def _direction(place: tuple[float, float]) -> tuple[float, float, float]:
    latitude, longitude = map(math.radians, place)
    level = math.cos(latitude)
    return level * math.cos(longitude), level * math.sin(longitude), math.sin(latitude)


def at(centre: tuple[float, float], distance: float, bearing: float) -> tuple[float, float]:
    """Where one comes to from a place."""
    latitude, longitude = map(math.radians, centre)
    angle = distance / EARTH
    there = math.asin(
        math.sin(latitude) * math.cos(angle)
        + math.cos(latitude) * math.sin(angle) * math.cos(bearing)
    )
    east = longitude + math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(latitude),
        math.cos(angle) - math.sin(latitude) * math.sin(there),
    )
    turned = (math.degrees(east) + 180) % 360 - 180
    return math.degrees(there), turned


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("centre", CENTRES)
def test_what_is_found_is_nearer_than_the_distance(
    centre: tuple[float, float], distance: float
) -> None:
    asked = ask("special", f"{centre[0]}|{centre[1]}|{distance}|m")
    box = around(asked)
    assert box is not None
    chance, seen = random.Random(f"{centre} {distance}"), set()
    for _ in range(150):
        far = distance * chance.choice([chance.random(), 1 + chance.uniform(-0.03, 0.03), 2])
        place = at(centre, min(far, math.pi * EARTH), chance.uniform(0, 2 * math.pi))
        away = metres(centre, place)
        if abs(away - distance) > distance * TOLERANCE:
            inside = away < distance
            found = entries("special", [("Location.position", _position(place))])
            assert meets(asked, found) is inside, (place, away)
            assert not inside or meets(box, found)
            seen.add(inside)
    assert seen == {True, False}


def _position(place: tuple[float, float]) -> dict[str, Decimal]:
    return {"latitude": Decimal(place[0]), "longitude": Decimal(place[1])}


MALFORMED: list[object] = [
    None,
    "0|0",
    [],
    {},
    {"latitude": 0},
    {"longitude": 0},
    {"latitude": "0", "longitude": 0},
    {"latitude": True, "longitude": 0},
    {"latitude": Decimal("90.1"), "longitude": 0},
    {"latitude": 0, "longitude": Decimal("-180.1")},
    {"latitude": Decimal("1e999"), "longitude": 0},
]


@pytest.mark.parametrize("element", MALFORMED)
def test_what_is_no_position_is_nowhere(element: object) -> None:
    assert not finds("special", "0|0|30000|km", "Location.position", element)


def test_a_position_on_both_sides_of_the_world_is_one() -> None:
    for stored in (180, -180):
        for asked in ("180", "-180"):
            place = {"latitude": 5, "longitude": stored}
            assert finds("special", f"5|{asked}|0", "Location.position", place)
