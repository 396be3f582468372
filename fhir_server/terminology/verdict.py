"""What came out when a code was validated.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html
https://build.fhir.org/ig/HL7/fhir-tx-ecosystem-ig/ gives the kinds of issues.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

Severity = Literal["error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A code that is to be validated."""

    system: str
    version: str
    code: str
    display: str
    place: str
    """The FHIRPath of its Coding in the request; empty when its parts came one by one."""

    def at(self, element: str) -> str:
        return f"{self.place}.{element}" if self.place else element

    @property
    def words(self) -> str:
        """How messages speak of it."""
        version = f"|{self.version}" if self.version else ""
        return f"{self.system}{version}#{self.code}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is to be said of a code."""

    severity: Severity
    code: str
    """From https://hl7.org/fhir/R4/valueset-issue-type.html."""
    kind: str
    """What it is about, such as `not-in-vs`."""
    text: str
    place: str = ""


@dataclass(slots=True)
class Verdict:
    """What is known of one code."""

    asked: Asked
    inside: bool | None = None
    """Whether it is one of those; None: that cannot be told."""
    findings: list[Finding] = field(default_factory=list)
    system: str = ""
    version: str = ""
    code: str = ""
    display: str = ""
    normalized: str = ""
    """The code as its system writes it, where that is not how it was asked for."""
    inactive: bool = False
    status: str = ""
    unknown_system: str = ""
    """The code system that nobody knows here."""
    caused_by: str = ""
    """The code system that a value set needs and that is not here."""

    def say(self, finding: Finding) -> None:
        if finding not in self.findings:
            self.findings.append(finding)

    @property
    def valid(self) -> bool:
        return bool(self.inside) and all(each.severity != "error" for each in self.findings)

    def as_one_of_many(self) -> None:
        """To be none of those is no error yet, as another coding of the concept may be one."""
        self.findings = [
            replace(each, severity="information", kind="this-code-not-in-vs")
            if each.kind == "not-in-vs"
            else each
            for each in self.findings
        ]
