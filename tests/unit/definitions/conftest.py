"""The packed definitions, and beside them what was published, read without our code."""

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from fhir_server.definitions.registry import Definitions, load_definitions
from tests.support.data import data_folder

Published = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return load_definitions()


@pytest.fixture(scope="session")
def published() -> Published:
    """The resources of a published file, such as `conceptmaps`."""
    folder = data_folder("r4")

    @cache
    def read(name: str) -> list[dict[str, Any]]:
        with gzip.open(folder / f"{name}.ndjson.gz", "rt", encoding="utf-8") as file:
            lines = file.read().split("\n")
        return [json.loads(line, parse_float=Decimal) for line in lines if line]

    return read
