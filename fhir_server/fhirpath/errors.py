"""What can be wrong with a FHIRPath expression.

http://hl7.org/fhirpath/N1/
"""

from fhir_server.errors import BadRequest


class FhirPathError(BadRequest):
    """An expression cannot be used."""


class FhirPathSyntaxError(FhirPathError):
    """The text is not an expression: what was expected, what was found, and where."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"FHIRPath, at offset {position}: {message}")
        self.position = position
        """Characters before the place, from 0."""
