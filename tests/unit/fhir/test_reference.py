"""Every way a reference may be written."""

import pytest

from fhir_server.fhir.reference import (
    Conditional,
    Contained,
    Elsewhere,
    Local,
    Reference,
    parse,
)

_OURS = "https://ehr.example.org/fhir"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Patient/1", Local("Patient", "1")),
        ("Patient/A-b.3", Local("Patient", "A-b.3")),
        ("Patient/1/_history/2", Local("Patient", "1", "2")),
        (f"{_OURS}/Patient/1", Local("Patient", "1")),
        (f"{_OURS}/Patient/1/_history/2", Local("Patient", "1", "2")),
        ("#", Contained("")),
        ("#med", Contained("med")),
        (
            "Practitioner?identifier=http://npi|1&active=true",
            Conditional("Practitioner", "identifier=http://npi|1&active=true"),
        ),
        ("urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
         Elsewhere("urn:uuid:c757873d-ec9a-4326-a141-556f43239520")),
        ("urn:oid:1.2.3", Elsewhere("urn:oid:1.2.3")),
        ("https://other.org/fhir/Patient/1",
         Elsewhere("https://other.org/fhir/Patient/1", None, "Patient", "1")),
        ("https://other.org/fhir/Patient/1/_history/3",
         Elsewhere("https://other.org/fhir/Patient/1", None, "Patient", "1")),
        (f"{_OURS}/deeper/Patient/1",
         Elsewhere(f"{_OURS}/deeper/Patient/1", None, "Patient", "1")),
        ("https://ehr.example.org/fhirs/Patient/1",
         Elsewhere("https://ehr.example.org/fhirs/Patient/1", None, "Patient", "1")),
        ("http://x.org/ValueSet/a|2.0", Elsewhere("http://x.org/ValueSet/a", "2.0")),
        ("http://x.org/ValueSet/a|2.0#part", Elsewhere("http://x.org/ValueSet/a", "2.0")),
        ("http://x.org/ValueSet/a#part", Elsewhere("http://x.org/ValueSet/a")),
        ("http://x.org/profile", Elsewhere("http://x.org/profile")),
        ("http://x.org/profile|", Elsewhere("http://x.org/profile")),
        ("", None),
        ("Patient", None),
        ("Patient/", None),
        ("Patient/1/", None),
        ("patient/1", None),
        ("Patient/a_b", None),
        ("Patient/" + "x" * 65, None),
        ("Patient/1/_history/", None),
        ("Patient?", None),
        ("/Patient/1", None),
        ("see the notes", None),
        ("http://x.org/a b", None),
    ],
)  # fmt: skip
def test_a_reference_means(text: str, meaning: Reference | None) -> None:
    assert parse(text, _OURS) == meaning


def test_without_a_known_base_every_absolute_reference_is_elsewhere() -> None:
    assert parse(f"{_OURS}/Patient/1") == Elsewhere(f"{_OURS}/Patient/1", None, "Patient", "1")
