"""What can be wrong with a FHIRPath expression, or with what it is evaluated on.

http://hl7.org/fhirpath/N1/

Messages name types and places in the expression, never values: those are patients' content.
"""

from fhir_server.errors import BadRequest, TooCostly


class FhirPathError(BadRequest):
    """An expression cannot be used."""


class _Placed(FhirPathError):
    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"FHIRPath, at offset {position}: {message}")
        self.position = position
        """Characters before the place, from 0."""


class FhirPathSyntaxError(_Placed):
    """The text is not an expression: what was expected, what was found, and where."""


class FhirPathSemanticError(_Placed):
    """The expression can have no meaning: no such function, type, variable or element."""


class FhirPathEvaluationError(_Placed):
    """What was found cannot be what the expression takes it for, such as one value."""


class FhirPathTooCostly(FhirPathError, TooCostly):
    """The evaluation would take more steps than allowed."""


class Unfit(Exception):
    """An operand or argument that cannot be taken. The node it is raised in adds its place."""
