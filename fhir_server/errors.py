"""What can go wrong, as one tree. Each error knows its HTTP status and FHIR issue code.

https://hl7.org/fhir/R4/valueset-issue-type.html

    FhirError
    ├── BadRequest            400 invalid        the request itself is wrong
    │   ├── MalformedContent  400 structure      not JSON, or not a resource
    │   ├── UnknownParameter  400 not-supported  a search parameter nobody defined
    │   ├── InvalidReference  400 invalid        a reference that cannot be followed
    │   ├── NotLoaded         400 not-supported  terminology that is not here
    │   │   └── NoDefinition  400 not-supported  a value set or code system by its very name
    │   ├── Circular          400 processing     a definition that is made of itself
    │   ├── UnknownCode       400 code-invalid   a code that its system does not have
    │   └── TooCostly         400 too-costly     right, but more work than allowed
    ├── NotFound              404 not-found
    │   └── UnknownOperation  404 not-supported  an operation that is not there
    ├── MethodNotAllowed      405 not-supported
    ├── NotAcceptable         406 not-supported
    ├── VersionConflict       409 conflict       somebody else wrote first
    ├── Gone                  410 deleted
    ├── PreconditionFailed    412 conflict       If-Match, If-None-Match
    │   ├── MultipleMatches   412 multiple-matches
    │   └── NoMatch           412 not-found
    ├── RequestTimedOut       408 timeout        the request did not arrive in time
    ├── TooLarge              413 too-long
    ├── UriTooLong            414 too-long
    ├── UnsupportedMediaType  415 not-supported
    ├── Misdirected           421 security       sent to a name this server does not serve
    ├── Unprocessable         422 invariant      well formed, but breaks a rule
    ├── HeadersTooLarge       431 too-long
    ├── Unavailable           503 transient
    └── TimedOut              503 timeout
"""

from collections.abc import Sequence
from typing import ClassVar


class FhirError(Exception):
    """An error a caller can understand: what was wrong, where, and what would be right."""

    status: ClassVar[int] = 500
    issue: ClassVar[str] = "exception"

    def __init__(self, message: str, *, expression: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.expression = tuple(expression)
        """FHIRPath of the places that are wrong, outermost first; empty when none fits."""
        self.headers: dict[str, str] = {}
        """Headers that belong to the answer, such as Allow."""


class BadRequest(FhirError):
    status = 400
    issue = "invalid"


class MalformedContent(BadRequest):
    issue = "structure"


class UnknownParameter(BadRequest):
    issue = "not-supported"


class InvalidReference(BadRequest):
    pass


class NotLoaded(BadRequest):
    issue = "not-supported"


class NoDefinition(NotLoaded):
    """A definition that is asked for by its name and is not here."""

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.name = name
        """The canonical that was asked for."""


class Circular(BadRequest):
    issue = "processing"


class UnknownCode(BadRequest):
    issue = "code-invalid"


class TooCostly(BadRequest):
    issue = "too-costly"


class NotFound(FhirError):
    status = 404
    issue = "not-found"


class UnknownOperation(NotFound):
    issue = "not-supported"


class MethodNotAllowed(FhirError):
    status = 405
    issue = "not-supported"


class NotAcceptable(FhirError):
    status = 406
    issue = "not-supported"


class VersionConflict(FhirError):
    status = 409
    issue = "conflict"


class Gone(FhirError):
    status = 410
    issue = "deleted"


class PreconditionFailed(FhirError):
    status = 412
    issue = "conflict"


class MultipleMatches(PreconditionFailed):
    issue = "multiple-matches"


class NoMatch(PreconditionFailed):
    issue = "not-found"


class RequestTimedOut(FhirError):
    status = 408
    issue = "timeout"


class TooLarge(FhirError):
    status = 413
    issue = "too-long"


class UriTooLong(FhirError):
    status = 414
    issue = "too-long"


class UnsupportedMediaType(FhirError):
    status = 415
    issue = "not-supported"


class Misdirected(FhirError):
    status = 421
    issue = "security"


class Unprocessable(FhirError):
    status = 422
    issue = "invariant"


class HeadersTooLarge(FhirError):
    status = 431
    issue = "too-long"


class Unavailable(FhirError):
    status = 503
    issue = "transient"


class TimedOut(FhirError):
    status = 503
    issue = "timeout"
