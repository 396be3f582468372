"""https://hl7.org/fhir/R4/search.html#token"""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.search_tables import Loaded, Row, labelled, load
from tests.support.server import Server

pytestmark = pytest.mark.anyio

A, B = "http://example.org/a", "http://example.org/b"
GENDER = "http://hl7.org/fhir/administrative-gender"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
TRUTH = "http://terminology.hl7.org/CodeSystem/special-values"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def coded(*codings: tuple[str | None, str | None], **members: Any) -> dict[str, Any]:
    """A concept of codings, each a system and a code."""
    found = [
        {name: text for name, text in zip(("system", "code"), coding, strict=True) if text}
        for coding in codings
    ]
    return {"code": {**({"coding": found} if found else {}), **members}}


OBSERVATIONS: Mapping[str, Mapping[str, Any]] = {
    "one": coded((A, "x1")),
    "capital": coded((A, "X1")),
    "other-system": coded((B, "x1")),
    "no-system": coded((None, "x1")),
    "system-only": coded((A, None)),
    "several": coded((A, "y"), (B, "z")),
    "longer": coded((A, "x12")),
    "umlaut": coded((A, "\u00dcber")),
    "blank": coded((A, "two words")),
    "separators": coded(("http://example.org/a,b", "M|,$\\x")),
    "display": {
        "code": {"coding": [{"system": A, "code": "d", "display": "Blood Pressure"}]},
    },
    "text": coded(text="Blood g\u00e9nie"),
    "absent": coded(extension=[{"url": ABSENT, "valueCode": "unknown"}]),
}
SYSTEMS: list[Row] = [
    ("Observation?code=x1", "one capital other-system no-system"),
    ("Observation?code=X1", "one capital other-system no-system"),
    (f"Observation?code={A}|x1", "one capital"),
    (f"Observation?code={A}|X1", "one capital"),
    (f"Observation?code={B}|x1", "other-system"),
    ("Observation?code=|x1", "no-system"),
    (f"Observation?code={A}|", "one capital system-only several longer umlaut blank display"),
    (f"Observation?code={B}|", "other-system several"),
    ("Observation?code=http://example.org/c|", ""),
    ("Observation?code=http://example.org/c|x1", ""),
    ("Observation?code=HTTP://example.org/a|x1", ""),
    # whole, not how it begins
    ("Observation?code=x", ""),
    ("Observation?code=x12", "longer"),
    ("Observation?code=%C3%9Cber", "umlaut"),
    ("Observation?code=%C3%BCber", "umlaut"),
    ("Observation?code=uber", ""),
    ("Observation?code=two words", "blank"),
    ("Observation?code=two  words", ""),
    # the pair counts, not its parts
    (f"Observation?code={A}|y", "several"),
    (f"Observation?code={A}|z", ""),
    ("Observation?code=z", "several"),
    # escapes
    (r"Observation?code=M\|\,\$\\x", "separators"),
    (r"Observation?code=http://example.org/a\,b|M\|\,\$\\x", "separators"),
    (r"Observation?code=http://example.org/a\,b|", "separators"),
    (r"Observation?code=M\|\,$\\x", "separators"),
    ("Observation?code=M,x12", "longer"),
    # several
    (f"Observation?code=y,{B}|x1", "several other-system"),
    ("Observation?code=y&code=z", "several"),
    ("Observation?code=y&code=x1", ""),
    # nothing is found by what a person reads
    ("Observation?code=Blood Pressure", ""),
]
MISSING: list[Row] = [
    ("Observation?value-concept:missing=true", " ".join(OBSERVATIONS)),
    ("Observation?code:missing=true", ""),
    ("Observation?code:missing=false", " ".join(OBSERVATIONS)),
]
OTHERS = "system-only several longer umlaut blank separators display text absent"
NOT: list[Row] = [
    ("Observation?code:not=x1", OTHERS),
    (f"Observation?code:not={A}|x1", f"other-system no-system {OTHERS}"),
    (
        "Observation?code:not=x1,y",
        "system-only longer umlaut blank separators display text absent",
    ),
    (f"Observation?code:not={A}|&code:not=x1", "separators text absent"),
    ("Patient?gender:not=female", "male no-gender"),
    ("Patient?gender:not=male,female", "no-gender"),
    ("Patient?active:not=true", "male no-gender"),
]
TEXT: list[Row] = [
    ("Observation?code:text=blood", "display text"),
    ("Observation?code:text=BLOOD P", "display"),
    ("Observation?code:text=blood genie", "text"),
    ("Observation?code:text=x1", ""),
    ("Patient?identifier:text=medical", "female"),
]
PATIENTS: Mapping[str, Mapping[str, Any]] = {
    "female": {
        "gender": "female",
        "active": True,
        "identifier": [
            {
                "system": A,
                "value": "Ab-1",
                "type": {"coding": [{"system": V2, "code": "MR"}], "text": "Medical record"},
            },
            {
                "system": B,
                "value": "77",
                "type": {"coding": [{"system": V2, "code": "SS"}]},
            },
        ],
        "telecom": [
            {"system": "phone", "value": "+49 30 1234", "use": "home"},
            {"system": "email", "value": "A@example.org"},
        ],
        "deceasedBoolean": False,
        "communication": [{"language": {"coding": [{"code": "de-CH"}]}}],
    },
    "male": {
        "gender": "male",
        "active": False,
        "identifier": [{"value": "Ab-1"}, {"system": A}],
        "deceasedDateTime": "2020",
        "telecom": [{"value": "77"}],
    },
    "no-gender": {
        "_gender": {"extension": [{"url": ABSENT, "valueCode": "unknown"}]},
        "deceasedBoolean": True,
    },
}
KINDS: list[Row] = [
    # a code alone is of the system its element is bound to
    ("Patient?gender=female", "female"),
    ("Patient?gender=FEMALE", "female"),
    (f"Patient?gender={GENDER}|female", "female"),
    (f"Patient?gender={A}|female", ""),
    (f"Patient?gender={GENDER}|", "female male"),
    ("Patient?gender=male,female", "male female"),
    ("Patient?gender=fem", ""),
    ("Patient?gender:missing=true", "no-gender"),
    # truth values
    ("Patient?active=true", "female"),
    ("Patient?active=false", "male"),
    (f"Patient?active={TRUTH}|false", "male"),
    (f"Patient?active={A}|false", ""),
    ("Patient?active:missing=true", "no-gender"),
    ("Patient?deceased=true", "male no-gender"),
    ("Patient?deceased=false", "female"),
    # identifiers compare exactly
    ("Patient?identifier=Ab-1", "female male"),
    ("Patient?identifier=AB-1", ""),
    (f"Patient?identifier={A}|Ab-1", "female"),
    ("Patient?identifier=|Ab-1", "male"),
    (f"Patient?identifier={A}|", "female male"),
    (f"Patient?identifier={A}|77", ""),
    ("Patient?identifier=77", "female"),
    ("Patient?identifier=http://example.org/a,77", "female"),
    ("Patient?identifier:missing=true", "no-gender"),
    # contact points have no system that a code could be of
    ("Patient?telecom=%2B49 30 1234", "female"),
    ("Patient?phone=%2B49 30 1234", "female"),
    ("Patient?phone=a@example.org", ""),
    ("Patient?email=a@example.org", "female"),
    ("Patient?telecom=77", "male"),
    ("Patient?phone:missing=true", "male no-gender"),
    ("Patient?language=de-ch", "female"),
    ("Patient?language=de", ""),
]
OF_TYPE: list[Row] = [
    (f"Patient?identifier:of-type={V2}|MR|Ab-1", "female"),
    (f"Patient?identifier:of-type={V2}|SS|77", "female"),
    # type and value of one and the same
    (f"Patient?identifier:of-type={V2}|MR|77", ""),
    (f"Patient?identifier:of-type={V2}|MR|AB-1", ""),
    (f"Patient?identifier:of-type={A}|MR|Ab-1", ""),
    (f"Patient?identifier:of-type={V2}|SS|77,{V2}|XX|1", "female"),
]
VALUE_SET = "http://hl7.org/fhir/ValueSet/administrative-gender"
IN: list[Row] = [
    (f"Patient?gender:in={VALUE_SET}", "female male"),
    (f"Patient?gender:not-in={VALUE_SET}", "no-gender"),
]
REFUSED = [
    "Observation?code=",
    "Observation?code=|",
    "Observation?code=a|b|c",
    "Observation?code=a,",
    "Patient?active=yes",
    "Patient?active=TRUE",
    "Patient?active=1",
    "Patient?gender=gt1|2|3",
    "Observation?code:exact=a",
    "Observation?code:contains=a",
    "Observation?code:identifier=a",
    "Observation?code:missing=a",
    "Patient?identifier:of-type=a",
    "Patient?identifier:of-type=a|b",
    f"Patient?identifier:of-type={V2}||77",
    "Patient?gender:of-type=a|b|c",
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    observations = {label: {"status": "final", **each} for label, each in OBSERVATIONS.items()}
    return await load(
        server, [*labelled("Observation", observations), *labelled("Patient", PATIENTS)]
    )


@pytest.mark.parametrize(
    "row", SYSTEMS + MISSING + NOT + TEXT + KINDS + OF_TYPE + IN, ids=lambda row: row[0]
)
async def test_a_token_finds_those_it_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize("url", REFUSED)
async def test_a_token_that_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)
