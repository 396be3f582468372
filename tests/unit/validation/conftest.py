"""One validator for all tests: its schemas are compiled once."""

import pytest

from fhir_server.definitions.registry import Definitions, load_definitions
from fhir_server.validation.validator import Validator


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return load_definitions()


@pytest.fixture(scope="session")
def validator(definitions: Definitions) -> Validator:
    return Validator(definitions)
