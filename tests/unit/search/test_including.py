"""What versions name is remembered, for the places that were looked at, and not without end."""

import json

import pytest

from fhir_server.definitions.registry import load_definitions
from fhir_server.fhir.reference import Local
from fhir_server.search import including
from fhir_server.search.catalog import Catalog
from fhir_server.search.controls import Inclusion
from fhir_server.search.including import Linking
from fhir_server.search.searching import Searching
from fhir_server.storage.versions import Version


@pytest.fixture
def linking() -> Linking:
    definitions = load_definitions()
    searching = Searching(
        definitions, "https://fhir.example.org/fhir", bytes(32), catalog=Catalog(definitions)
    )
    return searching.linking


def an_encounter(ordinal: int, number: int, patient: str, place: str) -> Version:
    resource = {
        "resourceType": "Encounter",
        "subject": {"reference": f"Patient/{patient}"},
        "serviceProvider": {"reference": f"Organization/{place}"},
    }
    content = json.dumps(resource).encode()
    return Version("Encounter", f"{ordinal}", number, ordinal, number, "PUT", content)


def named(linking: Linking, code: str | None, *versions: Version) -> list[str]:
    inclusion = Inclusion("_include", "Encounter", code, None)
    name = linking.naming("Encounter", (inclusion,))
    assert name is not None
    found = [each.reference for each in name(versions)]
    return [f"{each.type}/{each.id}" for each in found if isinstance(each, Local)]


def test_each_parameter_and_each_version_names_its_own(linking: Linking) -> None:
    first, second = an_encounter(1, 1, "a", "x"), an_encounter(1, 2, "b", "y")
    for _ in range(2):
        assert named(linking, "patient", first, second) == ["Patient/a", "Patient/b"]
        assert named(linking, "patient", second) == ["Patient/b"]
        assert named(linking, "service-provider", first) == ["Organization/x"]
        assert named(linking, None, second, first) == [
            "Patient/b",
            "Patient/a",
            "Organization/y",
            "Organization/x",
        ]


def test_nothing_is_named_by_no_version_and_by_a_deleted_one(linking: Linking) -> None:
    deleted = Version("Encounter", "1", 2, 1, 2, "DELETE", None)
    assert named(linking, "patient") == []
    assert named(linking, "patient", deleted) == []


def test_the_oldest_is_forgotten_when_there_are_too_many(
    linking: Linking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(including, "_MOST_READ", 3)
    versions = [an_encounter(n, 1, f"p{n}", "x") for n in range(10)]
    for _ in range(2):
        for version in versions:
            assert named(linking, "patient", version) == [f"Patient/p{version.ordinal}"]
    assert len(linking._read) == 3  # noqa: SLF001 -- how much is kept is not to be seen otherwise
