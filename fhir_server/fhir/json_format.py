"""FHIR's JSON: strict when read, unchanged when written.

https://hl7.org/fhir/R4/json.html and https://www.rfc-editor.org/rfc/rfc8259

Decimals are read as `Decimal` and written with the same digits, members keep their order. What
two readers could understand differently (duplicate names, NaN, lone surrogates) is refused.
"""

import re
from decimal import Decimal
from typing import Any

import jiter
import msgspec

from fhir_server.errors import MalformedContent, TooLarge

MAX_DEPTH = 64
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONGEST_NAME = 64

_encoder = msgspec.json.Encoder(decimal_format="number")

_PLACE = re.compile(r"(?P<words>.*) at line (?P<line>\d+) column (?P<column>\d+)", re.DOTALL)
_DUPLICATE = re.compile(r'Detected duplicate key "(?P<name>.*)"', re.DOTALL)
_SAID_OTHERWISE = (
    ("EOF while", "the content ends too early"),
    ("trailing characters", "something follows the end of the value"),
    ("trailing comma", "a comma is followed by no value"),
    ("expected value", "a value was expected"),
    ("expected ident", "a value was expected"),
    ("expected `:`", "a colon was expected after the name"),
    ("expected `,` or `}`", "a comma or the end of the object was expected"),
    ("expected `,` or `]`", "a comma or the end of the array was expected"),
    ("key must be a string", "a name in double quotes was expected"),
    ("invalid number", "the number is not written as JSON asks"),
    ("number out of range", "the number has too many digits"),
    ("Internal error", "the number has too large an exponent"),
    ("invalid unicode code point", "the text is not UTF-8"),
    ("invalid escape", "a backslash is followed by something that is no escape"),
    ("lone leading surrogate", "half of a surrogate pair stands alone"),
    ("unexpected end of hex escape", "half of a surrogate pair stands alone"),
    ("control character", "a control character in a text must be escaped"),
)


def parse(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """The JSON value: dict, list, str, int, Decimal, bool or None.

    Raises MalformedContent with line and column. A byte order mark in front is passed over, as
    RFC 8259 allows; anywhere between the values it is refused.
    """
    data = data.removeprefix(_BYTE_ORDER_MARK)
    if not data or data.isspace():
        raise MalformedContent("There is no content where JSON was expected.")
    try:
        value = jiter.from_json(
            data,
            allow_inf_nan=False,
            cache_mode="keys",
            catch_duplicate_keys=True,
            float_mode="decimal",
        )
    except ValueError as error:
        if str(error).startswith("recursion limit"):
            raise MalformedContent(_too_deep("more than 200", max_depth)) from None
        raise MalformedContent(_explain(str(error))) from None
    # Spread over lines, one blank a level, depth shows without a walk over the value. What begins
    # few objects and arrays in all cannot be deep.
    few = data.count(b"{") + data.count(b"[") <= max_depth
    if not few and b"\n" + b" " * max_depth in msgspec.json.format(data, indent=1):
        depth = _depth(value)
        if depth > max_depth:
            raise MalformedContent(_too_deep(str(depth), max_depth))
    return value


def require_bounded(value: Any, max_depth: int, max_bytes: int) -> None:
    """MalformedContent or TooLarge for a value that would be refused if its bytes were read.

    Interval early, so that a value that would be endless in writing is refused as well.
    """
    depth, size, level = 0, 0, [value]
    while level:
        size += sum(map(_least_width, level))
        if size > max_bytes:
            raise _too_large(max_bytes)
        level = [node for node in level if isinstance(node, dict | list)]
        depth += bool(level)
        if depth > max_depth:
            raise MalformedContent(_too_deep(f"more than {max_depth}", max_depth))
        level = _below(level)
    if len(write(value)) > max_bytes:
        raise _too_large(max_bytes)


def write(value: Any) -> bytes:
    """Compact JSON in UTF-8: members in their order, each decimal with its own digits."""
    return _encoder.encode(value)


def write_pretty(data: bytes) -> bytes:
    """The same JSON over several lines, two blanks a level; numbers are not touched."""
    return msgspec.json.format(data, indent=2)


def _explain(words: str) -> str:
    place = _PLACE.fullmatch(words)
    if place is None:
        return "The content is not JSON."
    where = f"line {place['line']}, column {max(int(place['column']), 1)}"
    duplicate = _DUPLICATE.fullmatch(place["words"])
    if duplicate:
        name = duplicate["name"]
        shown = name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"
        return f"The name {shown!r} occurs twice in one object ({where})."
    for begin, meaning in _SAID_OTHERWISE:
        if place["words"].startswith(begin):
            return f"The content is not JSON: {meaning} ({where})."
    return f"The content is not JSON ({where})."


def _too_deep(seen: str, allowed: int) -> str:
    return f"The content is nested {seen} levels deep; at most {allowed} are allowed."


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [node for node in level if isinstance(node, dict | list)]:
        depth += 1
        level = _below(level)
    return depth


def _below(level: list[Any]) -> list[Any]:
    """What the objects and arrays hold."""
    return [
        child for node in level for child in (node.values() if isinstance(node, dict) else node)
    ]


def _least_width(node: Any) -> int:
    """Bytes of a value in JSON at the very least, without what an object or array holds."""
    if isinstance(node, dict):
        return sum(map(len, node)) + 4 * len(node)
    if isinstance(node, Decimal):
        return len(str(node))
    return len(node) if isinstance(node, str | list) else 1


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The content has more than {most} bytes; at most that many are taken.")
