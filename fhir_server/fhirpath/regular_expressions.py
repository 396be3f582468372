"""Regular expressions that take linear time, whatever pattern they are given.

http://hl7.org/fhirpath/N1/#matchesregex--string--boolean

Patterns come from profiles, patches and search parameters that anybody may write, and texts
from anybody too; an engine that tries alternatives one after the other can be kept busy for
years by forty characters. Matching is done by Rust's engine, which pydantic brings and runs in
a fifth of a microsecond; replacing by RE2, which has the same syntax. Neither knows look-around
or back references: such patterns are refused by name.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from pydantic_core import SchemaError, SchemaValidator, core_schema

from fhir_server.fhirpath.errors import Unfit

_LONGEST_PATTERN = 2_000


@lru_cache(maxsize=64)
def matcher(pattern: str, *, whole: bool = False) -> Callable[[str], bool]:
    """Whether a text has a match, or is one; a dot is any character, also a line's end.

    Raises Unfit when it is not a pattern, or one that needs look-around.
    """
    text = rf"(?s)\A(?:{pattern})\z" if whole else f"(?s){pattern}"
    if len(pattern) > _LONGEST_PATTERN:
        raise Unfit(f"a pattern has at most {_LONGEST_PATTERN} characters")
    try:
        schema = core_schema.str_schema(pattern=text, regex_engine="rust-regex")
        return SchemaValidator(schema).isinstance_python
    except SchemaError as error:
        raise _refused(str(error)) from None


def replace_matches(text: str, pattern: str, substitution: str) -> str:
    """All matches replaced; `$1` and `${name}` in the substitution are groups of the match.

    Raises Unfit like `matcher`.
    """
    compiled = _compiled(pattern)
    parts = _parts(substitution)

    def replacement(match: Any) -> str:
        return "".join(part if type(part) is str else match[part[0]] or "" for part in parts)

    try:
        return str(compiled.sub(replacement, text))
    except IndexError:
        raise Unfit("the substitution names a group that the pattern has not") from None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    try:
        re2 = import_module("re2")  # rarely needed, and it has no types
    except ModuleNotFoundError:
        raise Unfit("replaceMatches() needs the library google-re2") from None
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise _refused(str(error)) from None


_GROUP = re.compile(r"\$(?:\{([A-Za-z_]\w*|\d{1,3})\}|(\d{1,3}))")


def _parts(substitution: str) -> list[str | tuple[str | int]]:
    """Text between groups as it is; each group as a tuple of its name or number."""
    parts: list[str | tuple[str | int]] = []
    end = 0
    for found in _GROUP.finditer(substitution):
        named = found[1] or found[2]
        parts += [substitution[end : found.start()], (int(named) if named.isdigit() else named,)]
        end = found.end()
    return [*parts, substitution[end:]]


def _refused(words: str) -> Unfit:
    reason = words.rpartition("error: ")[2].strip(" .'\"b")
    return Unfit(f"this is no pattern that can be matched in linear time: {reason}")
