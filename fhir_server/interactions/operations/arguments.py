"""The arguments of an operation: from the query of a URL, or from Parameters in the body.

https://hl7.org/fhir/R4/operations.html#executing

In a URL only what is one word can be given. A body that is no Parameters is the one resource that
the operation takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from fhir_server.errors import BadRequest, MalformedContent, UnknownParameter
from fhir_server.interactions.answering import preference
from fhir_server.interactions.request import Request
from fhir_server.search.clause import shown
from fhir_server.search.controls import FORMATTING

_OBJECTS: Final = frozenset({"Coding", "CodeableConcept", ""})
"""Types of arguments that no URL can hold; those without a type have parts."""
_INTEGER_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an operation takes under a name."""

    name: str
    type: str
    """A FHIR type; empty when it has parts."""
    many: bool

    @property
    def is_resource(self) -> bool:
        return self.type[:1].isupper() and self.type not in _OBJECTS

    def is_body(self, type_: object) -> bool:
        """Whether a body of this type, which may be none, can be meant by it."""
        of_any = self.type == "Resource" and not self.many
        return of_any or (self.is_resource and self.type == type_)


class Arguments:
    """What an operation was called with; BadRequest says of a value what it should be."""

    def __init__(self, values: Mapping[str, Sequence[Any]]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str:
        """A code, uri or other text; empty when it is not given."""
        found = self._one(name, "")
        if not isinstance(found, str):
            _wrong(name, "a text")
        return found

    def texts(self, name: str) -> Sequence[str]:
        found = self._values.get(name, ())
        if not all(isinstance(each, str) for each in found):
            _wrong(name, "a text")
        return found

    def flag(self, name: str, *, default: bool = False) -> bool:
        found = self._one(name, default)
        if found in ("true", "false"):
            return bool(found == "true")
        if not isinstance(found, bool):
            _wrong(name, "true or false")
        return found

    def number(self, name: str) -> int | None:
        """A whole number of zero or more; None when it is not given."""
        found = self._one(name, None)
        if isinstance(found, str) and found.isascii() and found.isdigit():
            found = int(found) if len(found) <= _INTEGER_DIGITS else None
        elif found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int) or found < 0:
            _wrong(name, "a whole number of zero or more")
        return found

    def element(self, name: str) -> Mapping[str, Any] | None:
        """A Coding or another element with members; None when it is not given."""
        found = self._one(name, None)
        if found is not None and not isinstance(found, dict):
            _wrong(name, "an object, which only Parameters in a body can hold")
        return found

    def resources(self, name: str) -> Sequence[Mapping[str, Any]]:
        found = self._values.get(name, ())
        if not all(isinstance(each, dict) for each in found):
            _wrong(name, "a resource, which only Parameters in a body can hold")
        return found

    def parts(self, name: str) -> Sequence[Sequence[Mapping[str, Any]]]:
        """Of each argument of this name its parts."""
        found = self._values.get(name, ())
        for each in found:
            if not isinstance(each, list) or not all(isinstance(part, dict) for part in each):
                _wrong(name, "made of parts, which only Parameters in a body can hold")
        return found

    def _one(self, name: str, missing: object) -> Any:
        found = self._values.get(name)
        return found[0] if found else missing


def _wrong(name: str, wanted: str) -> NoReturn:
    raise BadRequest(f"The parameter {shown(name)} must be {wanted}.")


def read_arguments(request: Request, known: Mapping[str, Parameter], operation: str) -> Arguments:
    """All arguments of a call.

    UnknownParameter for what the operation does not take, unless Prefer: handling=lenient passes
    over it; BadRequest for what may be given once and is given twice.
    """
    lenient = preference(request, "handling") == "lenient"
    found: dict[str, list[Any]] = {}
    for name, value in [*request.query, *_in_body(request.body, known)]:
        parameter = known.get(name)
        if parameter is None:
            if name not in FORMATTING and not lenient:
                raise UnknownParameter(
                    f"{shown(name)!r} is not a parameter of {operation}; "
                    f"{', '.join(sorted(known))} are."
                )
            continue
        given = found.setdefault(name, [])
        if given and not parameter.many:
            raise BadRequest(f"The parameter {name} of {operation} may be given once only.")
        given.append(value)
    return Arguments(found)


def _in_body(body: Any, known: Mapping[str, Parameter]) -> Sequence[tuple[str, Any]]:
    if body is None:
        return ()
    if not isinstance(body, dict):
        raise MalformedContent("The body of an operation is a resource: Parameters.")
    type_ = body.get("resourceType")
    if type_ != "Parameters":
        fitting = [each.name for each in known.values() if each.is_body(type_)]
        if len(fitting) != 1:
            raise MalformedContent(f"The body must be Parameters, not {str(type_)[:64]!r}.")
        return [(fitting[0], body)]
    parameters = body.get("parameter", [])
    if not isinstance(parameters, list):
        raise MalformedContent("Parameters.parameter must be a list.")
    return [_named(each, at) for at, each in enumerate(parameters)]


def _named(parameter: Any, at: int) -> tuple[str, Any]:
    place = f"Parameters.parameter[{at}]"
    name = parameter.get("name") if isinstance(parameter, dict) else None
    if not isinstance(name, str):
        raise MalformedContent(f"{place} has no name.", expression=[place])
    values = [
        value
        for member, value in parameter.items()
        if member.startswith("value") or member in {"resource", "part"}
    ]
    if len(values) != 1:
        raise MalformedContent(f"{place} needs one value, resource or part.", expression=[place])
    return name, values[0]
