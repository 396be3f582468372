"""Usage: how each resource type is mostly asked for, which is what its drivers are made for.

Most types are asked by a patient, what they are about and their date. A type without a line
has the parameters named in DEFAULT that it knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Usage:
    """Parameter codes of one type. Those it does not know are passed over."""

    date: str | None = "date"
    """The main date, by which drivers are ordered: a date that occurs at most once."""
    codes: tuple[str, ...] = ("code",)
    """Tokens that say what a resource is about: found alone and with a patient."""
    categories: tuple[str, ...] = ("category",)
    """Tokens with few values: found with a patient only, alone they select too much."""


DEFAULT: Final = Usage()

USAGES: Final[Mapping[str, Usage]] = {
    "Account": Usage(date="period", codes=("type",)),
    "Appointment": Usage(codes=("service-type",), categories=("service-category",)),
    "AuditEvent": Usage(codes=("type",)),
    "Basic": Usage(date="created"),
    "Bundle": Usage(date="timestamp"),
    "ChargeItem": Usage(date="occurrence"),
    "Claim": Usage(date="created"),
    "ClaimResponse": Usage(date="created"),
    "Communication": Usage(date="sent"),
    "CommunicationRequest": Usage(date="authored"),
    "Composition": Usage(codes=("type",)),
    "Condition": Usage(date="onset-date"),
    "Contract": Usage(date="issued"),
    "CoverageEligibilityRequest": Usage(date="created"),
    "CoverageEligibilityResponse": Usage(date="created"),
    "DetectedIssue": Usage(date="identified"),
    "DeviceRequest": Usage(date="authored-on"),
    "DocumentManifest": Usage(date="created", codes=("type",)),
    "DocumentReference": Usage(codes=("type",)),
    "Encounter": Usage(codes=("type",), categories=("class",)),
    "EpisodeOfCare": Usage(codes=("type",)),
    "ExplanationOfBenefit": Usage(date="created"),
    "Goal": Usage(date="start-date"),
    "ImagingStudy": Usage(date="started"),
    "Immunization": Usage(codes=("vaccine-code",)),
    "Media": Usage(date="created", codes=("type",)),
    "MedicationAdministration": Usage(date="effective-time"),
    "MedicationDispense": Usage(date="whenhandedover"),
    "MedicationRequest": Usage(date="authoredon"),
    "MedicationStatement": Usage(date="effective"),
    "NutritionOrder": Usage(date="datetime"),
    "Patient": Usage(date="birthdate"),
    "PaymentNotice": Usage(date="created"),
    "PaymentReconciliation": Usage(date="created"),
    "Person": Usage(date="birthdate"),
    "Provenance": Usage(date="recorded"),
    "QuestionnaireResponse": Usage(date="authored", codes=("questionnaire",)),
    "RelatedPerson": Usage(date="birthdate"),
    "RequestGroup": Usage(date="authored"),
    "ServiceRequest": Usage(date="authored"),
    "Slot": Usage(date="start", codes=("service-type",)),
    "Specimen": Usage(date="collected", codes=("type",)),
    "Task": Usage(date="authored-on"),
    "TestReport": Usage(date="issued"),
    "VisionPrescription": Usage(date="datewritten"),
}


def usage_of(type_: str) -> Usage:
    return USAGES.get(type_, DEFAULT)
