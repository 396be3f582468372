"""Positions on the Earth, and what is near them: the special parameter `near` of Location.

https://hl7.org/fhir/R4/location.html#positional

A position is kept as one interval, from its latitude to its longitude, so that a range of both
ends is a box. What is near lies in a circle, and a circle is asked for as strips from west to
east, as long as it is wide there:

    near=52.5|13.4|20|km   →  all of: the box around the circle, any of its strips

Strips are so many, some 160, that whatever is nearer than the distance by TOLERANCE of it is found,
and nothing that is farther by as much. Distances are those on a sphere of the Earth's mean radius.
"""

import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from fhir_server.fhir.quantity import conversion
from fhir_server.search import keys
from fhir_server.search.entries import Entries, Index, Indexed, Indexer
from fhir_server.search.values.escapes import split, unescape, wrong
from fhir_server.search.values.number import as_float, is_number
from fhir_server.search.values.parameter import Context, Parameter
from fhir_server.storage.query import AllOf, AnyOf, IntervalIs, Test

DEFAULT_DISTANCE: Final = 50_000
"""Metres that are near when no distance is given; units named without one do not matter."""
DEFAULT_UNITS: Final = "km"
TOLERANCE: Final = 0.005
"""The part of a distance by which the edge of a circle may be mistaken."""
EARTH: Final = 6_371_008.8
"""Mean radius in metres."""

MOST_CIRCLES: Final = 5
"""Values of one parameter: each is made of many strips, which takes some milliseconds."""

_MISTAKE: Final = 0.0045
"""The same where the edge of a strip is looked at: a little less, as it is looked at in parts."""
_AT_FIRST: Final = 8
_HALVINGS: Final = 12
"""Strips to begin with, and how often each may be halved where the circle is round."""
_POLE: Final = math.pi / 2
_RIGHT_ANGLE, _HALF_ROUND, _ROUND = 90, 180, 360
_ROUNDING: Final = 1e-9
"""Degrees, a tenth of a millimetre, by which the numbers of a computer may be mistaken."""
_WRITTEN: Final = re.compile(r"[+-]?\d{1,20}(?:\.\d{0,50})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_FEWEST_PARTS, _MOST_PARTS = 2, 4
_ADVICE: Final = (
    "write latitude|longitude|distance|units, such as 52.52|13.405|5|km, with degrees from -90 to"
    " 90 and from -180 to 180; the distance is not negative, the units are UCUM lengths such as"
    " km, m or [mi_i]"
)


class _Circle(NamedTuple):
    """All in radians, seen from the centre of the Earth."""

    latitude: float
    longitude: float
    radius: float


def test(parameter: Parameter, value: str, _: Context) -> Test:
    """The test for positions within the distance."""
    key = keys.interval_key(parameter.indexed)
    strips = tuple(
        IntervalIs((key, key), latitudes, longitudes)
        for latitudes, longitudes in dict.fromkeys(_strips(_searched(parameter, value)))
    )
    return AllOf((_around(strips), AnyOf(strips)))


def present(parameter: Parameter) -> Test:
    """The test that there is a position."""
    return keys.intervals_of_parameter(parameter.indexed)


def _searched(parameter: Parameter, value: str) -> _Circle:
    parts = [unescape(each) for each in split(value, "|")]
    if not _FEWEST_PARTS <= len(parts) <= _MOST_PARTS:
        raise wrong(parameter, value, _ADVICE)
    latitude, longitude, distance, units = (*parts, "", "")[:_MOST_PARTS]
    unit = conversion(units or DEFAULT_UNITS)
    texts = latitude, longitude, distance or "0"
    if unit is None or unit.unit != "m" or not all(map(_WRITTEN.fullmatch, texts)):
        raise wrong(parameter, value, _ADVICE)
    north, east, far = map(Decimal, texts)
    if abs(north) > _RIGHT_ANGLE or abs(east) > _HALF_ROUND or far < 0:
        raise wrong(parameter, value, _ADVICE)
    metres = as_float(unit.convert(far) if distance else Decimal(DEFAULT_DISTANCE))
    radius = min(metres / EARTH, math.pi)
    return _Circle(math.radians(north), math.radians(east), radius)


def _around(strips: tuple[IntervalIs, ...]) -> IntervalIs:
    """The least box that has all of them."""
    lows, highs = [strip.low for strip in strips], [strip.high for strip in strips]
    return IntervalIs(
        strips[0].key,
        (min(low for low, _ in lows), max(high for _, high in lows)),
        (min(low for low, _ in highs), max(high for _, high in highs)),
    )


_Box = tuple[tuple[float, float], tuple[float, float]]
"""Latitudes and longitudes in degrees, ends included."""


def _strips(circle: _Circle) -> Iterator[_Box]:
    """Strips from south to north, and what lies around a pole, if one is within."""
    south, north = circle.latitude - circle.radius, circle.latitude + circle.radius
    if south < -_POLE:
        # Behind the pole the circle goes on as far as it would have gone beyond it.
        south = -2 * _POLE - south
        yield from _boxes(circle, -_POLE, south, math.pi)
    if north > _POLE:
        north = 2 * _POLE - north
        yield from _boxes(circle, north, _POLE, math.pi)
    height = (north - south) / _AT_FIRST
    for strip in range(_AT_FIRST) if height >= 0 else ():
        yield from _between(circle, south + strip * height, south + (strip + 1) * height, _HALVINGS)


def _between(circle: _Circle, south: float, north: float, halvings: int) -> Iterator[_Box]:
    """One strip as wide as the circle is in its middle, or two, if it mistakes too much."""
    middle = (south + north) / 2
    width = _width(circle, middle)
    mistakes = [abs(_distance(circle, edge, width) - circle.radius) for edge in (south, north)]
    allowed = max(_MISTAKE * circle.radius, math.radians(_ROUNDING))
    if halvings == 0 or max(mistakes) <= allowed:
        yield from _boxes(circle, south, north, width)
    else:
        yield from _between(circle, south, middle, halvings - 1)
        yield from _between(circle, middle, north, halvings - 1)


def _distance(circle: _Circle, latitude: float, east: float) -> float:
    """From the centre to a point so far to the east or west of it, likewise in radians."""
    level = math.cos(circle.latitude) * math.cos(latitude) * _haversine(east)
    return 2 * math.asin(min(1, math.sqrt(_haversine(latitude - circle.latitude) + level)))


def _width(circle: _Circle, latitude: float) -> float:
    """How far the circle reaches to the east at a latitude; pi if it goes all round."""
    left = _haversine(circle.radius) - _haversine(latitude - circle.latitude)
    most = math.cos(circle.latitude) * math.cos(latitude)
    if left >= most:
        return math.pi
    return 2 * math.asin(math.sqrt(max(left, 0) / most))


def _haversine(angle: float) -> float:
    return math.sin(angle / 2) ** 2


def _boxes(circle: _Circle, south: float, north: float, width: float) -> Iterator[_Box]:
    """What lies so far to both sides: two boxes where longitudes end."""
    latitudes = math.degrees(south) - _ROUNDING, math.degrees(north) + _ROUNDING
    west, east = (math.degrees(circle.longitude + side) for side in (-width, width))
    west, east = west - _ROUNDING, east + _ROUNDING
    if east - west >= _ROUND:
        yield latitudes, (-_HALF_ROUND, _HALF_ROUND)
    elif west < -_HALF_ROUND:
        yield latitudes, (west + _ROUND, _HALF_ROUND)
        yield latitudes, (-_HALF_ROUND, east)
    elif east > _HALF_ROUND:
        yield latitudes, (west, _HALF_ROUND)
        yield latitudes, (-_HALF_ROUND, east - _ROUND)
    else:
        yield latitudes, (west, east)


def _index(parameter: Indexed) -> Index:
    key = keys.interval_key(parameter)

    def index(element: Any, entries: Entries) -> None:
        if type(element) is not dict:
            return
        latitude, longitude = element.get("latitude"), element.get("longitude")
        if not is_number(latitude) or not is_number(longitude):
            return
        north, east = as_float(latitude), as_float(longitude)
        if abs(north) <= _RIGHT_ANGLE and abs(east) <= _HALF_ROUND:
            entries.intervals.append((key, north, east))

    return index


INDEXERS: Mapping[str, Indexer] = {"Location.position": _index}
